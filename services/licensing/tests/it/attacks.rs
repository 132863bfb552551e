//! Assertions and requests as attackers make them: RFC 8725, RFC 7523, and the security BCP of OAuth (RFC 9700) as far as it applies.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::registry::Env;
use serde_json::{Value, json};

use crate::world::{Case, TOKEN_ISSUER, World, answer, form, jwk_of, jws, new_key, now_s};

/// A form that is about to be spoilt.
type Fields = Vec<(&'static str, String)>;

async fn refused(case: &Case<'_>, what: &str, assertion: &str, error: &str) {
    let answer = case.token(assertion).await;
    let status = if error == "invalid_client" { 401 } else { 400 };
    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (status, Some(error)), "{what}: {answer:?}");
    assert!(answer.body["access_token"].is_null());
}

#[actix_rt::test]
async fn no_forged_or_borrowed_assertion_gets_a_token() {
    let world = World::new();
    let licensing = world.licensing().await;
    let (mut case, mut foreign) = (Case::new(&world, &licensing), Case::new(&world, &licensing));
    case.go_live().await;
    foreign.go_live().await;
    let (key, header) = (&case.live, Case::header(&case.live));
    let with_header = |member: &str, value: Value| {
        let mut header = header.clone();
        header[member] = value;
        header
    };
    let with = |member: &str, value: Value| {
        let mut claims = case.claims(Env::Live);
        claims[member] = value;
        claims
    };
    let without = |member: &str| {
        let mut claims = case.claims(Env::Live);
        claims.as_object_mut().expect("claims").remove(member);
        claims
    };
    let good = || case.claims(Env::Live);
    case.token(&jws(key, &header, &good())).await.ok();

    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&with_header("alg", json!("none"))), part(&good()));
    // HS256 with the public key as its secret (RFC 8725 section 2.1).
    let public =
        world.http.get(format!("{}/jwks.json", case.url)).send().await.expect("answers").text().await.expect("text");
    let hmac = |secret: &[u8]| {
        let signed = format!("{}.{}", part(&with_header("alg", json!("HS256"))), part(&good()));
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
        format!("{signed}.{}", signature.expect("signs"))
    };
    let own = json!(jwk_of(&new_key()));
    let attacker = new_key();
    let mut attackers = Case::header(&attacker);
    for (what, assertion) in [
        ("alg none", unsigned),
        ("alg none with a signature", jws(key, &with_header("alg", json!("none")), &good())),
        ("HMAC with the public key", hmac(case.live.verifying_key().as_bytes())),
        ("HMAC with the JWK Set", hmac(public.as_bytes())),
        ("another algorithm's name", jws(key, &with_header("alg", json!("ES256")), &good())),
        ("a key of its own in jwk", {
            attackers["jwk"] = json!(jwk_of(&attacker));
            jws(&attacker, &attackers, &good())
        }),
        ("jwk beside a good signature", jws(key, &with_header("jwk", own), &good())),
        ("jku", jws(key, &with_header("jku", json!("https://evil.example/jwks")), &good())),
        ("x5u", jws(key, &with_header("x5u", json!("https://evil.example/x5u")), &good())),
        ("x5c", jws(key, &with_header("x5c", json!(["AA"])), &good())),
        ("crit", jws(key, &with_header("crit", json!(["exp"])), &good())),
        ("a path for a kid", jws(key, &with_header("kid", json!("../../dev/zero")), &good())),
        ("SQL for a kid", jws(key, &with_header("kid", json!("x' OR '1'='1")), &good())),
        ("no kid", jws(key, &json!({"alg": "EdDSA"}), &good())),
        ("kid of another client's key", jws(key, &Case::header(&foreign.live), &good())),
        ("another client's key", jws(&foreign.live, &Case::header(&foreign.live), &good())),
        ("the test key for the market", jws(&case.test, &Case::header(&case.test), &good())),
        ("typ of an access token", jws(key, &with_header("typ", json!("at+jwt")), &good())),
        ("typ of a proof of possession", jws(key, &with_header("typ", json!("dsom-pop+jwt")), &good())),
        ("iss of another", jws(key, &header, &with("iss", json!(foreign.client_id(Env::Live))))),
        ("sub of another", jws(key, &header, &with("sub", json!(foreign.client_id(Env::Live))))),
        ("no iss", jws(key, &header, &without("iss"))),
        ("no sub", jws(key, &header, &without("sub"))),
        ("a client nobody knows", {
            let client = format!("dsom_live_{}", uuid::Uuid::new_v4());
            let mut claims = with("iss", json!(client));
            claims["sub"] = json!(client);
            jws(key, &header, &claims)
        }),
        ("aud of another server", jws(key, &header, &with("aud", json!("https://other.example")))),
        ("aud of two servers", jws(key, &header, &with("aud", json!([TOKEN_ISSUER, "https://other.example"])))),
        ("aud a prefix", jws(key, &header, &with("aud", json!(format!("{TOKEN_ISSUER}/oauth2"))))),
        ("no aud", jws(key, &header, &without("aud"))),
        ("expired", jws(key, &header, &with("exp", json!(now_s() - 61)))),
        ("for ever", jws(key, &header, &with("exp", json!(now_s() + 3_700)))),
        ("exp absurd", jws(key, &header, &with("exp", json!(1e300)))),
        ("exp a text", jws(key, &header, &with("exp", json!("soon")))),
        ("no exp", jws(key, &header, &without("exp"))),
        ("not begun", jws(key, &header, &with("nbf", json!(now_s() + 120)))),
        ("made in the future", jws(key, &header, &with("iat", json!(now_s() + 120)))),
        ("no jti", jws(key, &header, &without("jti"))),
        ("an empty jti", jws(key, &header, &with("jti", json!("")))),
        ("a long jti", jws(key, &header, &with("jti", json!("x".repeat(129))))),
        ("a signature cut short", jws(key, &header, &good())[..200].to_owned()),
        ("no JWS", "x".to_owned()),
        ("a JWE", "a.b.c.d.e".to_owned()),
        ("a very long text", "a".repeat(9_000)),
    ] {
        refused(&case, what, &assertion, "invalid_client").await;
    }
    // Clocks may be a minute apart, and the issuer may be named by its token endpoint, alone in an array too.
    for (what, claims) in [
        ("just expired", with("exp", json!(now_s() - 30))),
        ("made a moment ahead", with("iat", json!(now_s() + 30))),
        ("an hour", with("exp", json!(now_s() + 3_599))),
        ("the endpoint", with("aud", json!(format!("{TOKEN_ISSUER}/oauth2/token")))),
        ("an array of one", with("aud", json!([TOKEN_ISSUER]))),
    ] {
        assert!(case.token(&jws(key, &header, &claims)).await.status.is_success(), "{what}");
    }
    // Both names of the algorithm (RFC 9864).
    case.token(&jws(key, &with_header("alg", json!("Ed25519")), &good())).await.ok();
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn requests_against_the_rules_of_oauth_are_refused() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let ask = async |change: &dyn Fn(&mut Fields)| {
        let assertion = case.assertion(Env::Live);
        let mut fields: Fields = form(&assertion).map(|(name, value)| (name, value.to_owned())).to_vec();
        change(&mut fields);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = case.ask(&fields).await;
        (answer.status.as_u16(), answer.body["error"].as_str().unwrap_or_default().to_owned())
    };
    let set = |name: &'static str, value: &'static str| {
        move |fields: &mut Fields| {
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value.to_owned()));
        }
    };
    let invalid = |error: &str| (400, error.to_owned());
    assert_eq!(ask(&set("grant_type", "password")).await, invalid("unsupported_grant_type"));
    assert_eq!(ask(&set("grant_type", "authorization_code")).await, invalid("unsupported_grant_type"));
    assert_eq!(ask(&|fields| drop(fields.remove(0))).await, invalid("invalid_request"));
    assert_eq!(
        ask(&|fields| fields.push(("grant_type", "client_credentials".into()))).await,
        invalid("invalid_request")
    );
    assert_eq!(ask(&set("scope", "records:write admin")).await, invalid("invalid_scope"));
    assert_eq!(ask(&set("client_assertion_type", "jwt")).await, (401, "invalid_client".into()));
    assert_eq!(ask(&set("client_secret", "x")).await, (401, "invalid_client".into()));
    assert_eq!(ask(&set("client_id", "dsom_live_x")).await, (401, "invalid_client".into()));
    let raw = async |kind: &str, body: String| {
        let request = world.http.post(format!("{}/oauth2/token", case.url)).header("content-type", kind).body(body);
        answer(request).await.status.as_u16()
    };
    assert_eq!(raw("application/json", "{}".into()).await, 400);
    assert_eq!(raw("application/x-www-form-urlencoded", "a".repeat(20_000)).await, 400);
    assert_eq!(raw("application/x-www-form-urlencoded", "\u{0}\u{ff}=%%%".into()).await, 400);
    let get = world.http.get(format!("{}/oauth2/token", case.url)).send().await.expect("answers");
    assert_eq!(get.status().as_u16(), 405, "no token by GET: queries are logged");
    let basic = world.http.post(format!("{}/oauth2/token", case.url)).basic_auth("a", Some("b"));
    let basic = answer(basic.form(&form(&case.assertion(Env::Live)))).await;
    assert_eq!(
        (basic.status.as_u16(), &basic.headers["www-authenticate"]),
        (401, &"Basic realm=\"dsom\"".parse().expect("a value"))
    );
    assert_eq!(ask(&set("scope", "records:write  records:read ")).await, (200, String::new()));
    licensing.running.stop().await;
}
