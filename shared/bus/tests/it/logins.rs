//! A broker that asks who somebody is: who gets in, and what each may do there.

use std::num::NonZeroU8;
use std::time::Duration;

use async_nats::{ConnectOptions, jetstream};
use bus::{
    Bus, BusConfig, ConnectError, Headers, Home, Link, Login, LostStreams, OpenError, PublishError, StreamBytes,
};
use bytes::Bytes;
use contracts::registry::{Beat, Told};
use contracts::{UnixMillis, subjects};
use testkit::{NatsConfig, NatsLogins, NatsServer};
use tokio::sync::mpsc;

use crate::limited;

const ASKED: Duration = Duration::from_secs(5);

fn config(server: &NatsServer, login: Option<Login>) -> BusConfig {
    let (url, monitor_url) = (server.url(), server.monitor_url());
    BusConfig { url, monitor_url, replicas: NonZeroU8::MIN, name: "test".into(), login }
}

/// A service's bus, with its streams, as it starts.
async fn opened(server: &NatsServer, logins: &NatsLogins, user: &str, home: Home) -> Bus {
    let login = Login { nkey_file: logins.file(user), home };
    let config = config(server, Some(login));
    limited("opening", Bus::open(config, StreamBytes::default(), LostStreams::Create)).await.expect("opens")
}

/// A market whose services have started.
async fn market() -> (NatsServer, NatsLogins, [Bus; 3]) {
    let logins = NatsLogins::market();
    let server = NatsServer::start_with(&logins.config());
    let licensing = opened(&server, &logins, "licensing", Home::Registry).await;
    let chaining = opened(&server, &logins, "chaining", Home::Streams).await;
    let ingest = opened(&server, &logins, "ingest", Home::Elsewhere).await;
    (server, logins, [licensing, chaining, ingest])
}

/// A client that says what it likes.
async fn client(server: &NatsServer, logins: &NatsLogins, user: &str) -> async_nats::Client {
    let options = ConnectOptions::with_nkey(logins.seed(user)).request_timeout(Some(ASKED));
    options.connect(server.url()).await.expect("connects")
}

async fn put(bus: &Bus, subject: &str, text: &'static str) -> Result<u64, PublishError> {
    bus.publish(subject, Headers::new(), Bytes::from_static(text.as_bytes())).await.map(|ack| ack.stream_seq)
}

