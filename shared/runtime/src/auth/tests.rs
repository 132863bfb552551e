//! Tokens as attackers and clumsy issuers make them (RFC 8725).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::OperatorId;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use testkit::{AUDIENCE, ISSUER, Issuer};

use super::checker::CACHED_MAX;
use super::keys::{Keys, KeysError, Kinds};
use super::token::{TokenError, verify};
use super::*;
use std::time::Instant;

const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

fn operator() -> OperatorId {
    OPERATOR.parse().unwrap()
}

fn keys(issuer: &Issuer) -> Keys {
    Keys::parse(issuer.jwks().to_string().as_bytes(), Kinds::Ours).unwrap()
}

fn claims() -> Value {
    let now = now_s();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": OPERATOR, "scope": "records:write records:read", "iat": now, "exp": now + 600})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn check(issuer: &Issuer, token: &str) -> Result<Grant, TokenError> {
    verify(token, &keys(issuer), ISSUER, AUDIENCE)
}

/// A token with any header over a body, with the signature of another token.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn kid(issuer: &Issuer) -> String {
    issuer.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_good_token_grants_its_scopes() {
    let issuer = Issuer::new();
    let grant = check(&issuer, &issuer.sign(&claims())).unwrap();
    let caller = Caller::new(Arc::new(grant));
    assert_eq!(caller.operator(), operator());
    assert!(caller.require("records:write").is_ok() && caller.require("records:read").is_ok());
    for scope in ["records", "records:", "records:write records:read", "", "write"] {
        assert!(caller.require(scope).is_err(), "{scope:?}");
    }
    assert!(caller.require_own(operator()).is_ok());
    assert!(caller.require_own("13013f29-b9df-4b82-ad28-e51596b7e0b5".parse().unwrap()).is_err());
    assert!(check(&issuer, &issuer.sign(&with("aud", json!(["other", AUDIENCE])))).is_ok());
}

#[test]
fn claims_are_needed_and_must_be_as_expected() {
    let issuer = Issuer::new();
    let now = now_s();
    let refused = |claims: Value| check(&issuer, &issuer.sign(&claims)).unwrap_err();
    for name in ["iss", "aud", "sub", "exp"] {
        assert!(matches!(refused(without(name)), TokenError::Claim(_)), "{name}");
    }
    assert_eq!(refused(with("iss", json!("https://issuer.dsom.test.evil"))), TokenError::Claim("iss"));
    assert_eq!(refused(with("aud", json!("other"))), TokenError::Claim("aud"));
    assert_eq!(refused(with("exp", json!(now - 61))), TokenError::Expired);
    assert_eq!(refused(with("nbf", json!(now + 70))), TokenError::NotYet);
    assert!(matches!(refused(with("sub", json!("admin"))), TokenError::Claim(_)));
    assert!(matches!(refused(with("scope", json!(["records:write"]))), TokenError::Claim(_)));
    assert!(matches!(refused(with("exp", json!("never"))), TokenError::Claim(_)));
    // Bound to something that is not known here: not a token of anybody's.
    assert_eq!(
        refused(with("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))),
        TokenError::Claim("cnf")
    );
    // Clocks may be a minute apart.
    assert!(check(&issuer, &issuer.sign(&with("exp", json!(now - 50)))).is_ok());
    assert!(check(&issuer, &issuer.sign(&with("nbf", json!(now + 50)))).is_ok());
    // No scope is no permission, not every permission.
    let caller = Caller::new(Arc::new(check(&issuer, &issuer.sign(&without("scope"))).unwrap()));
    assert!(caller.require("records:write").is_err());
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let issuer = Issuer::new();
    let good = issuer.sign(&claims());
    let signature = good.rsplit('.').next().unwrap();
    let kid = kid(&issuer);
    for alg in ["none", "None", "nOnE", "", "HS1024"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid});
        for signature in ["", signature] {
            assert_eq!(check(&issuer, &forged(&header, &claims(), signature)), Err(TokenError::Malformed), "{alg}");
        }
    }
    // Signed with the public key as if it were a shared secret.
    let x = issuer.jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    for secret in [x.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(&x).unwrap()] {
        let header = Header { kid: Some(kid.clone()), typ: Some("at+jwt".into()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(check(&issuer, &token), Err(TokenError::WrongAlgorithm));
    }
    for alg in ["ES256", "RS256", "PS512"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid});
        assert_eq!(check(&issuer, &forged(&header, &claims(), signature)), Err(TokenError::WrongAlgorithm), "{alg}");
    }
}

