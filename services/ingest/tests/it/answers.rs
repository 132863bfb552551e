//! Every row of RECORD's table of answers.

use std::time::{Duration, Instant};

use contracts::events::RewriteAttempt;
use contracts::subjects;
use serde_json::json;

use crate::world::{World, record, records, root};

#[actix_rt::test]
async fn next_seqs_get_a_receipt_and_the_same_bytes_the_same_receipt_again() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let (first, second) = (records(1..4), records(4..6));
    let answer = operator.send(&ingest, 3, &first).await;
    assert_eq!(answer.status, 201);
    let claims = answer.claims(&ingest).await;
    assert_eq!((claims.operator, claims.stream.0), (operator.id, 3));
    assert_eq!((claims.first_seq.get(), claims.last_seq.get(), claims.count), (1, 3, 3));
    assert_eq!(claims.root, root(&first));
    assert_eq!(operator.send(&ingest, 3, &second).await.status, 201);

    for _ in 0..3 {
        let again = operator.send(&ingest, 3, &first).await;
        assert_eq!(again.status, 200);
        assert_eq!(again.claims(&ingest).await, claims);
    }
    // A part of one batch, and parts of two.
    let part = operator.send(&ingest, 3, &first[1..]).await;
    assert_eq!(part.status, 200);
    let part = part.claims(&ingest).await;
    assert_eq!((part.first_seq.get(), part.last_seq.get(), part.root), (2, 3, root(&first[1..])));
    assert_eq!(part.accepted_at, claims.accepted_at);
    let across = [&first[2..], &second[..1]].concat();
    let answer = operator.send(&ingest, 3, &across).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.claims(&ingest).await.root, root(&across));

    assert_eq!(
        world.records(operator.id, 3).await,
        [first, second].concat().into_iter().map(Vec::from).collect::<Vec<_>>()
    );
}

#[actix_rt::test]
async fn what_begins_inside_the_accepted_and_goes_on_is_appended_and_has_one_receipt() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let all = records(1..9);
    let first = operator.send(&ingest, 0, &all[..4]).await.claims(&ingest).await;
    let answer = operator.send(&ingest, 0, &all[2..]).await;
    assert_eq!(answer.status, 201);
    let claims = answer.claims(&ingest).await;
    assert_eq!((claims.first_seq.get(), claims.last_seq.get(), claims.count), (3, 8, 6));
    assert_eq!(claims.root, root(&all[2..]));
    assert!(claims.accepted_at >= first.accepted_at);
    let again = operator.send(&ingest, 0, &all[2..]).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.claims(&ingest).await, claims);
    // The receipts of the two accepted batches can be fetched, too.
    assert_eq!(operator.receipt(&ingest, 0, 4).await.claims(&ingest).await, first);
    let rest = operator.receipt(&ingest, 0, 5).await.claims(&ingest).await;
    assert_eq!((rest.first_seq.get(), rest.last_seq.get(), rest.root), (5, 8, root(&all[4..])));
    assert_eq!(world.records(operator.id, 0).await.len(), 8);
}

