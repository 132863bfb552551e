//! An operator that has registered a key signs every batch it sends, and every try of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{BadBatchKey, BatchKey, Config, SendError, Sender};
use contracts::StreamNo;
use ledger::batch_signature::{BatchSignature, Covered, VerifyingKey};
use serde_json::Value;

use crate::server::{Deed, Server, operator, record};

/// A key of the vectors: PKCS#8 bytes and the public half.
fn key(name: &str) -> (Vec<u8>, VerifyingKey) {
    let text = include_str!("../../../../contracts/vectors/batch-signatures.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let one = &all["keys"][name];
    let der = data_encoding::BASE64.decode(one["pkcs8"].as_str().unwrap().as_bytes()).unwrap();
    let text = |member: &str| one["jwk"][member].as_str();
    let public = VerifyingKey::from_jwk(text("kty").unwrap(), text("crv").unwrap(), text("x").unwrap(), text("y"));
    (der, public.unwrap())
}

async fn send(config: Config, last: u64) -> Result<(), SendError> {
    let mut sender = Sender::open(config, StreamNo(3)).await?;
    while sender.next_seq() <= last {
        let record = record(sender.next_seq());
        sender.push(&record).await?;
    }
    sender.finish().await.map(|_| ()).map_err(|unfinished| unfinished.error)
}

fn config(server: &Server, batch_key: Option<BatchKey>) -> Config {
    Config {
        batch_records_max: 10,
        pause_max: Duration::from_millis(100),
        try_timeout: Duration::from_millis(500),
        batch_key: batch_key.map(Arc::new),
        ..Config::new(&server.url, "token", operator())
    }
}

#[tokio::test]
async fn every_batch_and_every_try_is_signed_by_the_registered_key() {
    for name in ["ed25519", "p256"] {
        let (der, public) = key(name);
        let server = Server::start(0, [Deed::LoseTheAnswer]).await;
        let batch_key = BatchKey::from_pkcs8_der("k1", &der).expect("a key");
        send(config(&server, Some(batch_key)), 20).await.expect("accepted");

        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let state = server.state.lock().expect("state");
        assert_eq!(state.signed.len(), 3, "two batches, one of them twice");
        for sent in &state.signed {
            let [Some(path), Some(media), Some(root), Some(input), Some(signature)] = sent else { panic!("{sent:?}") };
            assert_eq!((path.as_str(), media.as_str()), ("/v1/streams/3/batches", "application/x-ndjson"));
            let covered = Covered::new(path, media, root.parse().expect("a root")).expect("can be signed");
            let signature = BatchSignature::parse(input, signature).expect("of the profile");
            assert_eq!(signature.keyid().as_str(), "k1");
            assert!((now_s - 60..=now_s).contains(&signature.created_s()), "{input}");
            assert_eq!(signature.verify(&public, &covered), Ok(()));
        }
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let server = Server::start(0, []).await;
    send(config(&server, None), 10).await.expect("accepted");
    let state = server.state.lock().expect("state");
    assert!(matches!(state.signed.as_slice(), [[Some(_), Some(_), Some(_), None, None]]), "{:?}", state.signed);
}

#[tokio::test]
async fn a_path_that_cannot_be_signed_ends_it() {
    let server = Server::start(0, []).await;
    let (der, _) = key("ed25519");
    let batch_key = BatchKey::from_pkcs8_der("k1", &der).expect("a key");
    let mut config = config(&server, Some(batch_key));
    let api_url = format!("{}/{}", server.url, "p".repeat(300));
    config.url = api_url;
    let api = client::Api::new(config).expect("a client");
    let batch = client::Batch {
        first_seq: contracts::Seq::FIRST,
        count: 1,
        root: ledger::leaf_hash(b"{}"),
        body: b"{}\n".to_vec().into(),
        encoding: client::Encoding::Identity,
    };
    assert!(matches!(api.send(StreamNo(3), &batch).await, Err(SendError::Sign(_))));
    assert!(server.state.lock().expect("state").signed.is_empty());
}

#[test]
fn names_and_keys_that_cannot_be_used_are_refused() {
    let (der, _) = key("p256");
    assert!(matches!(BatchKey::from_pkcs8_der("my key", &der), Err(BadBatchKey::Name(_))));
    assert!(matches!(BatchKey::from_pkcs8_der("k1", b"key"), Err(BadBatchKey::Key(_))));
}
