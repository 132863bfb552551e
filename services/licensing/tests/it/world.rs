//! A nats-server, an OpenID Connect issuer of people, licensing processes, clerks, and an operator with keys.

use std::num::NonZeroU8;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::{Bus, BusConfig};
use contracts::OperatorId;
use contracts::registry::Env;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use licensing::config::Config;
use licensing::domain::operator::keys::PublicJwk;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::people::OidcConfig;
use serde_json::{Value, json};
use testkit::{AUDIENCE, Answers, CqlKeyspace, Exchanged, ISSUER, Issuer, NatsServer};

/// The issuer of tokens: fixed, whatever port the process listens on.
pub const TOKEN_ISSUER: &str = "https://licensing.dsom.test";
/// `aud` of the market's tokens.
pub const LIVE_AUDIENCE: &str = "dsom";

/// What every service has beside its document.
const OPERATIONAL: &[&str] = &["/readyz"];

/// What the document says.
static DOCUMENTED: LazyLock<Answers> = LazyLock::new(|| Answers::of("licensing"));

pub struct World {
    /// Where the register is; `None`: on the embedded engine.
    pub cql: Option<CqlKeyspace>,
    pub nats: NatsServer,
    pub people: Issuer,
    pub dir: tempfile::TempDir,
    pub http: reqwest::Client,
    pub conformance: SigningKey,
}

pub struct Licensing {
    pub url: String,
    pub running: licensing::Running,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{self:?}");
    }
}

pub fn new_key() -> SigningKey {
    SigningKey::from_bytes(&rand::random())
}

pub fn jwk_of(key: &SigningKey) -> PublicJwk {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x, y: None }
}

pub fn jws(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes()))
}

pub fn now_s() -> i64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    passed.as_secs() as i64
}

/// A moment so many seconds from now.
pub fn moment(seconds: i64) -> String {
    contracts::UnixMillis((now_s() + seconds) * 1000).to_string()
}

/// An EDRPOU code with a good check digit.
pub fn edrpou() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1_000_000);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let digits: Vec<u32> = format!("{n:07}").bytes().map(|byte| u32::from(byte - b'0')).collect();
    let weigh = |from: u32| digits.iter().zip(from..).map(|(digit, weight)| digit * weight).sum::<u32>() % 11;
    let check = if weigh(1) < 10 { weigh(1) } else { weigh(3) % 10 };
    format!("{n:07}{check}")
}

impl World {
    /// With the register on a CQL server, where there is one.
    pub fn on_cql() -> Option<Self> {
        let cql = CqlKeyspace::new()?;
        Some(Self { cql: Some(cql), ..Self::new() })
    }

    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let people = Issuer::new();
        people.write_jwks(&dir.path().join("people.json"));
        for name in ["token", "test-token"] {
            let pem = new_key().to_pkcs8_pem(Default::default()).expect("a PEM");
            std::fs::write(dir.path().join(format!("{name}.pem")), pem).expect("writes");
        }
        let conformance = new_key();
        let set = json!({"keys": [jwk_of(&conformance)]});
        std::fs::write(dir.path().join("conformance.json"), set.to_string()).expect("writes");
        Self { cql: None, nats: NatsServer::start(), people, dir, http: reqwest::Client::new(), conformance }
    }

    pub fn config(&self) -> Config {
        let path = |name: &str| self.dir.path().join(name);
        Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            nats_url: self.nats.url(),
            nats_monitor_url: self.nats.monitor_url(),
            nats_replicas: NonZeroU8::MIN,
            nats_nkey_file: None,
            store: self.cql.as_ref().map(|cql| (**cql).clone()).unwrap_or_default(),
            data_dir: self.cql.is_none().then(|| path("data")),
            issuer: TOKEN_ISSUER.into(),
            token_audience: LIVE_AUDIENCE.into(),
            client_cert: Default::default(),
            token_key: path("token.pem"),
            token_keys_beside: String::new(),
            test_token_audience: "dsom-test".into(),
            test_token_key: path("test-token.pem"),
            conformance_jwks: Some(path("conformance.json")),
            oidc: Some(OidcConfig {
                issuer: ISSUER.into(),
                audience: AUDIENCE.into(),
                jwks: Some(path("people.json").display().to_string()),
                roles_claim: "roles".into(),
                roles: String::new(),
            }),
            time_zone: "Europe/Kyiv".into(),
            holidays: String::new(),
            rpz_origin: "rpz.example.ua".into(),
            rpz_server: "ns.example.ua".into(),
            rpz_contact: "hostmaster.example.ua".into(),
            rpz_garden: None,
            conformance_checklists: "dsom.conformance.v1".into(),
            conformance_issuers: "https://conformance.test".into(),
            client_tokens_per_s_max: 20,
            client_tokens_burst_max: 100,
            author_writes_per_s_max: 10,
            author_writes_burst_max: 100,
            proposal_hours: 72,
        }
    }

    pub async fn licensing(&self) -> Licensing {
        self.licensing_with(self.config()).await
    }

    pub async fn licensing_with(&self, config: Config) -> Licensing {
        let running = licensing::start(config).await.expect("starts");
        Licensing { url: format!("http://{}", running.addr()), running }
    }

    /// A token of a person.
    pub fn person(&self, sub: &str, role: &str) -> String {
        self.people.sign(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": sub, "roles": [role], "iat": now_s(), "exp": now_s() + 600,
        }))
    }

    pub async fn bus(&self) -> Bus {
        let config = BusConfig {
            url: self.nats.url(),
            monitor_url: self.nats.monitor_url(),
            replicas: NonZeroU8::MIN,
            name: "test".into(),
            login: None,
        };
        Bus::connect(config).await.expect("connects")
    }

    pub async fn send(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }
}