#[actix_rt::test]
async fn other_values_are_a_rewrite_attempt_with_an_alert_and_other_bytes_are_not() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let sent = records(1..6);
    assert_eq!(operator.send(&ingest, 0, &sent).await.status, 201);

    let rebuilt: Vec<String> = sent.iter().map(|line| line.replace("\":", "\": ")).collect();
    let answer = operator.send(&ingest, 0, &rebuilt[1..]).await;
    assert_eq!(answer.code(), (409, "reserialised"));
    assert_eq!(answer.body["seq"], 2);
    assert!(answer.body["detail"].as_str().expect("text").contains("/v1/receipts?stream=0&seq=2"));

    let mut forged = rebuilt.clone();
    forged[3] = forged[3].replace("\"amount\": 100", "\"amount\": 1");
    let answer = operator.send(&ingest, 0, &forged).await;
    assert_eq!(answer.code(), (409, "rewrite-attempt"));
    assert_eq!(answer.body["seq"], 4);
    // The very same attempt is refused again and is no new event.
    assert_eq!(operator.send(&ingest, 0, &forged[3..]).await.code(), (409, "rewrite-attempt"));
    // One that goes on beyond what is accepted is caught, too, and nothing of it is appended.
    let beyond = [forged[3].replace(": 1,", ": 2,"), sent[4].clone(), record(6)];
    assert_eq!(operator.send(&ingest, 0, &beyond).await.code(), (409, "rewrite-attempt"));
    assert_eq!(world.records(operator.id, 0).await.len(), 5);

    let bus = world.bus().await;
    let subject = subjects::alert("rewrite-attempt", operator.id);
    let alert = bus.next_of(subjects::ALERTS, &subject, 1).await.expect("reads").expect("an alert");
    let event: RewriteAttempt = serde_json::from_slice(&alert.payload).expect("an event");
    assert_eq!((event.operator, event.stream.0, event.seq.get(), event.differing), (operator.id, 0, 4, 1));
    assert_eq!(event.accepted_leaf, root(&sent[3..4]));
    assert_eq!(event.sent_leaf, root(&forged[3..4]));
    assert_eq!(alert.headers.get("ce-type"), Some("org.dsom.alert.rewrite-attempt.v1"));
    let second = bus.next_of(subjects::ALERTS, &subject, alert.seq + 1).await.expect("reads").expect("another");
    let event: RewriteAttempt = serde_json::from_slice(&second.payload).expect("an event");
    assert_eq!((event.seq.get(), event.sent_leaf), (4, root(&beyond[..1])));
    assert_eq!(bus.next_of(subjects::ALERTS, &subject, second.seq + 1).await.expect("reads"), None, "two attempts");
}

#[actix_rt::test]
async fn a_batch_ahead_waits_two_seconds_for_the_hole_to_fill() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    assert_eq!(operator.send(&ingest, 0, &records(1..3)).await.status, 201);
    let began = Instant::now();
    let answer = operator.send(&ingest, 0, &records(5..6)).await;
    assert_eq!(answer.code(), (409, "gap"));
    assert_eq!(answer.body["expected_seq"], 3);
    let waited = began.elapsed();
    assert!((1_900..4_000).contains(&waited.as_millis()), "{waited:?}");

    let all = records(3..43);
    let mut sends = Vec::new();
    for chunk in all.chunks(4).rev() {
        let (operator, ingest) = (&operator, &ingest);
        sends.push(async move { operator.send(ingest, 0, chunk).await.status });
    }
    let answers = futures::future::join_all(sends).await;
    assert!(answers.iter().all(|status| *status == 201), "{answers:?}");
    assert_eq!(world.records(operator.id, 0).await.len(), 42);
}

#[actix_rt::test]
async fn bad_records_are_listed_and_nothing_is_accepted() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let mut lines = records(1..200);
    lines[1] = lines[1].replace("\"amount\":100", "\"amount\":1.5");
    lines[7] = lines[7].replace("\"amount\":100", "\"amount\":0");
    let answer = operator.send(&ingest, 0, &lines).await;
    assert_eq!(answer.code(), (422, "invalid-records"));
    let errors = answer.body["errors"].as_array().expect("a list");
    let named: Vec<_> = errors.iter().map(|e| (e["index"].clone(), e["seq"].clone(), e["pointer"].clone())).collect();
    assert_eq!(named, [(json!(1), json!(2), json!("/amount")), (json!(7), json!(8), json!("/amount"))]);
    assert!(errors.iter().all(|e| e["code"].is_string() && e["detail"].is_string()));
    let bad: Vec<String> = records(1..200).iter().map(|line| line.replace("UAH", "uah")).collect();
    let answer = operator.send(&ingest, 0, &bad).await;
    assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(100));

    let answer = operator.send(&ingest, 0, &[record(1), record(3)]).await;
    assert_eq!(answer.code(), (422, "not-consecutive"));
    assert_eq!((&answer.body["index"], &answer.body["expected_seq"]), (&json!(1), &json!(2)));
    assert_eq!(operator.send(&ingest, 0, &[]).await.code(), (422, "empty-batch"));
    assert_eq!(operator.get(&ingest, "/v1/streams").await.body, json!({"streams": []}));
}

