//! The golden batches over HTTP: each refusal has its code, and what was accepted is told apart from what is sent again.

use serde_json::Value;

use crate::world::World;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/vectors/batches.json")).expect("JSON")
}

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = of[name].as_array().expect("a list");
    assert!(!list.is_empty(), "{name}");
    list
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().expect("a text")
}

/// The body of a batch, which may be told by how it is made.
fn body(one: &Value) -> Vec<u8> {
    let Some(made) = one.get("made") else { return text(one, "body").into() };
    let number = |name: &str| made[name].as_u64().expect("a number");
    let seqs = number("first_seq")..number("first_seq") + number("count");
    seqs.flat_map(|seq| (text(made, "line").replace("SEQ", &seq.to_string()) + "\n").into_bytes()).collect()
}

#[actix_rt::test]
async fn every_bad_batch_is_refused_with_the_code_told() {
    let (world, all) = (World::new(), vectors());
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    for one in list(&all, "bad") {
        let packed = zstd::stream::encode_all(&body(one)[..], 1).expect("packs");
        let mut headers = vec![("content-encoding", "zstd")];
        headers.extend(one["root"].as_str().map(|root| ("dsom-batch-root", root)));
        let answer = operator.post(&ingest, 0, text(one, "media"), &headers, packed).await;
        assert_eq!(answer.code().1, text(one, "code"), "{}", answer.body);
        assert_eq!(answer.body["retry"], "fix");
    }
    assert!(world.frames(operator.id, 0).await.is_empty());
}

#[actix_rt::test]
async fn what_is_sent_again_is_the_same_or_built_anew_or_rewritten_as_told() {
    let (world, all) = (World::new(), vectors());
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    for (stream, one) in (0..).zip(list(&all, "retries")) {
        let send = |name: &str| operator.post(&ingest, stream, "application/x-ndjson", &[], text(one, name).to_owned());
        let (first, again) = (send("accepted").await, send("sent").await);
        assert_eq!(first.status, 201, "{}", first.body);
        match one["code"].as_str() {
            None => {
                assert_eq!(again.status, 200, "{}: {}", one["name"], again.body);
                assert_eq!(again.claims(&ingest).await, first.claims(&ingest).await);
            }
            Some(code) => {
                assert_eq!(again.code(), (409, code), "{}: {}", one["name"], again.body);
                assert_eq!(
                    (&again.body["seq"], &again.body["records"]),
                    (&one["seq"], &one["records"]),
                    "{}",
                    one["name"]
                );
            }
        }
    }
}
