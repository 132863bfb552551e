//! A small HTTP server that accepts batches like ingest does, and misbehaves when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::{Hash, OperatorId};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

/// What the server does with the next batch.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Accepts it, then closes the connection without an answer.
    LoseTheAnswer,
    /// Closes the connection before it reads the body.
    HangUp,
    /// Answers 503, with this `Retry-After`.
    Busy(Option<u64>),
    /// Answers 429.
    TooMany,
    /// Never answers.
    Stall,
    /// Answers this status and body.
    Refuse(u16, Value),
    /// Accepts it, but signs these claims instead, merged over the true ones.
    Lie(Value),
    /// Accepts it with a new key, which is published from the nth time on that the keys are asked for after this.
    NewKey(u32),
    /// Accepts it with a key that is published nowhere.
    StrangerKey,
}

#[derive(Default)]
pub struct State {
    pub records: Vec<Vec<u8>>,
    /// Sizes of the batches that were accepted, in order.
    pub batches: Vec<usize>,
    pub encodings: Vec<String>,
    /// Of every batch that came, answered or not: path, content type, root and the two headers of a signature.
    pub signed: Vec<[Option<String>; 5]>,
    pub requests: u64,
    pub deeds: VecDeque<Deed>,
    /// The first signs; published are those whose number of askings has come.
    keys: Vec<(SigningKey, u32)>,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl Server {
    /// One that holds `accepted` records already.
    pub async fn start(accepted: u64, deeds: impl IntoIterator<Item = Deed>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            records: (1..=accepted).map(record).collect(),
            deeds: deeds.into_iter().collect(),
            keys: vec![(key(), 0)],
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let server = Self { url, state };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(socket));
            }
        });
        server
    }

    async fn serve(self, mut socket: TcpStream) {
        while let Some((head, body)) = request(&mut socket).await {
            let header = |name: &str| {
                head.lines().find_map(|l| {
                    l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
                })
            };
            let answer = if head.starts_with("GET /v1/streams ") {
                let next = self.state.lock().unwrap().records.len() + 1;
                Some((200, json!({"streams": [{"stream": 3, "next_seq": next, "head": next - 1}]}), None))
            } else if head.starts_with("GET /v1/receipt-keys ") {
                Some((200, self.keys(), None))
            } else {
                assert!(head.starts_with("POST /v1/streams/3/batches "), "{head}");
                assert_eq!(header("authorization").as_deref(), Some("Bearer token"));
                let path = head.split(' ').nth(1).map(str::to_owned);
                let [media, root] = ["content-type", "dsom-batch-root"].map(header);
                let [input, signature] = ["signature-input", "signature"].map(header);
                self.state.lock().unwrap().signed.push([path, media, root, input, signature]);
                self.batch(&body, &header("content-encoding").unwrap_or_default(), header("dsom-batch-root")).await
            };
            let Some((status, json, after)) = answer else { return };
            let (text, after) =
                (json.to_string(), after.map_or(String::new(), |s: u64| format!("retry-after: {s}\r\n")));
            let answer = format!("HTTP/1.1 {status} x\r\n{after}content-length: {}\r\n\r\n{text}", text.len());
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn keys(&self) -> Value {
        let mut state = self.state.lock().unwrap();
        state.keys.iter_mut().for_each(|(_, after)| *after = after.saturating_sub(1));
        let keys: Vec<Value> = state.keys.iter().filter(|(_, after)| *after == 0).map(|(key, _)| jwk(key)).collect();
        json!({"keys": keys})
    }

    async fn batch(&self, body: &[u8], encoding: &str, root: Option<String>) -> Option<(u16, Value, Option<u64>)> {
        let deed = {
            let mut state = self.state.lock().unwrap();
            state.requests += 1;
            state.deeds.pop_front()
        };
        match &deed {
            Some(Deed::HangUp) => return None,
            Some(Deed::Busy(after)) => return Some((503, json!({"code": "unavailable"}), *after)),
            Some(Deed::TooMany) => return Some((429, json!({"code": "rate"}), None)),
            Some(Deed::Stall) => tokio::time::sleep(Duration::from_secs(3_600)).await,
            Some(Deed::Refuse(status, body)) => return Some((*status, body.clone(), None)),
            _ => {}
        }
        let plain = match encoding {
            "zstd" => zstd::decode_all(body).unwrap(),
            "gzip" => {
                let mut plain = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body), &mut plain).unwrap();
                plain
            }
            _ => body.to_vec(),
        };
        let lines: Vec<Vec<u8>> = plain.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect();
        let leaves: Vec<Hash> = lines.iter().map(|line| ledger::leaf_hash(line)).collect();
        assert_eq!(root, Some(ledger::root(&leaves).to_string()), "the sender's own root");
        let mut state = self.state.lock().unwrap();
        let first = contracts::record::seq_of(&lines[0]).unwrap() as usize;
        let known = state.records.len() + 1 - first;
        assert!(known == 0 || state.records[first - 1..] == lines[..known], "the same bytes again");
        if known == 0 {
            state.batches.push(lines.len());
            state.encodings.push(encoding.to_owned());
        }
        state.records.extend_from_slice(&lines[known..]);
        let mut claims = json!({
            "iss": "test", "operator": OPERATOR, "stream": 3, "first_seq": first, "last_seq": first + lines.len() - 1,
            "count": lines.len(), "root": ledger::root(&leaves).to_string(), "accepted_at": "2026-10-24T18:00:29.498Z", "env": "live",
        });
        match deed {
            Some(Deed::LoseTheAnswer) => return None,
            Some(Deed::Lie(lie)) => {
                lie.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone())
            }
            Some(Deed::NewKey(after)) => state.keys.insert(0, (key(), after)),
            Some(Deed::StrangerKey) => return Some((201, receipt(&key(), &claims), None)),
            _ => {}
        }
        let signer = state.keys[0].0.clone();
        Some((201, receipt(&signer, &claims), None))
    }
}

pub fn record(seq: u64) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"note\":\"{}\"}}", "x".repeat(100)).into_bytes()
}

pub fn operator() -> OperatorId {
    OPERATOR.parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&rand::random())
}

fn kid(key: &SigningKey) -> String {
    data_encoding::HEXLOWER.encode(&key.verifying_key().as_bytes()[..8])
}

fn jwk(key: &SigningKey) -> Value {
    let x = data_encoding::BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(key), "x": x})
}

fn receipt(key: &SigningKey, claims: &Value) -> Value {
    let header = Header { kid: Some(kid(key)), typ: Some("dsom-receipt+jwt".into()), ..Header::new(Algorithm::EdDSA) };
    let der = key.to_pkcs8_der().unwrap();
    let signed = jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_bytes())).unwrap();
    json!({"receipt": signed, "claims": claims})
}

async fn request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|l| {
                l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())
            });
            let length: usize = length.unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