/// What each stream holds, as those see it whose it is.
async fn held([licensing, chaining, _]: &[Bus; 3]) -> Vec<bus::StreamState> {
    let mut held = Vec::new();
    for stream in [subjects::TX, subjects::LEDGER, subjects::ALERTS] {
        held.push(chaining.state_of(stream).await.expect("read"));
    }
    held.push(licensing.state_of(subjects::REGISTRY).await.expect("read"));
    held
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_that_the_broker_knows() {
    let (server, logins, _buses) = market().await;
    let refused = async |login| Bus::connect(config(&server, login)).await.err().expect("refused");
    let nobody = refused(None).await;
    assert!(!nobody.is_passing() && nobody.to_string().contains("set nats_nkey_file"), "{nobody}");
    let stranger = NatsLogins::market();
    let login = |nkey_file| Some(Login { nkey_file, home: Home::Elsewhere });
    let unknown = refused(login(stranger.file("ingest"))).await;
    assert!(!unknown.is_passing() && unknown.to_string().contains("users.conf"), "{unknown}");
    let garbled = stranger.file("garbled");
    std::fs::write(&garbled, "SUNOKEY").expect("written");
    assert!(matches!(refused(login(garbled)).await, ConnectError::NoKey { .. }));
    assert!(matches!(refused(login(stranger.file("none"))).await, ConnectError::NoKey { .. }));
    let password = ConnectOptions::with_user_and_password("ingest".into(), "ingest".into());
    assert!(password.connect(server.url()).await.is_err());

    let asks_nobody = NatsServer::start();
    let login = login(logins.file("ingest"));
    let error = Bus::connect(config(&asks_nobody, login)).await.err().expect("refused");
    assert!(matches!(error, ConnectError::AsksNobody(_)) && !error.is_passing(), "{error}");
}

#[tokio::test]
async fn each_service_does_its_work_and_no_other() {
    let (_server, _logins, buses) = market().await;
    let [licensing, chaining, ingest] = &buses;
    let accepted = put(ingest, "tx.1.a.0", "frame").await.expect("accepted");
    put(ingest, "alerts.rewrite-attempt.a", "!").await.expect("alerted");
    put(chaining, "alerts.chain-stopped.a", "!").await.expect("alerted");
    put(chaining, "ledger.block.a", "block").await.expect("told");
    put(licensing, "registry.operator.a", "standing").await.expect("told");
    assert_eq!(ingest.last_of("TX", "tx.1.a.0").await.expect("read").expect("there").payload[..], *b"frame");
    assert_eq!(ingest.subjects("TX", "tx.1.>").await.expect("read"), ["tx.1.a.0"]);
    let stale = ingest.publish_fenced("tx.1.a.0", Headers::new(), 0, Bytes::new()).await;
    assert_eq!(stale, Err(PublishError::Fence { last: Some(accepted) }));

    let mut feed = chaining.consume("TX", &["tx.1.>".to_owned()], 1);
    limited("a delivery", feed.next()).await.expect("delivered").ack().await;
    put(ingest, "tx.1.a.0", "another").await.expect("accepted");
    limited("a delivery", feed.next()).await.expect("delivered").ack().await;
    assert_eq!(chaining.trim("TX", 1).await.expect("trims").messages, 1);
    assert_eq!(chaining.durable_floor("LEDGER").await.expect("read"), None);

    let answering = chaining.answer(subjects::ASK_FRAMES, |question| async move { Ok(question) });
    let asked = || ingest.ask(subjects::ASK_FRAMES, Bytes::from_static(b"which"), ASKED);
    let answer = limited("an answer", async {
        loop {
            match asked().await {
                Err(bus::AskError::Nobody(_)) => tokio::task::yield_now().await,
                other => break other,
            }
        }
    });
    assert_eq!(answer.await, Ok(Bytes::from_static(b"which")));
    drop(answering);

    let before = held(&buses).await;
    for (who, bus, subjects) in [
        ("ingest", ingest, &["registry.operator.a", "registry.beat", "ledger.block.a", "ledger.checkpoint"][..]),
        ("licensing", licensing, &["tx.1.a.0", "ledger.block.a", "alerts.rewrite-attempt.a"]),
        ("chaining", chaining, &["tx.1.a.0", "registry.operator.a"]),
    ] {
        let tries = subjects.iter().map(|subject| async move { (subject, put(bus, subject, "forged").await) });
        for (subject, put) in futures::future::join_all(tries).await {
            assert!(put.is_err(), "{who} wrote on {subject}");
        }
    }
    assert_eq!(held(&buses).await, before);
}

/// What somebody who broke into a service would ask of the broker; with their names the streams of both prefixes.
fn questions() -> Vec<(String, String)> {
    let mut questions = Vec::new();
    for (stream, subject) in
        [("TX", "tx.>"), ("LEDGER", "ledger.>"), ("ALERTS", "alerts.>"), ("REGISTRY", "registry.>")]
    {
        let whole = format!(r#"{{"name":"{stream}","subjects":["{subject}","more.>"],"storage":"file"}}"#);
        let consumer = |deliver: &str| {
            let config = format!(r#"{{"deliver_subject":"{deliver}","deliver_policy":"all","ack_policy":"none"}}"#);
            format!(r#"{{"stream_name":"{stream}","config":{config}}}"#)
        };
        let source = format!(r#"{{"name":"COPY","subjects":["copy"],"sources":[{{"name":"{stream}"}}]}}"#);
        let next = format!(r#"{{"seq":1,"next_by_subj":"{subject}"}}"#);
        for prefix in ["$JS.API", "STREAMS.API", "REGISTRY.API"] {
            questions.extend([
                (format!("{prefix}.STREAM.PURGE.{stream}"), String::new()),
                (format!("{prefix}.STREAM.DELETE.{stream}"), String::new()),
                (format!("{prefix}.STREAM.UPDATE.{stream}"), whole.clone()),
                (format!("{prefix}.STREAM.CREATE.{stream}"), whole.clone()),
                (format!("{prefix}.STREAM.CREATE.COPY"), source.clone()),
                (format!("{prefix}.STREAM.MSG.DELETE.{stream}"), r#"{"seq":1}"#.to_owned()),
                (format!("{prefix}.CONSUMER.DELETE.{stream}.theirs"), String::new()),
                (format!("{prefix}.CONSUMER.CREATE.{stream}"), consumer("tx.1.forged.0")),
                (format!("{prefix}.CONSUMER.CREATE.{stream}"), consumer("registry.operator.forged")),
                (format!("{prefix}.STREAM.INFO.{stream}"), String::new()),
                (format!("{prefix}.DIRECT.GET.{stream}"), next.clone()),
                (format!("{prefix}.STREAM.MSG.GET.{stream}"), next.clone()),
            ]);
        }
    }
    questions
}

/// Asks all of it, with answers to go where they would be kept, and publishes plainly. What was told by then is done.
async fn break_in(client: &async_nats::Client, admin: &async_nats::Client, replies: &[&str]) {
    for (question, body) in questions() {
        for reply in replies {
            let asked = client.publish_with_reply(question.clone(), reply.to_string(), body.clone().into());
            asked.await.expect("sent");
        }
    }
    for subject in replies {
        client.publish(subject.to_string(), "forged".into()).await.expect("sent");
    }
    // All of it has reached the server; and JetStream's own queue is passed by a question that is asked after it.
    client.flush().await.expect("flushed");
    let _refused = client.request("$JS.API.INFO", Bytes::new()).await;
    admin.request("$JS.API.INFO", Bytes::new()).await.expect("answered");
}

#[tokio::test]
async fn the_sandbox_reads_the_register_and_changes_nothing() {
    let (server, logins, buses) = market().await;
    let [licensing, chaining, ingest] = &buses;
    put(ingest, "tx.1.a.0", "frame").await.expect("accepted");
    put(chaining, "ledger.block.a", "block").await.expect("told");
    put(chaining, "alerts.chain-stopped.a", "!").await.expect("alerted");
    // Garbage to a follower, which must not keep it from what comes after.
    put(licensing, "registry.operator.a", "standing").await.expect("told");
    let admin = client(&server, &logins, "admin").await;
    let stream = jetstream::new(admin.clone()).get_stream("LEDGER").await.expect("there");
    let durable = jetstream::consumer::pull::Config { durable_name: Some("theirs".into()), ..Default::default() };
    stream.create_consumer(durable).await.expect("made");

    let reader = Login { nkey_file: logins.file("reader"), home: Home::Elsewhere };
    let reader = Bus::open_to_read(config(&server, Some(reader))).await.expect("opens");
    let (told, mut heard) = mpsc::unbounded_channel();
    let following = tokio::spawn(reader.clone().follow_registry(move |news| drop(told.send(news))));
    assert!(matches!(limited("the end", heard.recv()).await, Some(Told::Read)));
    let before = held(&buses).await;
    let raw = client(&server, &logins, "reader").await;
    let kept = ["tx.1.forged.0", "ledger.block.forged", "alerts.forged.a", "registry.operator.forged"];
    break_in(&raw, &admin, &kept).await;
    assert_eq!(held(&buses).await, before);
    assert!(
        stream.get_consumer::<jetstream::consumer::pull::Config>("theirs").await.is_ok(),
        "another's consumer is there"
    );
    let names: Vec<_> = futures::TryStreamExt::try_collect(jetstream::new(admin).stream_names()).await.expect("listed");
    assert_eq!(names.len(), 3, "{names:?}");

    let beat = serde_json::to_vec(&Beat { at: UnixMillis(17) }).expect("JSON");
    let beat = licensing.publish(subjects::REGISTRY_BEAT, Headers::new(), beat.into()).await.expect("told");
    assert_eq!(beat.stream_seq, before[3].last_seq + 1);
    let heard = limited("the beat", async {
        loop {
            match heard.recv().await {
                Some(Told::Beat(beat)) => break beat.at,
                Some(_) => {}
                None => panic!("it ended"),
            }
        }
    });
    assert_eq!(heard.await, UnixMillis(17));
    following.abort();
}

#[tokio::test]
async fn a_service_that_is_broken_into_writes_nothing_of_another() {
    let (server, logins, buses) = market().await;
    let [licensing, chaining, ingest] = &buses;
    put(ingest, "tx.1.a.0", "frame").await.expect("accepted");
    put(chaining, "ledger.block.a", "block").await.expect("told");
    put(licensing, "registry.operator.a", "standing").await.expect("told");
    let before = held(&buses).await;
    // Of chaining's account is what chaining guards: it seals what is accepted, so it is not held against itself here.
    let raw = client(&server, &logins, "ingest").await;
    let admin = client(&server, &logins, "admin").await;
    break_in(&raw, &admin, &["ledger.block.forged", "ledger.checkpoint", "registry.operator.forged"]).await;
    assert_eq!(held(&buses).await, before, "ingest");
    let raw = client(&server, &logins, "chaining").await;
    for (question, body) in questions().into_iter().filter(|(question, _)| question.contains("REGISTRY")) {
        raw.publish_with_reply(question, "registry.operator.forged", body.into()).await.expect("sent");
    }
    raw.publish("registry.operator.forged", "forged".into()).await.expect("sent");
    raw.flush().await.expect("flushed");
    assert_eq!(held(&buses).await, before, "chaining");
}

#[tokio::test]
async fn a_guest_waits_for_who_keeps_the_streams() {
    let logins = NatsLogins::sandbox();
    let server = NatsServer::start_with(&logins.config());
    let login = Login { nkey_file: logins.file("ingest"), home: Home::Elsewhere };
    let ingest = Bus::connect(config(&server, Some(login))).await.expect("connects");
    let early = ingest.declare(StreamBytes::default(), LostStreams::Create).await;
    assert!(matches!(early, Err(bus::DeclareError::NotYet("TX"))), "{early:?}");
    let lost = ingest.declare(StreamBytes::default(), LostStreams::Refuse).await;
    assert!(matches!(lost, Err(bus::DeclareError::Lost("TX"))), "{lost:?}");
    let _chaining = opened(&server, &logins, "chaining", Home::Streams).await;
    ingest.declare(StreamBytes::default(), LostStreams::Refuse).await.expect("they are there");
    ingest.declare_sandbox().await.expect("declares");
    let kept = put(&ingest, "sandbox.exchange.a", "asked").await.expect("kept");
    let found = ingest.next_of(subjects::SANDBOX, "sandbox.exchange.a", 1).await.expect("read").expect("there");
    assert_eq!(found.seq, kept);
}

#[tokio::test]
async fn a_key_that_is_replaced_on_one_side_is_said_and_on_both_is_taken() {
    let (mut server, logins, [licensing, _chaining, ingest]) = market().await;
    let mut config = logins.config();
    let other = NatsLogins::market();
    let key = |logins: &NatsLogins| {
        let config = logins.config().more;
        config.lines().find_map(|line| line.strip_prefix("INGEST: ").map(str::to_owned)).expect("a key")
    };
    config.more = config.more.replace(&key(&logins), &key(&other));
    server.configure(&config);
    server.restart();
    let mut link = ingest.link();
    limited("being refused", link.wait_for(|link| matches!(link, Link::Refused(_)))).await.expect("watched");
    assert!(ingest.well().expect_err("refused").contains("users.conf"));
    assert_eq!(put(&ingest, "tx.1.a.0", "frame").await, Err(PublishError::Away));
    let up = |link: &Link| matches!(link, Link::Up(_));
    limited("reconnecting", licensing.link().wait_for(up)).await.expect("watched");
    std::fs::write(logins.file("ingest"), other.seed("ingest")).expect("written");
    limited("being let in", link.wait_for(up)).await.expect("watched");
    put(&ingest, "tx.1.a.0", "frame").await.expect("accepted");

    // Nor is a server believed that has forgotten to ask.
    server.configure(&NatsConfig::default());
    server.restart();
    limited("refusing", link.wait_for(|link| matches!(link, Link::Refused(_)))).await.expect("watched");
    let login = Login { nkey_file: logins.file("licensing"), home: Home::Registry };
    let error = Bus::open(self::config(&server, Some(login)), StreamBytes::default(), LostStreams::Leave).await;
    assert!(matches!(error, Err(OpenError::Connect(ConnectError::AsksNobody(_)))));
}
