//! Signed batches: the signature is checked, kept with its batch, and asked for where the operator wants that.

use base64::Engine as _;
use contracts::receipt::Env;
use contracts::registry::KeyStanding;
use ledger::batch_signature::{Covered, KeyId, SigningKey, StoredSignature};
use serde_json::json;
use testkit::register;

use crate::world::{Answer, Ingest, Operator, World, eventually, now, records, root};

const NDJSON: &str = "application/x-ndjson";
/// 43 characters, as thumbprints have.
const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// The key of RFC 8410 section 10.3.
fn key() -> SigningKey {
    let der = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    SigningKey::from_pkcs8_der(&base64::engine::general_purpose::STANDARD.decode(der).expect("base64")).expect("a key")
}

async fn world(required: bool) -> (World, Operator) {
    let world = World::new();
    let operator = world.operator();
    let mut standing = register::standing(operator.id);
    standing.version = 2;
    standing.signature_required = required;
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"});
    standing.keys = vec![KeyStanding { env: Env::Live, ..register::key(KID, jwk) }];
    world.tell().await;
    register::tell(&world.nats, &[standing]).await;
    (world, operator)
}

/// The headers of a signed batch.
fn signed(lines: &[String], stream: u8, created_s: i64) -> [(&'static str, String); 3] {
    let path = format!("/v1/streams/{stream}/batches");
    let covered = Covered::new(&path, NDJSON, root(lines)).expect("can be signed");
    let signature = key().sign(&covered, created_s, &KID.parse::<KeyId>().expect("an id")).expect("signs");
    [
        ("DSOM-Batch-Root", root(lines).to_string()),
        ("Signature-Input", signature.signature_input()),
        ("Signature", signature.signature()),
    ]
}

async fn send(operator: &Operator, to: &Ingest, lines: &[String], headers: &[(&str, String)]) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    operator.post(to, 0, NDJSON, &headers, lines.join("\n")).await
}

fn now_s() -> i64 {
    now().0 / 1_000
}

#[actix_rt::test]
async fn a_signature_is_kept_with_its_batch_and_the_first_one_stays() {
    let (world, operator) = world(false).await;
    let ingest = world.ingest("a").await;
    let lines = records(1..11);
    let first = now_s() - 100;
    assert_eq!(send(&operator, &ingest, &lines[..4], &signed(&lines[..4], 0, first)).await.status, 201);
    assert_eq!(send(&operator, &ingest, &lines[..4], &signed(&lines[..4], 0, first + 1)).await.status, 200);
    assert_eq!(operator.send(&ingest, 0, &lines[..4]).await.status, 200, "a signature is not asked for");
    // Begins inside what is accepted: the signature is over more than the batch that is appended, and says so.
    assert_eq!(send(&operator, &ingest, &lines[2..], &signed(&lines[2..], 0, first)).await.status, 201);
    assert_eq!(operator.send(&ingest, 0, &records(11..12)).await.status, 201);

    let frames = world.frames(operator.id, 0).await;
    let signatures: Vec<_> = frames.iter().map(|frame| frame.signature_of(0)).collect();
    let [Some((None, one)), Some((Some(wider), two)), None] = signatures[..] else { panic!("{signatures:?}") };
    let (one, two) = (StoredSignature::from_text(one).expect("reads"), StoredSignature::from_text(two).expect("reads"));
    assert_eq!(one.signature().created_s(), first);
    let public = key().verifying_key();
    assert_eq!(one.verify(&public, frames[0].batches()[0].root), Ok(()));
    assert_eq!((wider.before, wider.root), (2, root(&lines[2..])));
    assert_eq!(two.verify(&public, wider.root), Ok(()));
}

#[actix_rt::test]
async fn a_signature_that_is_wrong_is_refused_with_the_reason() {
    let (world, operator) = world(false).await;
    let ingest = world.ingest("a").await;
    let lines = records(1..3);
    let good = signed(&lines, 0, now_s());
    let with = |n: usize, value: String| {
        let mut headers = good.clone().to_vec();
        headers[n].1 = value;
        headers
    };
    let twice = |name| [&good[..], &[(name, "x".to_owned())]].concat();
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("header", good[..2].to_vec()),
        ("header", vec![good[0].clone(), good[2].clone()]),
        ("header", good[1..].to_vec()),
        ("header", twice("Signature")),
        ("header", twice("Signature-Input")),
        ("mismatch", signed(&lines, 1, now_s()).to_vec()),
        ("mismatch", with(0, root(&lines[..1]).to_string())),
        ("created-apart", signed(&lines, 0, now_s() - 400).to_vec()),
        ("unknown-key", with(1, good[1].1.replace(KID, "another"))),
        ("components", with(1, good[1].1.replace("\"@path\" ", ""))),
        ("base64", with(2, "dsom=:AA=A:".into())),
    ];
    for (reason, headers) in cases {
        let answer = send(&operator, &ingest, &lines, &headers).await;
        assert_eq!(answer.code(), (422, "bad-signature"), "{reason} {headers:?}");
        assert_eq!(answer.body["reason"], reason, "{}", answer.body);
    }
    // With a query the path is another than the one that is signed.
    let mut request = world.http.post(format!("{}/v1/streams/0/batches?x=1", ingest.url)).bearer_auth(&operator.token);
    for (name, value) in &good {
        request = request.header(*name, value);
    }
    let request = request.header("Content-Type", NDJSON).body(lines.join("\n"));
    assert_eq!(Answer::to(request).await.body["reason"], "path");
    // A good signature of other records than those that arrive.
    let answer = send(&operator, &ingest, &records(1..3), &good).await;
    assert_eq!(answer.code(), (422, "root-mismatch"));
    assert!(world.frames(operator.id, 0).await.is_empty());
    assert_eq!(send(&operator, &ingest, &lines, &good).await.status, 201);
}

#[actix_rt::test]
async fn an_operator_that_asks_for_signatures_gets_no_batch_in_without() {
    let (world, operator) = world(true).await;
    let ingest = world.ingest("a").await;
    let lines = records(1..3);
    assert_eq!(operator.send(&ingest, 0, &lines).await.code(), (403, "signature-required"));
    assert_eq!(send(&operator, &ingest, &lines, &signed(&lines, 0, now_s())).await.status, 201);
    assert_eq!(operator.send(&ingest, 0, &lines).await.code(), (403, "signature-required"));
    let mut standing = register::standing(operator.id);
    standing.version = 3;
    register::tell(&world.nats, &[standing]).await;
    let taken = || async { (operator.send(&ingest, 0, &lines).await.status == 200).then_some(()) };
    eventually("the register to ask for it no more", taken).await;
}