/// The answer to a request, which is held against the document.
pub async fn answer(request: RequestBuilder) -> Answer {
    let (http, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let sent: Option<Value> = request.body().and_then(|body| serde_json::from_slice(body.as_bytes()?).ok());
    let answer = http.execute(request).await.expect("answers");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.expect("a body");
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
    if !OPERATIONAL.contains(&&*path) {
        let (method, path, status, media) = (method.as_str(), &*path, status.as_u16(), header("content-type"));
        DOCUMENTED.hold(Exchanged { method, path, sent: sent.as_ref(), status, media, body: &body });
    }
    let etag = header("etag").map(str::to_owned);
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    Answer { status, etag, body: serde_json::from_slice(&body).unwrap_or_else(|_| text()), headers }
}

/// An operator under the hands of two clerks.
pub struct Case<'a> {
    pub world: &'a World,
    pub url: String,
    pub id: OperatorId,
    pub edrpou: String,
    pub tag: String,
    pub live: SigningKey,
    pub test: SigningKey,
}

impl<'a> Case<'a> {
    pub fn new(world: &'a World, licensing: &Licensing) -> Self {
        let id = OperatorId::new(uuid::Uuid::new_v4()).expect("not nil");
        let (live, test) = (new_key(), new_key());
        Self { world, url: licensing.url.clone(), id, edrpou: edrpou(), tag: String::new(), live, test }
    }

    pub fn entity(&self) -> Value {
        json!({
            "edrpou": self.edrpou, "name": "ТОВ «Приклад»", "brands": ["Example"], "address": "Київ, вул. Прикладна, 1",
            "email": "compliance@example.ua",
        })
    }

    pub fn path(&self, rest: &str) -> String {
        format!("{}/v1/operators/{}{rest}", self.url, self.id)
    }

    pub async fn register(&mut self) -> Value {
        let token = self.world.person("clerk-1", "clerk");
        let answer = self.world.send(Method::PUT, &self.path(""), Some(&token), None, Some(&self.entity())).await;
        self.took(answer)
    }

    #[track_caller]
    fn took(&mut self, answer: Answer) -> Value {
        self.tag = answer.etag.clone().unwrap_or_default();
        answer.ok()
    }

    /// A POST by a clerk with the latest tag.
    pub async fn try_post(&self, by: &str, rest: &str, body: Option<&Value>) -> Answer {
        let token = self.world.person(by, "clerk");
        self.world.send(Method::POST, &self.path(rest), Some(&token), Some(&self.tag), body).await
    }

    pub async fn post(&mut self, by: &str, rest: &str, body: Option<&Value>) -> Value {
        let answer = self.try_post(by, rest, body).await;
        self.took(answer)
    }

    pub fn proposal(decision: &Value) -> Value {
        json!({
            "id": uuid::Uuid::new_v4(), "decision": decision,
            "ground": {"law": "ст. 14", "document": "наказ 7", "document_hash": contracts::Hash([7; 32])},
        })
    }

