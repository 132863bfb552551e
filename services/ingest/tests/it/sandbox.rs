//! The sandbox: answers on demand, a record of every request, and a market that knows nothing of either.

use std::time::{Duration, Instant};

use contracts::receipt::Env;
use contracts::traffic::{Exchange, Forced};
use ingest::config::Config;
use runtime::people::OidcConfig;
use serde_json::{Value, json};
use testkit::{AUDIENCE, ISSUER};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{Answer, Ingest, Operator, World, now, record, records, root};

/// Everything that is kept of an operator.
async fn kept(operator: &Operator, ingest: &Ingest) -> Vec<Exchange> {
    let answer = operator.get(ingest, "/v1/traffic").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_value(answer.body["exchanges"].clone()).expect("exchanges")
}

async fn asked(operator: &Operator, to: &Ingest, headers: &[(&str, &str)], lines: &[String]) -> Answer {
    operator.post(to, 3, "application/x-ndjson", headers, lines.join("\n")).await
}

#[actix_rt::test]
async fn answers_come_as_the_test_asks_and_all_is_kept() {
    let world = World::sandbox();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let lines = records(1..4);
    let gap = asked(&operator, &ingest, &[("DSOM-Test-Answer", "gap")], &lines).await;
    assert_eq!((gap.code(), &gap.body["expected_seq"]), ((409, "gap"), &json!(1)));
    let away = asked(&operator, &ingest, &[("DSOM-Test-Answer", "unavailable")], &lines).await;
    assert_eq!((away.code(), away.retry_after), ((503, "unavailable"), Some(2)));
    assert!(world.frames(operator.id, 3).await.is_empty(), "neither took anything");
    let lost = asked(&operator, &ingest, &[("dsom-test-answer", "lost")], &lines).await;
    assert_eq!((lost.code(), lost.retry_after), ((503, "unavailable"), Some(2)));
    assert_eq!(world.records(operator.id, 3).await.len(), 3, "its receipt is lost, not the batch");
    let began = Instant::now();
    let late = asked(&operator, &ingest, &[("DSOM-Test-Delay", "300")], &lines).await;
    assert_eq!(late.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    let gap = asked(&operator, &ingest, &[("DSOM-Test-Answer", "gap")], &records(9..10)).await;
    assert_eq!(gap.body["expected_seq"], 4, "the true one");
    let rewritten = asked(&operator, &ingest, &[], &[record(2)]).await;
    assert_eq!(rewritten.code(), (409, "rewrite-attempt"));
    let bad = asked(&operator, &ingest, &[], &["{}".to_owned()]).await;
    assert_eq!(bad.code(), (422, "invalid-records"));
    for (name, value) in [("DSOM-Test-Answer", "teapot"), ("DSOM-Test-Delay", "-1"), ("DSOM-Test-Delay", "30001")] {
        let refused = asked(&operator, &ingest, &[(name, value)], &records(4..5)).await;
        assert_eq!(refused.code(), (400, "bad-request"), "{name}: {value}");
    }

    let kept = kept(&operator, &ingest).await;
    let short = |one: &Exchange| (one.status, one.code.clone().unwrap_or_default(), one.forced);
    let code = |status: u16, code: &str, forced| (status, code.to_owned(), forced);
    assert_eq!(
        kept.iter().map(short).collect::<Vec<_>>(),
        [
            code(409, "gap", Some(Forced::Gap)),
            code(503, "unavailable", Some(Forced::Unavailable)),
            code(503, "unavailable", Some(Forced::Lost)),
            code(200, "", None),
            code(409, "gap", Some(Forced::Gap)),
            code(409, "rewrite-attempt", None),
            code(422, "invalid-records", None),
            code(400, "bad-request", None),
            code(400, "bad-request", None),
            code(400, "bad-request", None),
        ]
    );
    for one in &kept[..4] {
        let batch = one.batch.as_ref().expect("it was read");
        assert_eq!((batch.first_seq.get(), batch.count, batch.root), (1, 3, root(&lines)));
        assert_eq!(batch.types, [("wager".to_owned(), 3)].into());
        assert_eq!(batch.verticals, [("slots".to_owned(), 3)].into());
        // `date -u -d 2026-10-24T18:00:29.498Z +%s%3N`
        assert_eq!((batch.earliest.0, batch.latest.0), (1_792_864_829_498, 1_792_864_829_498));
        assert_eq!((one.operator, one.stream.0, one.signed), (operator.id, 3, false));
        assert_eq!(one.media.as_deref(), Some("application/x-ndjson"));
    }
    assert!((300..10_000).contains(&kept[3].took_ms) && kept[3].delayed_ms == 300);
    assert_eq!(kept[4].expected_seq.map(|seq| seq.get()), Some(4));
    assert!(kept[6].batch.is_none(), "it could not be read");
    let told: Vec<u64> = kept.iter().map(|one| (one.at.0 / 60_000) as u64).collect();
    assert!(told.iter().all(|minute| minute.abs_diff(now().0 as u64 / 60_000) <= 1));
}

#[actix_rt::test]
async fn a_batch_whose_sender_hung_up_before_the_answer_is_kept_with_it() {
    let world = World::sandbox();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    assert_eq!(operator.send(&ingest, 3, &records(1..3)).await.status, 201);
    world.nats.pause();
    let body = records(3..6).join("\n");
    let mut sender = TcpStream::connect(ingest.url.trim_start_matches("http://")).await.expect("connects");
    let request = format!(
        "POST /v1/streams/3/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        operator.token,
        body.len()
    );
    sender.write_all(request.as_bytes()).await.expect("writes");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // With a reset, at which the server gives up the connection at once and does not wait until it has something to write.
    sender.set_zero_linger().expect("sets");
    drop(sender);
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.nats.resume();
    let began = Instant::now();
    let kept = loop {
        match kept(&operator, &ingest).await {
            kept if kept.len() == 2 => break kept,
            kept => assert!(began.elapsed() < Duration::from_secs(20), "{kept:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let batch = kept[1].batch.as_ref().expect("it was read");
    assert_eq!((kept[1].status, batch.first_seq.get(), batch.count), (201, 3, 3));
    assert_eq!(world.records(operator.id, 3).await.len(), 5);
}

#[actix_rt::test]
async fn what_is_kept_is_read_page_by_page_by_its_operator_and_by_people() {
    let world = World::sandbox();
    let oidc = OidcConfig {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks: Some(world.dir.path().join("jwks.json").display().to_string()),
        roles_claim: "roles".into(),
        roles: String::new(),
    };
    let ingest = world.ingest_with(Config { oidc: Some(oidc), ..world.config("a") }).await;
    let (one, other) = (world.operator(), world.operator());
    for seq in 1..6 {
        assert_eq!(one.send(&ingest, 0, &records(seq..seq + 1)).await.status, 201);
    }
    other.send(&ingest, 0, &records(1..2)).await;
    let page = one.get(&ingest, "/v1/traffic?limit=3").await.body;
    assert_eq!(page["exchanges"].as_array().expect("a list").len(), 3);
    let rest = one.get(&ingest, &format!("/v1/traffic?limit=3&after={}", page["next"])).await.body;
    assert_eq!((rest["exchanges"].as_array().expect("a list").len(), &rest["next"]), (2, &Value::Null));
    let seqs = |page: &Value| -> Vec<u64> {
        let all = page["exchanges"].as_array().expect("a list").iter();
        all.map(|one| one["batch"]["first_seq"].as_u64().expect("a seq")).collect()
    };
    assert_eq!((seqs(&page), seqs(&rest)), (vec![1, 2, 3], vec![4, 5]));

    let person = |role: &str| {
        let now_s = now().0 / 1_000;
        let claims =
            json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "p", "roles": [role], "nbf": now_s - 5, "exp": now_s + 60});
        Operator { token: world.issuer.sign(&claims), ..one.clone() }
    };
    let path = format!("/v1/traffic?operator={}", one.id);
    assert_eq!(seqs(&person("clerk").get(&ingest, &path).await.body), [1, 2, 3, 4, 5]);
    assert_eq!(person("tax").get(&ingest, &path).await.code(), (403, "forbidden"));
    // An operator's token is no person's: another's requests are not to be had with it.
    assert!([401, 403].contains(&other.get(&ingest, &path).await.status.as_u16()));
    assert_eq!(one.get(&ingest, "/v1/traffic?limit=0").await.code(), (400, "bad-request"));
    assert_eq!(one.get(&ingest, "/v1/traffic?limit=1001").await.code(), (400, "bad-request"));
    assert_eq!(one.get(&ingest, "/v1/traffic?of=me").await.code(), (400, "bad-request"));
    let reader = Operator { token: world.issuer.token(one.id, "x"), ..one };
    assert_eq!(reader.get(&ingest, "/v1/traffic").await.code(), (403, "forbidden"));
}

#[actix_rt::test]
async fn the_market_refuses_headers_of_tests_and_keeps_no_requests() {
    let world = World::new();
    let market = world.ingest("a").await;
    let operator = world.operator();
    for header in [("DSOM-Test-Answer", "gap"), ("DSOM-Test-Delay", "0")] {
        let refused = asked(&operator, &market, &[header], &records(1..2)).await;
        assert_eq!(refused.code(), (400, "test-header"), "{header:?}");
    }
    assert!(world.frames(operator.id, 3).await.is_empty(), "nothing was taken");
    assert_eq!(operator.get(&market, "/v1/traffic").await.code(), (404, "not-found"));
    let taken = asked(&operator, &market, &[], &records(1..2)).await;
    assert_eq!(taken.body["claims"]["env"], "live");
}

#[actix_rt::test]
async fn the_sandbox_follows_the_register_of_the_market_on_another_broker() {
    let (market, sandbox) = (World::new(), World::new());
    market.tell().await;
    let config = Config {
        env: Env::Test,
        registry_nats_url: Some(market.nats.url()),
        registry_nats_monitor_url: Some(market.nats.monitor_url()),
        ..sandbox.config("a")
    };
    let ingest = sandbox.ingest_untold(config).await;
    let known = Operator { token: sandbox.issuer.token(market.operators()[0], "records:write"), ..market.operator() };
    assert_eq!(known.send(&ingest, 0, &records(1..2)).await.status, 201);
    assert_eq!(sandbox.operator().send(&ingest, 0, &records(1..2)).await.code(), (403, "unknown-operator"));
}

#[actix_rt::test]
async fn a_sandbox_on_the_broker_of_the_market_does_not_start() {
    let world = World::new();
    let market = world.nats.url();
    let sandbox = |registry: Option<String>| Config {
        env: Env::Test,
        registry_nats_monitor_url: registry.as_ref().map(|_| world.nats.monitor_url()),
        registry_nats_url: registry,
        ..world.config("a")
    };
    for (registry, said) in [
        (None, "DSOM_INGEST_REGISTRY_NATS_URL is not set"),
        (Some(market.clone()), "is a broker of DSOM_INGEST_NATS_URL, too"),
        // One that both name is enough.
        (
            Some(format!("nats://nats.example:4222, {}/", market.to_uppercase())),
            "is a broker of DSOM_INGEST_NATS_URL, too",
        ),
    ] {
        let Err(refused) = ingest::start(sandbox(registry.clone())).await else {
            panic!("it starts with {registry:?}")
        };
        assert!(refused.to_string().contains(said), "{registry:?}: {refused}");
    }
}