#[actix_rt::test]
async fn an_announced_root_is_checked() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let (lines, other) = (records(1..4), records(1..4));
    let post = |root: String| {
        let (operator, ingest, body) = (&operator, &ingest, lines.join("\n"));
        async move { operator.post(ingest, 0, "application/x-ndjson", &[("DSOM-Batch-Root", &root)], body).await }
    };
    assert_eq!(post(root(&other).to_string()).await.code(), (422, "root-mismatch"));
    assert_eq!(post("AAAA".into()).await.code(), (400, "bad-request"));
    assert_eq!(post(root(&lines).to_string()).await.status, 201);
}

#[actix_rt::test]
async fn streams_and_receipts_tell_how_far_each_stream_has_come() {
    let world = World::new();
    let (a, b, operator) = (world.ingest("a").await, world.ingest("b").await, world.operator());
    assert_eq!(operator.send(&a, 0, &records(1..11)).await.status, 201);
    assert_eq!(operator.send(&a, 255, &records(1..2)).await.status, 201);
    assert_eq!(operator.send(&b, 0, &records(11..13)).await.status, 201);
    for ingest in [&a, &b] {
        let answer = operator.get(ingest, "/v1/streams").await;
        let streams: Vec<_> = answer.body["streams"].as_array().expect("a list").iter().collect();
        let seen: Vec<_> =
            streams.iter().map(|s| (s["stream"].clone(), s["head"].clone(), s["next_seq"].clone())).collect();
        assert_eq!(seen, [(json!(0), json!(12), json!(13)), (json!(255), json!(1), json!(2))]);
        // Both know the receipts of both.
        for (seq, first, last) in [(1, 1, 10), (10, 1, 10), (11, 11, 12), (12, 11, 12)] {
            let claims = operator.receipt(ingest, 0, seq).await.claims(ingest).await;
            assert_eq!((claims.first_seq.get(), claims.last_seq.get()), (first, last));
        }
        assert_eq!(operator.receipt(ingest, 0, 13).await.code(), (404, "not-found"));
        assert_eq!(operator.receipt(ingest, 7, 1).await.code(), (404, "not-found"));
    }
    for query in ["", "?stream=0", "?stream=256&seq=1", "?stream=0&seq=0", "?stream=0&seq=1&x=1", "?stream=00&seq=1"] {
        let answer = operator.get(&a, &format!("/v1/receipts{query}")).await;
        assert_eq!(answer.code(), (400, "bad-request"), "{query}");
    }
    let other = world.operator();
    assert_eq!(other.get(&a, "/v1/streams").await.body, json!({"streams": []}));
    assert_eq!(other.receipt(&a, 0, 1).await.code(), (404, "not-found"));
}

#[actix_rt::test]
async fn an_operator_over_its_rate_is_told_when_to_come_back() {
    let world = World::new();
    let mut config = world.config("a");
    config.operator_records_per_s_max = Some(2_000);
    let (ingest, operator) = (world.ingest_with(config).await, world.operator());
    // The bucket holds one largest batch.
    assert_eq!(operator.send(&ingest, 0, &records(1..9_000)).await.status, 201);
    let rest = records(9_000..19_000);
    let answer = operator.send(&ingest, 0, &rest).await;
    assert_eq!(answer.code(), (429, "too-many-requests"));
    assert!((1..=5).contains(&answer.retry_after.expect("seconds")));
    assert_eq!(world.operator().send(&ingest, 0, &records(1..2)).await.status, 201, "others are not concerned");
    tokio::time::sleep(Duration::from_secs(answer.retry_after.expect("seconds"))).await;
    assert_eq!(operator.send(&ingest, 0, &rest).await.status, 201);
}

#[actix_rt::test]
async fn the_data_set_has_the_roots_that_are_expected() {
    let world = World::new();
    let ingest = world.ingest("a").await;
    let expected = testkit::expected();
    let lines = expected["batch_lines"].as_u64().expect("a number") as usize;
    for file in testkit::data_files() {
        let token = world.issuer.token(file.operator, "records:write records:read");
        let operator = crate::world::Operator { id: file.operator, token, http: world.http.clone() };
        let roots = &expected["operators"][file.operator.to_string()]["streams"][file.stream.to_string()]["roots"];
        for (batch, expected) in file.batches(lines).into_iter().zip(roots.as_array().expect("roots")) {
            let answer = operator.post(&ingest, file.stream.0, "application/x-ndjson", &[], batch.to_vec()).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert_eq!(&answer.body["claims"]["root"], expected);
        }
    }
}
