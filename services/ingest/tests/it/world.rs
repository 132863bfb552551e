//! A nats-server, an issuer of tokens, ingest processes, and an operator who sends.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use bus::{Answering, Bus, BusConfig};
use bytes::Bytes;
use contracts::ask::FramesAnswer;
use contracts::frame::{Frame, Unpacker};
use contracts::receipt::{Claims, Env, Receipt};
use contracts::{Hash, OperatorId, StreamNo, UnixMillis, subjects};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use testkit::{AUDIENCE, Answers, Exchanged, ISSUER, Issuer, NatsServer, register};

/// `iss` of receipts.
pub const RECEIPT_ISSUER: &str = "https://receipts.dsom.test";
/// The PEM of RFC 8410, section 10.3.
const RECEIPT_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

/// Operators that a test can have.
const OPERATORS: usize = 4;

/// What the document says.
static DOCUMENTED: LazyLock<Answers> = LazyLock::new(|| Answers::of("ingest"));

/// What all ingest processes of a test share.
pub struct World {
    pub nats: NatsServer,
    /// In a sandbox: the broker of the market, where the register is.
    market: Option<NatsServer>,
    pub issuer: Issuer,
    pub dir: tempfile::TempDir,
    pub http: reqwest::Client,
    /// Operators of the register whom no test has used yet.
    fresh: Vec<OperatorId>,
    used: AtomicUsize,
    told: tokio::sync::OnceCell<()>,
    /// Who answers for chaining that nothing is sealed, as long as a test has no chaining of its own.
    chaining: Mutex<Option<Answering>>,
    answers: tokio::sync::OnceCell<()>,
}

/// One ingest process, started in the test's own.
pub struct Ingest {
    pub url: String,
    pub running: ingest::Running,
    env: Env,
}

