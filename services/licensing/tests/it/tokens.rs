//! Tokens: what a good client gets, and that the rest of the mesh takes it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::registry::Env;
use serde_json::{Value, json};

use crate::world::{Case, LIVE_AUDIENCE, TOKEN_ISSUER, World, answer, form, jws};

#[actix_rt::test]
async fn a_live_operator_gets_a_token_that_other_services_take() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let granted = case.token(&case.assertion(Env::Live)).await.ok();
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("Bearer"), &json!(600)));
    let auth = runtime::AuthConfig {
        jwks: format!("{}/jwks.json", licensing.url),
        token_issuer: TOKEN_ISSUER.into(),
        token_audience: LIVE_AUDIENCE.into(),
        client_cert: Default::default(),
    };
    let auth = runtime::Auth::start(&auth, None).await.expect("starts");
    let caller = auth.check(granted["access_token"].as_str().expect("a token")).await.expect("is taken");
    assert_eq!(caller.operator(), case.id);
    assert!(caller.has("records:write") && caller.has("records:read"));
    assert_eq!(caller.client_key(), Case::header(&case.live)["kid"].as_str());
    // A test token is none of the market's, nor the other way round.
    let test = case.token(&case.assertion(Env::Test)).await.ok();
    assert!(auth.check(test["access_token"].as_str().expect("a token")).await.is_err());

    let mut narrow = form("").to_vec();
    let assertion = case.assertion(Env::Live);
    narrow[2].1 = &assertion;
    narrow.push(("scope", "records:read"));
    assert_eq!(case.ask(&narrow).await.ok()["scope"], json!("records:read"));
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn an_operator_that_is_not_live_gets_test_tokens_alone() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.license("betting").await;
    let (live, test) = (case.add_key(&case.live, Env::Live), case.add_key(&case.test, Env::Test));
    case.decide(live).await;
    case.decide(test).await;
    let refused = case.token(&case.assertion(Env::Live)).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]), (400, &json!("unauthorized_client")));
    case.token(&case.assertion(Env::Test)).await.ok();
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_revoked_key_and_one_whose_time_is_over_get_nothing() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    // Rotation: two keys overlap, then the first goes.
    let next = crate::world::new_key();
    let added = case.add_key(&next, Env::Live);
    case.decide(added).await;
    let with = |key: &ed25519_dalek::SigningKey| jws(key, &Case::header(key), &case.claims(Env::Live));
    case.token(&with(&case.live)).await.ok();
    case.token(&with(&next)).await.ok();
    let (old, fresh) = (with(&case.live), with(&next));
    let kid = Case::header(&case.live)["kid"].clone();
    case.decide(json!({"type": "revoke_key", "kid": kid, "reason": "втрачено"})).await;
    let refused = case.token(&old).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]), (401, &json!("invalid_client")));
    case.token(&fresh).await.ok();

    let mut later = case.add_key(&crate::world::new_key(), Env::Live);
    later["not_before"] = json!(crate::world::moment(3_600));
    later["expires"] = json!(crate::world::moment(60));
    case.try_post("clerk-1", "/proposals", Some(&Case::proposal(&later))).await.refused(422, "invalid-form");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn an_assertion_is_good_once_also_after_a_restart() {
    once(World::new()).await;
}

#[actix_rt::test]
async fn on_a_cql_server_an_assertion_is_good_once_too() {
    if let Some(world) = World::on_cql() {
        once(world).await;
    }
}

