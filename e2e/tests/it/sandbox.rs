//! Two worlds side by side: what is done in the sandbox can't be taken for the market's.

use contracts::OperatorId;
use contracts::receipt::{Env, Receipt};
use ledger::note::Verifier;
use ledger::verify;
use serde_json::{Value, json};

use crate::pages::{shell, walk};
use crate::world::{PUBLISHED, World, calm_turn, until};

/// The operator of docs/SANDBOX.md.
const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_and_live_cannot_be_mistaken() {
    let _turn = calm_turn().await;
    let world = World::with_sandbox().await;
    let mesh = world.mesh();
    let sandbox = mesh.sandbox.clone().expect("a sandbox");
    let operator: OperatorId = OPERATOR.parse().expect("a UUID");

    // The page, typed: three refusals, a receipt, and a record of all four.
    let told = shell(&world, &walk("docs/SANDBOX.md"));
    let answers: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let codes: Vec<&Value> = answers.iter().take(3).map(|answer| &answer["code"]).collect();
    assert_eq!(codes, ["gap", "unavailable", "unavailable"], "{told}");
    let receipt: Receipt = serde_json::from_value(answers[3].clone()).expect("a receipt");
    assert_eq!((receipt.claims.env, receipt.claims.operator), (Env::Test, operator));
    let kept: Vec<&Value> =
        answers[4]["exchanges"].as_array().expect("a list").iter().map(|one| &one["status"]).collect();
    assert_eq!(kept, [409, 503, 503, 200]);

    // A token of one world is none in the other.
    let test = world.dsom_ok(&["token", "--sandbox", "--operator", OPERATOR], &[]).trim().to_owned();
    let live = world.token(operator, "");
    for (base, token, status) in [
        (&mesh.ingest, &test, 401),
        (&sandbox.ingest, &live, 401),
        (&mesh.ingest, &live, 200),
        (&sandbox.ingest, &test, 200),
    ] {
        let answer = world.http.get(format!("{base}/v1/streams")).bearer_auth(token).send().await.expect("answers");
        assert_eq!(answer.status(), status, "{base}");
    }
    for base in [&mesh.chaining, &sandbox.chaining] {
        let other = if *base == mesh.chaining { &test } else { &live };
        let url = format!("{base}/v1/chains/{operator}");
        let answer = world.http.get(url).bearer_auth(other).send().await.expect("answers");
        assert_eq!(answer.status(), 401, "{base}");
    }

    // What the sandbox signs, the market's keys refuse.
    let keys = async |base: &str| {
        let text = world.get(&format!("{base}/v1/receipt-keys"), None).await.expect("keys");
        client::ReceiptKeys::parse(&text).expect("a JWK Set")
    };
    assert!(keys(&sandbox.ingest).await.verify(&receipt).is_ok());
    assert!(keys(&mesh.ingest).await.verify(&receipt).is_err());
    let url = format!("{}/v1/records/{operator}/7/1/proof", sandbox.chaining);
    let proof = until("a proof", PUBLISHED, || world.get(&url, Some(&test))).await;
    let (ours, theirs) = (Verifier::parse(&sandbox.log_vkey), Verifier::parse(&mesh.log_vkey));
    assert!(verify::record_proof(&proof, &ours.expect("a key")).is_ok());
    assert!(verify::record_proof(&proof, &theirs.expect("a key")).is_err());

    // The market has none of it, and its first record is the first.
    let url = format!("{}/v1/chains/{operator}", mesh.chaining);
    let chain = world.http.get(&url).bearer_auth(&live).send().await.expect("answers");
    let chain: Value = chain.json().await.expect("JSON");
    assert!(chain["total"] == json!(0) || chain["code"] == "not-found", "{chain}");
    let record = json!({
        "seq": 1, "id": uuid::Uuid::new_v4(), "type": "wager", "at": "2026-10-24T18:00:29.498Z", "amount": 100,
        "currency": "UAH", "channel": "web", "vertical": "table", "game": "delta.roulette-eu", "round": "1",
    });
    let url = format!("{}/v1/streams/7/batches", mesh.ingest);
    let answer = world.http.post(&url).bearer_auth(&live).json(&record).send().await.expect("answers");
    assert_eq!(answer.status(), 201);
    let receipt: Receipt = answer.json().await.expect("a receipt");
    assert_eq!(receipt.claims.env, Env::Live);
    assert!(keys(&sandbox.ingest).await.verify(&receipt).is_err());
    for (base, origin) in [(&sandbox.chaining, &sandbox.log_origin), (&mesh.chaining, &mesh.log_origin)] {
        let url = format!("{base}/log/checkpoint");
        let note = until("a checkpoint", PUBLISHED, || world.get(&url, None)).await;
        assert!(String::from_utf8_lossy(&note).starts_with(&format!("{origin}\n")));
    }
}