/// Who sends.
#[derive(Clone)]
pub struct Operator {
    pub id: OperatorId,
    pub token: String,
    pub http: reqwest::Client,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<u64>,
    pub body: Value,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let issuer = Issuer::new();
        issuer.write_jwks(&dir.path().join("jwks.json"));
        std::fs::write(dir.path().join("receipt.pem"), RECEIPT_KEY).expect("writes");
        let fresh = (0..OPERATORS).map(|_| OperatorId::new(uuid::Uuid::new_v4()).expect("not nil")).collect();
        let (nats, http) = (NatsServer::start(), reqwest::Client::new());
        Self {
            nats,
            market: None,
            issuer,
            dir,
            http,
            fresh,
            used: AtomicUsize::new(0),
            told: Default::default(),
            chaining: Mutex::default(),
            answers: Default::default(),
        }
    }

    /// A sandbox: the register is on another broker.
    pub fn sandbox() -> Self {
        Self { market: Some(NatsServer::start()), ..Self::new() }
    }

    /// The configuration of the process `name`, which has an index of its own.
    pub fn config(&self, name: &str) -> ingest::config::Config {
        ingest::config::Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            nats_url: self.nats.url(),
            nats_monitor_url: self.nats.monitor_url(),
            nats_replicas: NonZeroU8::MIN,
            nats_nkey_file: None,
            registry_nats_url: self.market.as_ref().map(NatsServer::url),
            registry_nats_monitor_url: self.market.as_ref().map(NatsServer::monitor_url),
            registry_nats_nkey_file: None,
            store: Default::default(),
            data_dir: Some(self.data_dir(name)),
            jwks: self.dir.path().join("jwks.json").display().to_string(),
            token_issuer: ISSUER.into(),
            token_audience: AUDIENCE.into(),
            client_cert: Default::default(),
            receipt_key: self.dir.path().join("receipt.pem"),
            receipt_keys_beside: String::new(),
            receipt_issuer: RECEIPT_ISSUER.into(),
            env: if self.market.is_some() { Env::Test } else { Env::Live },
            oidc: None,
            memory_bytes_max: 64 << 20,
            registry_age_s_max: 30,
            registry_stale: Default::default(),
            operator_records_per_s_max: None,
        }
    }

    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub async fn ingest(&self, name: &str) -> Ingest {
        self.ingest_with(self.config(name)).await
    }

    pub async fn ingest_with(&self, config: ingest::config::Config) -> Ingest {
        self.tell().await;
        self.ingest_untold(config).await
    }

    /// As [`Self::ingest_with`], with nobody on the register but whom the test puts there.
    pub async fn ingest_untold(&self, config: ingest::config::Config) -> Ingest {
        self.let_chaining_answer().await;
        let env = config.env;
        let running = ingest::start(config).await.expect("starts");
        Ingest { url: format!("http://{}", running.addr()), running, env }
    }

    /// Lets chaining answer that nothing is sealed, until a test has it silent.
    async fn let_chaining_answer(&self) {
        let begin = async || {
            let nothing = FramesAnswer { sealed_through: 0, frames: Vec::new() }.encode();
            let answer = move |_: Bytes| std::future::ready(Ok(nothing.clone()));
            let bus = self.bus().await;
            *self.chaining.lock().expect("one thread") = Some(bus.answer(subjects::ASK_FRAMES, answer));
            let asked = || bus.ask(subjects::ASK_FRAMES, Bytes::new(), Duration::from_secs(1));
            eventually("chaining to answer", || async { asked().await.ok() }).await;
        };
        self.answers.get_or_init(begin).await;
    }

    /// From now on chaining does not answer, unless the test does.
    pub fn without_chaining(&self) {
        *self.chaining.lock().expect("one thread") = None;
    }

    /// Puts the operators of the world and those of the data set on the register, once.
    pub async fn tell(&self) {
        self.let_chaining_answer().await;
        let tell = async || {
            let with_data = testkit::data_files().into_iter().map(|file| file.operator);
            let standings: Vec<_> = self.fresh.iter().copied().chain(with_data).map(register::standing).collect();
            register::publish(self.market.as_ref().unwrap_or(&self.nats), &standings).await;
        };
        self.told.get_or_init(tell).await;
    }

    /// An operator of the register that has sent nothing yet.
    pub fn operator(&self) -> Operator {
        self.operator_of(self.fresh[self.used.fetch_add(1, Ordering::Relaxed)])
    }

    pub fn operators(&self) -> &[OperatorId] {
        &self.fresh
    }

    pub fn operator_of(&self, id: OperatorId) -> Operator {
        Operator { id, token: self.issuer.token(id, "records:write records:read"), http: self.http.clone() }
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

    /// All frames of a stream that rest on `TX`, in order.
    pub async fn frames(&self, operator: OperatorId, stream: u8) -> Vec<Frame> {
        let (bus, subject) = (self.bus().await, subjects::tx(operator, StreamNo(stream)));
        let (mut frames, mut place) = (Vec::new(), 1);
        while let Some(message) = bus.next_of(subjects::TX, &subject, place).await.expect("reads") {
            place = message.seq + 1;
            frames.push(Frame::decode(&message.payload).expect("a frame"));
        }
        frames
    }

    /// All records of a stream that rest on `TX`; fails unless they are gapless from 1.
    pub async fn records(&self, operator: OperatorId, stream: u8) -> Vec<Vec<u8>> {
        let (mut records, mut unpacker) = (Vec::new(), Unpacker::new().expect("memory"));
        for frame in self.frames(operator, stream).await {
            assert_eq!(frame.first_seq().get(), records.len() as u64 + 1, "no hole, nothing twice");
            for part in frame.parts() {
                records.extend(unpacker.unpack(part).expect("unpacks").map(<[u8]>::to_vec));
            }
            assert_eq!(frame.last_seq(), records.len() as u64);
        }
        records
    }
}

impl Operator {
    /// Sends lines as NDJSON.
    pub async fn send(&self, to: &Ingest, stream: u8, lines: &[String]) -> Answer {
        self.post(to, stream, "application/x-ndjson", &[], lines.join("\n")).await
    }

