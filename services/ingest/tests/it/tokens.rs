//! Who may call: every route of the OpenAPI document without a token, with bad ones, and with another operator's.

use std::time::{SystemTime, UNIX_EPOCH};

use runtime::auth::ClientCert;
use serde_json::{Value, json};
use testkit::{AUDIENCE, ISSUER, Issuer};

use crate::world::{Answer, World, records};

/// Served without a token, on purpose.
const OPEN: &[&str] = &["/v1/receipt-keys"];

#[actix_rt::test]
async fn every_route_needs_a_good_token_unless_it_is_listed() {
    // The sandbox has every route.
    let world = World::sandbox();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let document: Value = world
        .http
        .get(format!("{}/openapi.json", ingest.url))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let good = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": operator.id, "scope": "records:write records:read",
        "iat": now, "nbf": now - 5, "exp": now + 600,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        Some(world.issuer.sign(&claims))
    };
    let tokens = [
        (401, "none", None),
        (401, "not a token", Some("x.y.z".into())),
        (401, "of another key", Some(Issuer::new().sign(&good))),
        (401, "expired", with("exp", json!(now - 120))),
        (401, "not yet valid", with("nbf", json!(now + 600))),
        (401, "of another issuer", with("iss", json!("https://elsewhere.test"))),
        (401, "for another audience", with("aud", json!("elsewhere"))),
        (401, "of nobody", with("sub", json!("admin"))),
        (403, "without the scope", with("scope", json!("records:writer other"))),
    ];
    let mut routes = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            routes += 1;
            let url = format!("{}{}", ingest.url, path.replace("{stream}", "0"));
            for (status, what, token) in &tokens {
                let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                let mut request = world.http.request(method, &url).header("Content-Type", "application/x-ndjson");
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = Answer::to(request.body(records(1..2).join(""))).await;
                if OPEN.contains(&path.as_str()) {
                    assert_eq!(answer.status, 200, "{path} {what}");
                } else {
                    assert_eq!(answer.status, *status, "{path} {what}: {}", answer.body);
                }
            }
        }
    }
    assert_eq!(routes, 5);
    assert!(world.frames(operator.id, 0).await.is_empty());
}

#[actix_rt::test]
async fn an_operator_writes_to_its_own_streams_only() {
    let world = World::new();
    let (ingest, one, two) = (world.ingest("a").await, world.operator(), world.operator());
    let lines = records(1..4);
    // The same bytes under two tokens are two streams: the operator is the token's, never the body's or the path's.
    assert_eq!(one.send(&ingest, 0, &lines).await.status, 201);
    assert_eq!(two.send(&ingest, 0, &lines).await.status, 201);
    assert_eq!(one.send(&ingest, 0, &records(4..5)).await.status, 201);
    assert_eq!(two.receipt(&ingest, 0, 4).await.code(), (404, "not-found"));
    assert_eq!((world.records(one.id, 0).await.len(), world.records(two.id, 0).await.len()), (4, 3));
    // Who may only read can't write, who may only write sees nothing.
    let reader = crate::world::Operator { token: world.issuer.token(one.id, "records:read"), ..one.clone() };
    assert_eq!(reader.send(&ingest, 0, &records(5..6)).await.code(), (403, "forbidden"));
    assert_eq!(reader.get(&ingest, "/v1/streams").await.status, 200);
    let writer = crate::world::Operator { token: world.issuer.token(one.id, "records:write"), ..one };
    for path in ["/v1/streams", "/v1/receipts?stream=0&seq=1"] {
        assert_eq!(writer.get(&ingest, path).await.code(), (403, "forbidden"), "{path}");
        assert_eq!(reader.get(&ingest, path).await.status, 200, "{path}");
    }
}

#[actix_rt::test]
async fn every_path_knows_its_methods() {
    let world = World::sandbox();
    testkit::every_path_knows_its_methods(world.ingest("a").await.running.addr()).await;
}

/// The certificates of RFC 8705 appendix A and RFC 9440 appendix A, as a proxy hands them on; and the thumbprint of the first, which the
/// former RFC gives.
const BOUND: &str = ":MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=:";
const THUMBPRINT: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
const OTHER: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

#[actix_rt::test]
async fn a_bound_token_is_good_with_its_certificate_alone() {
    let world = World::new();
    let header = ingest::config::Config { client_cert: ClientCert::Header, ..world.config("header") };
    let (header, ignore) = (world.ingest_with(header).await, world.ingest("ignore").await);
    let operator = world.operator();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": operator.id, "scope": "records:read", "iat": now, "exp": now + 600,
    });
    let plain = world.issuer.sign(&claims);
    claims["cnf"] = json!({"x5t#S256": THUMBPRINT});
    let bound = world.issuer.sign(&claims);
    let get = async |ingest: &crate::world::Ingest, token: &str, certificates: &[&str]| {
        let mut request = world.http.get(format!("{}/v1/streams", ingest.url)).bearer_auth(token);
        for certificate in certificates {
            request = request.header("client-cert", *certificate);
        }
        let answer = Answer::to(request).await;
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), text("code"), text("reason"))
    };
    let refused = |status: u16, code: &str, reason: &str| (status, code.to_owned(), reason.to_owned());
    let long = format!(":{}:", "A".repeat(9_000));
    // Twice: the first time it is checked, then it is remembered.
    for _ in 0..2 {
        assert_eq!(get(&header, &bound, &[BOUND]).await.0, 200);
        assert_eq!(get(&header, &bound, &[OTHER]).await, refused(401, "unauthorized", "certificate-other"));
        assert_eq!(get(&header, &bound, &[]).await, refused(401, "unauthorized", "certificate-missing"));
        for bad in [&[BOUND, BOUND][..], &[":not base64:"], &["MIIB"], &[&long]] {
            assert_eq!(get(&header, &bound, bad).await, refused(400, "bad-request", ""), "{bad:.40?}");
        }
        // Who is not told the client's certificate can't check it.
        for certificates in [&[BOUND][..], &[]] {
            let answer = get(&ignore, &bound, certificates).await;
            assert_eq!(answer, refused(401, "unauthorized", "certificate-not-checked"));
        }
        for certificates in [&[][..], &[OTHER], &["x", "y"]] {
            assert_eq!(get(&header, &plain, certificates).await.0, 200, "nothing is asked of an unbound token");
            assert_eq!(get(&ignore, &plain, certificates).await.0, 200);
        }
    }
}