async fn once(world: World) {
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let assertion = case.assertion(Env::Live);
    case.token(&assertion).await.ok();
    let replayed = async |case: &Case<'_>| {
        let again = case.token(&assertion).await;
        assert_eq!((again.status.as_u16(), &again.body["error"]), (401, &json!("invalid_client")), "{again:?}");
        assert!(again.body["error_description"].as_str().expect("text").contains("jti"));
    };
    replayed(&case).await;
    licensing.running.stop().await;
    let licensing = world.licensing().await;
    case.url = licensing.url.clone();
    replayed(&case).await;
    // Of many at once one gets a token.
    let assertion = case.assertion(Env::Live);
    let tries = futures::future::join_all((0..8).map(|_| case.token(&assertion))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status.is_success()).count(), 1);
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn the_metadata_says_where_and_how() {
    let world = World::new();
    let licensing = world.licensing().await;
    let get = async |path: &str| answer(world.http.get(format!("{}{path}", licensing.url))).await.ok();
    let metadata = get("/.well-known/oauth-authorization-server").await;
    // RFC 8414 section 2: what must be there.
    assert_eq!(metadata["issuer"], json!(TOKEN_ISSUER));
    assert_eq!(metadata["token_endpoint"], json!(format!("{TOKEN_ISSUER}/oauth2/token")));
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    assert!(metadata["response_types_supported"].is_array());
    let (live, test) = (get("/jwks.json").await, get("/test/jwks.json").await);
    assert_ne!(live["keys"][0]["kid"], test["keys"][0]["kid"]);
    assert!(live["keys"][0]["d"].is_null(), "no private part");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn the_signing_key_is_rotated_without_a_refused_token() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let old = case.token(&case.assertion(Env::Live)).await.ok();
    licensing.running.stop().await;
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    let pem = crate::world::new_key().to_pkcs8_pem(Default::default()).expect("a PEM");
    let (now, before) = (world.dir.path().join("token-2.pem"), world.dir.path().join("token.pem"));
    std::fs::write(&now, pem).expect("writes");
    let rotated =
        licensing::config::Config { token_key: now, token_keys_beside: before.display().to_string(), ..world.config() };
    let licensing = world.licensing_with(rotated).await;
    case.url = licensing.url.clone();
    let auth = runtime::AuthConfig {
        jwks: format!("{}/jwks.json", licensing.url),
        token_issuer: TOKEN_ISSUER.into(),
        token_audience: LIVE_AUDIENCE.into(),
        client_cert: Default::default(),
    };
    let auth = runtime::Auth::start(&auth, None).await.expect("starts");
    let new = case.token(&case.assertion(Env::Live)).await.ok();
    for token in [old, new] {
        auth.check(token["access_token"].as_str().expect("a token")).await.expect("is taken");
    }
    licensing.running.stop().await;
}

/// The certificate of RFC 8705 appendix A as a proxy hands it on, and the thumbprint that the RFC gives.
const CERTIFICATE: &str = ":MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=:";
const THUMBPRINT: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

#[actix_rt::test]
async fn a_token_that_is_asked_for_with_a_certificate_is_bound_to_it() {
    let world = World::new();
    let config = licensing::config::Config { client_cert: runtime::auth::ClientCert::Header, ..world.config() };
    let licensing = world.licensing_with(config).await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let ask = async |case: &Case<'_>, assertion: &str, certificates: &[&str]| {
        let mut request = world.http.post(format!("{}/oauth2/token", case.url)).form(&form(assertion));
        for certificate in certificates {
            request = request.header("client-cert", *certificate);
        }
        let answer = answer(request).await;
        (answer.status.as_u16(), answer.body)
    };
    let claims = |granted: &Value| -> Value {
        let token = granted["access_token"].as_str().expect("a token");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("claims")).expect("base64url"))
            .expect("JSON")
    };
    let assertion = case.assertion(Env::Live);
    let long = format!(":{}:", "A".repeat(9_000));
    for bad in [&[CERTIFICATE, CERTIFICATE][..], &["x"], &[":%:"], &[&long]] {
        let (status, body) = ask(&case, &assertion, bad).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{body}");
    }
    // What was refused did not use the assertion up.
    let (_, granted) = ask(&case, &assertion, &[CERTIFICATE]).await;
    assert_eq!(claims(&granted)["cnf"], json!({"x5t#S256": THUMBPRINT}));
    let (_, granted) = ask(&case, &case.assertion(Env::Test), &[]).await;
    assert_eq!(claims(&granted)["cnf"], Value::Null);
    let bound = async |licensing: &crate::world::Licensing| -> Value {
        let url = format!("{}/.well-known/oauth-authorization-server", licensing.url);
        answer(world.http.get(url)).await.ok()["tls_client_certificate_bound_access_tokens"].clone()
    };
    assert_eq!(bound(&licensing).await, json!(true));
    licensing.running.stop().await;

    // Where the header is not looked at, it binds nothing: anybody may have written it.
    let licensing = world.licensing().await;
    case.url = licensing.url.clone();
    let (_, granted) = ask(&case, &case.assertion(Env::Live), &[CERTIFICATE]).await;
    assert_eq!(claims(&granted)["cnf"], Value::Null);
    assert_eq!(bound(&licensing).await, Value::Null);
    licensing.running.stop().await;
}