#[test]
fn the_key_is_the_issuers() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    assert_eq!(check(&issuer, &other.sign(&claims())), Err(TokenError::UnknownKey));
    let good = other.sign(&claims());
    let signature = good.rsplit('.').next().unwrap();
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid(&issuer), "jwk": other.jwks()["keys"][0],
        "jku": "https://evil.test/keys", "x5u": "https://evil.test/cert"});
    assert_eq!(check(&issuer, &forged(&header, &claims(), signature)), Err(TokenError::BadSignature));
    let header = json!({"alg": "EdDSA", "typ": "at+jwt"});
    assert_eq!(check(&issuer, &forged(&header, &claims(), signature)), Err(TokenError::UnknownKey));
    // Other claims under a good signature.
    let good = issuer.sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let claims = URL_SAFE_NO_PAD.encode(with("scope", json!("records:read records:admin")).to_string());
    assert_eq!(check(&issuer, &format!("{}.{claims}.{}", parts[0], parts[2])), Err(TokenError::BadSignature));
    assert!(check(&issuer, &format!("{}.{}.", parts[0], parts[1])).is_err());
}

#[test]
fn other_kinds_of_token_are_not_access_tokens() {
    let issuer = Issuer::new();
    let header = |typ: Value| json!({"alg": "EdDSA", "kid": kid(&issuer), "typ": typ});
    for typ in ["dsom-receipt+jwt", "logout+jwt", "JWT", "jwt", "", "at+jwt "] {
        assert_eq!(check(&issuer, &forged(&header(json!(typ)), &claims(), "AA")), Err(TokenError::WrongType), "{typ}");
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert_ne!(check(&issuer, &forged(&header(json!(typ)), &claims(), "AA")), Err(TokenError::WrongType), "{typ}");
    }
    let critical = json!({"alg": "EdDSA", "kid": kid(&issuer), "typ": "at+jwt", "crit": ["b64"], "b64": false});
    assert_eq!(check(&issuer, &forged(&critical, &claims(), "AA")), Err(TokenError::Critical));
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = Issuer::new();
    for token in ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "e30.e30", "\u{e9}.\u{e9}.\u{e9}"] {
        assert!(check(&issuer, token).is_err(), "{token:?}");
    }
    let good = issuer.sign(&claims());
    for token in [format!("{good}.x"), format!("x.{good}"), format!("{good}="), format!(" {good}")] {
        assert!(check(&issuer, &token).is_err(), "{token}");
    }
    let large = issuer.sign(&with("padding", json!("x".repeat(9_000))));
    assert_eq!(check(&issuer, &large), Err(TokenError::TooBig));
}

#[test]
fn only_keys_for_signatures_are_taken() {
    let mut jwks = Issuer::new().jwks();
    let parse = |jwks: &Value| Keys::parse(jwks.to_string().as_bytes(), Kinds::Ours);
    assert_eq!(parse(&jwks).unwrap().len(), 1);
    let good = jwks["keys"][0].clone();
    for (name, value) in [("use", json!("enc")), ("alg", json!("ES256")), ("crv", json!("Ed448")), ("kid", Value::Null)]
    {
        jwks["keys"][0] = good.clone();
        jwks["keys"][0][name] = value;
        assert!(parse(&jwks).is_err(), "{name}");
    }
    jwks["keys"] = json!([good, {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}]);
    assert_eq!(parse(&jwks).unwrap().len(), 1);
    jwks["keys"] = json!([good, good]);
    assert!(matches!(parse(&jwks), Err(KeysError::Twice(_))));
    assert!(matches!(Keys::parse(&vec![b' '; 300_000], Kinds::Ours), Err(KeysError::TooBig)));
    assert!(matches!(Keys::parse(b"{}", Kinds::Ours), Err(KeysError::Json(_))));
}