    pub async fn post(
        &self,
        to: &Ingest,
        stream: u8,
        media: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.http.post(format!("{}/v1/streams/{stream}/batches", to.url)).bearer_auth(&self.token);
        request = request.header(CONTENT_TYPE, media);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(request.body(body)).await
    }

    pub async fn get(&self, to: &Ingest, path: &str) -> Answer {
        Answer::to(self.http.get(format!("{}{path}", to.url)).bearer_auth(&self.token)).await
    }

    pub async fn receipt(&self, to: &Ingest, stream: u8, seq: u64) -> Answer {
        self.get(to, &format!("/v1/receipts?stream={stream}&seq={seq}")).await
    }
}

impl Answer {
    /// The answer to a request, which is held against the document.
    pub async fn to(request: RequestBuilder) -> Self {
        let (http, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = http.execute(request).await.expect("an answer");
        let status = response.status();
        let media = response.headers().get(CONTENT_TYPE).map(|v| v.to_str().expect("text").to_owned());
        let request_id = response.headers().get("x-request-id").map(|v| v.to_str().expect("text").to_owned());
        let retry_after =
            response.headers().get("retry-after").map(|v| v.to_str().expect("text").parse().expect("seconds"));
        let bytes = response.bytes().await.expect("a body");
        let (method, path, media_type) = (method.as_str(), &*path, media.as_deref());
        let exchanged =
            Exchanged { method, path, sent: None, status: status.as_u16(), media: media_type, body: &bytes };
        DOCUMENTED.hold(exchanged);
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(media.as_deref(), Some("application/problem+json"), "{status} {body}");
            assert_eq!(body["status"], status.as_u16());
            assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().expect("a code")));
            assert_eq!(body["request_id"], request_id.expect("an id"));
            assert!(["same-bytes", "fix", "never"].contains(&body["retry"].as_str().expect("a retry class")));
        }
        Self { status, retry_after, body }
    }

    /// The status and the code of a refusal.
    pub fn code(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    /// The claims of a receipt whose signature verifies with the service's own keys.
    pub async fn claims(&self, from: &Ingest) -> Claims {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        let receipt: Receipt = serde_json::from_value(self.body.clone()).expect("a receipt");
        let keys = Self::to(reqwest::Client::new().get(format!("{}/v1/receipt-keys", from.url))).await.body;
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).expect("a JWK Set");
        let header = jsonwebtoken::decode_header(&receipt.receipt).expect("a header");
        assert_eq!(header.typ.as_deref(), Some("dsom-receipt+jwt"));
        let key = keys.find(header.kid.as_deref().expect("a kid")).expect("the key");
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
        let signed = jsonwebtoken::decode::<Claims>(&receipt.receipt, &key, &rules).expect("verifies").claims;
        assert_eq!(signed, receipt.claims);
        assert_eq!((signed.iss.as_str(), signed.env), (RECEIPT_ISSUER, from.env));
        signed
    }
}

/// A valid record with an id of its own.
pub fn record(seq: u64) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (id, round) = (uuid::Uuid::new_v4(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!(
        r#"{{"seq":{seq},"id":"{id}","type":"wager","at":"2026-10-24T18:00:29.498Z","amount":100,"currency":"UAH","channel":"web","vertical":"slots","game":"gamma.steppe-gold","round":"r:{round}","player":"pEGG8E0yWT2zNSQMyLalhKe"}}"#
    )
}

/// Milliseconds since 1970.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    UnixMillis(since.as_millis() as i64)
}

/// Valid records with consecutive seqs.
pub fn records(seqs: std::ops::Range<u64>) -> Vec<String> {
    seqs.map(record).collect()
}

/// RFC 6962 section 2.1, as it is written there.
pub fn root(records: &[impl AsRef<[u8]>]) -> Hash {
    let mut hash = Sha256::new();
    match records {
        [] => {}
        [one] => {
            hash.update([0]);
            hash.update(one.as_ref());
        }
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            hash.update([1]);
            hash.update(root(left).0);
            hash.update(root(right).0);
        }
    }
    Hash(hash.finalize().into())
}

/// Looks until `look` gives something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(began.elapsed().as_secs() < 20, "waited for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