    /// Proposed by one clerk and confirmed by another.
    pub async fn decide(&mut self, decision: Value) -> Value {
        let proposal = Self::proposal(&decision);
        self.post("clerk-1", "/proposals", Some(&proposal)).await;
        let id = proposal["id"].as_str().expect("an id").to_owned();
        self.post("clerk-2", &format!("/proposals/{id}/confirmation"), None).await
    }

    pub fn add_key(&self, key: &SigningKey, env: Env) -> Value {
        let jwk = jwk_of(key);
        let claims = json!({
            "sub": self.id, "aud": TOKEN_ISSUER, "jkt": jwk.thumbprint(), "env": env, "iat": now_s(),
        });
        let proof = jws(key, &json!({"alg": "Ed25519", "typ": "dsom-pop+jwt"}), &claims);
        json!({
            "type": "add_key", "jwk": jwk, "env": env, "not_before": moment(-60), "expires": moment(86_400), "proof": proof,
        })
    }

    /// From nothing to a licence in the register.
    pub async fn license(&mut self, kind: &str) -> Value {
        self.register().await;
        self.post("clerk-1", "/licences", Some(&json!({"kind": kind, "places": {"domains": ["example.ua"]}}))).await;
        self.post("clerk-1", "/licences/1/steps", Some(&json!({"type": "review"}))).await;
        self.decide(json!({"type": "approve", "licence": 1})).await;
        let fee = json!({"type": "bill", "fee": {"amount": 2_347_000_000_u64, "currency": "UAH"}});
        self.post("clerk-1", "/licences/1/steps", Some(&fee)).await;
        let paid = json!({"type": "pay", "paid_at": moment(-1), "document": "платіж 1"});
        self.post("clerk-1", "/licences/1/steps", Some(&paid)).await;
        let number = format!("Л-{}", self.edrpou);
        self.decide(json!({"type": "activate", "licence": 1, "number": number, "expires": moment(86_400 * 1_826)}))
            .await
    }

    /// On to the market.
    pub async fn go_live(&mut self) -> Value {
        self.license("betting").await;
        let (live, test) = (self.add_key(&self.live, Env::Live), self.add_key(&self.test, Env::Test));
        self.decide(live).await;
        self.decide(test).await;
        let certificate = self.certificate("passed");
        self.post("clerk-1", "/certificates", Some(&json!({"certificate": certificate}))).await;
        self.decide(json!({"type": "go_live"})).await
    }

    pub fn certificate(&self, result: &str) -> String {
        self.certificate_of("dsom.conformance.v1", result)
    }

    /// A certificate of a list of checks.
    pub fn certificate_of(&self, checklist: &str, result: &str) -> String {
        let kid = jwk_of(&self.world.conformance).thumbprint();
        let header = json!({"alg": "EdDSA", "typ": "dsom-conformance+jwt", "kid": kid});
        let checks = ["formats", "gaps", "retries", "rewrite-refusal", "clock", "rate", "rotation"];
        let claims = json!({
            "iss": "https://conformance.test", "sub": self.id, "iat": now_s(), "env": "test", "result": result,
            "checklist": checklist, "rate": 50, "rate_s": 20,
            "checks": checks.map(|id| json!({"id": id, "result": "passed"})),
        });
        jws(&self.world.conformance, &header, &claims)
    }

    pub fn client_id(&self, env: Env) -> String {
        format!("dsom_{}_{}", if env == Env::Live { "live" } else { "test" }, self.id)
    }

    /// The claims of a good assertion.
    pub fn claims(&self, env: Env) -> Value {
        let client = self.client_id(env);
        json!({
            "iss": client, "sub": client, "aud": TOKEN_ISSUER, "iat": now_s(), "exp": now_s() + 60, "jti": uuid::Uuid::new_v4(),
        })
    }

    pub fn header(key: &SigningKey) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": jwk_of(key).thumbprint()})
    }

    pub fn assertion(&self, env: Env) -> String {
        let key = if env == Env::Live { &self.live } else { &self.test };
        jws(key, &Self::header(key), &self.claims(env))
    }

    pub async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        answer(self.world.http.post(format!("{}/oauth2/token", self.url)).form(form)).await
    }

    /// Asks for a token with an assertion.
    pub async fn token(&self, assertion: &str) -> Answer {
        self.ask(&form(assertion)).await
    }
}

/// The form of a good request.
pub fn form(assertion: &str) -> [(&'static str, &str); 3] {
    [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ]
}
