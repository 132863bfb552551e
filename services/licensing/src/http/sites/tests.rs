//! The routes of the list, with people whose tokens are checked.

mod answers;
mod public;
mod speed;
mod writes;

use std::sync::LazyLock;

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::{App, test};
use bytes::Bytes;
use runtime::people::{OidcConfig, People};
use runtime::rates::Rates;
use serde_json::{Value, json};
use testkit::{AUDIENCE, Answers, Exchanged, ISSUER, Issuer};
use uuid::Uuid;

use super::configure;
use crate::actors::sites::ListAccess;
use crate::actors::sites::tests::World;
use crate::http::WriteRates;

/// SHA-256 of nothing that matters.
const HASH: &str = "jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0=";

/// What the document says.
static DOCUMENTED: LazyLock<Answers> = LazyLock::new(|| Answers::of("licensing"));

/// The routes over a list of its own.
struct Site {
    world: World,
    list: ListAccess,
    issuer: Issuer,
    people: std::sync::Arc<People>,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", self.body))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }

    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{:?}", self.body);
        self.json()
    }
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (issuer, jwks) = (Issuer::new(), dir.path().join("people.json"));
        issuer.write_jwks(&jwks);
        let config = OidcConfig {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            jwks: Some(jwks.display().to_string()),
            roles_claim: "roles".into(),
            roles: String::new(),
        };
        let people = People::start(&config).await.expect("starts");
        let world = World::new();
        let list = world.start().await;
        Self { world, list, issuer, people, _dir: dir }
    }

    fn token(&self, sub: &str, role: &str) -> String {
        let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let now_s = passed.as_secs();
        self.issuer.sign(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": sub, "roles": [role], "iat": now_s, "exp": now_s + 600,
        }))
    }

    /// The answer, which is held against the document.
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let answer = self.exchange(method.clone(), path, headers, body).await;
        let media = answer.headers.get("content-type").map(|media| media.to_str().expect("text"));
        let (method, status) = (method.as_str(), answer.status);
        DOCUMENTED.hold(Exchanged { method, path, sent: body, status, media, body: &answer.body });
        answer
    }

    async fn exchange(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let list = self.list.clone();
        let writes: WriteRates = std::sync::Arc::new(Rates::new("changes", 1, 1));
        let app = App::new()
            .app_data(std::sync::Arc::clone(&self.people))
            .app_data(writes)
            .configure(move |routes| configure(routes, list));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::with_uri(path).method(method);
        for header in headers {
            request = request.append_header(*header);
        }
        if let Some(body) = body {
            request = request.append_header(("content-type", "application/json")).set_payload(body.to_string());
        }
        let answer = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: to_bytes(answer.into_body()).await.expect("a body") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// As a clerk with the list's version of now.
    async fn post(&self, who: &str, path: &str, body: Option<&Value>) -> Answer {
        let (token, version) = (self.token(who, "clerk"), self.list.shown().sites.head().version);
        let (bearer, tag) = (format!("Bearer {token}"), format!("\"{version}\""));
        self.send(Method::POST, path, &[("authorization", &bearer), ("if-match", &tag)], body).await
    }

    async fn read(&self, who: &str, role: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token(who, role));
        self.send(Method::GET, path, &[("authorization", &bearer)], None).await
    }

    /// Proposes as one clerk and confirms as another.
    async fn carry_out(&self, body: &Value) {
        let answer = self.post("ann", "/v1/sites/proposals", Some(body)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let confirmation = format!("/v1/sites/proposals/{}/confirmation", body["id"].as_str().expect("an id"));
        let answer = self.post("bob", &confirmation, None).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}

fn form(blocks: Value, lifts: Value) -> Value {
    let ground = json!({"law": "Law 768-IX, art. 16", "document": "R-101", "document_hash": HASH});
    json!({"id": Uuid::new_v4(), "ground": ground, "blocks": blocks, "lifts": lifts})
}

fn block(site: &str) -> Value {
    let evidence = json!({"text": "takes bets without a licence", "reference": "case 17/2026", "hash": HASH});
    json!({"site": site, "evidence": evidence, "blocked_from": "2026-11-23"})
}

fn blocks(sites: &[&str]) -> Value {
    form(sites.iter().map(|site| block(site)).collect(), json!([]))
}

fn lift(site: &str) -> Value {
    form(json!([]), json!([{"site": site, "reason": "the court said so"}]))
}

/// A path segment.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