#[test]
fn p256_tokens_are_taken() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let random = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks =
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "p", "x": part(&point[1..33]), "y": part(&point[33..])}]});
    let keys = Keys::parse(jwks.to_string().as_bytes(), Kinds::Ours).unwrap();
    let header = Header { kid: Some("p".into()), typ: Some("at+jwt".into()), ..Header::new(Algorithm::ES256) };
    let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_ec_der(pkcs8.as_ref())).unwrap();
    assert!(verify(&token, &keys, ISSUER, AUDIENCE).is_ok());
}

#[tokio::test]
async fn tokens_are_remembered_until_their_key_is_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let (old, new) = (Issuer::new(), Issuer::new());
    old.write_jwks(&path);
    let config = AuthConfig {
        jwks: path.to_str().unwrap().to_owned(),
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
        client_cert: ClientCert::Ignore,
    };
    let auth = Auth::start(&config, None).await.unwrap();
    let (of_old, of_new) = (old.token(operator(), "records:write"), new.token(operator(), "records:write"));
    auth.check(&of_old).await.unwrap();
    assert!(auth.remembered(&of_old).is_some());
    assert!(auth.remembered(&of_old[1..]).is_none());

    let began = Instant::now();
    for _ in 0..10_000 {
        assert!(auth.remembered(&of_old).is_some());
    }
    println!("a remembered token is checked in {:?}", began.elapsed() / 10_000);

    // The new key is found because a token names it, at once.
    new.write_jwks(&path);
    auth.check(&of_new).await.unwrap();
    assert!(auth.remembered(&of_old).is_none());
    assert_eq!(auth.check(&of_old).await.unwrap_err(), TokenError::UnknownKey);
    // A broken file leaves the keys as they are.
    std::fs::write(&path, "{").unwrap();
    auth.checker.reload().await;
    assert!(auth.check(&of_new).await.is_ok());
}

#[tokio::test]
async fn the_memory_of_tokens_is_bounded_and_forgets_what_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let issuer = Issuer::new();
    issuer.write_jwks(&path);
    let config = AuthConfig {
        jwks: path.to_str().unwrap().to_owned(),
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
        client_cert: ClientCert::Ignore,
    };
    let auth = Auth::start(&config, None).await.unwrap();
    let fill = |ends_s: u64| {
        let mut cache = auth.checker.cache.write().unwrap();
        cache.clear();
        for n in 0..CACHED_MAX {
            let grant = Grant {
                operator: operator(),
                scopes: "".into(),
                client_key: None,
                client_id: None,
                issued_s: 0,
                bound: None,
                ends_s: ends_s + (n as u64 % 2) * 1_000,
            };
            cache.insert(n.to_string().into(), Arc::new(grant));
        }
    };
    fill(now_s());
    assert!(auth.remembered("0").is_none(), "over");
    assert!(auth.remembered("1").is_some());
    auth.check(&issuer.token(operator(), "a")).await.unwrap();
    assert_eq!(auth.checker.cache.read().unwrap().len(), CACHED_MAX / 2 + 1, "what is over went");
    fill(now_s() + 1_000);
    auth.check(&issuer.token(operator(), "b")).await.unwrap();
    assert_eq!(auth.checker.cache.read().unwrap().len(), 1, "nothing is over: all goes");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_said_by_name() {
    let config = AuthConfig {
        jwks: "/nowhere/jwks.json".to_owned(),
        token_issuer: String::new(),
        token_audience: String::new(),
        client_cert: ClientCert::Ignore,
    };
    let error = Auth::start(&config, None).await.err().unwrap();
    assert!(error.to_string().contains("/nowhere/jwks.json"));
}
