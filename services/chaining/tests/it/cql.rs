//! The CQL store behind a proxy that loses, forges and delays the frames of the protocol, on a real server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chaining::storage::{Appended, ScyllaStore, Sequenced, Store};
use contracts::Height;
use scylla::errors::DbError;
use store::cql::{Cql, Migration, Settings};
use testkit::scylla_proxy::{
    Condition, Reaction, RequestOpcode, RequestReaction, RequestRule, ResponseFrame, ResponseReaction,
};
use testkit::{APPLIED, CqlProxy};

use crate::world::{append, next_block, operator};

/// What only the insert of a block says, and that of a segment of the log.
const HEADER: &[u8] = b"dsom.block.v1";

struct Between {
    proxy: CqlProxy,
    store: Arc<dyn Store>,
    keyspace: testkit::CqlKeyspace,
}

impl Between {
    /// A store that talks to the server through a proxy; `None` where there is no server.
    async fn open() -> Option<Self> {
        let keyspace = testkit::CqlKeyspace::new()?;
        let mut settings = keyspace.clone();
        // The schema directly: the proxy answers each statement late.
        drop(ScyllaStore::open(&settings).await.expect("opens"));
        settings.migrate = false;
        let proxy = CqlProxy::before(&mut settings, Vec::new()).await;
        let store = Arc::new(ScyllaStore::open(&settings).await.expect("opens"));
        Some(Self { proxy, store, keyspace })
    }

    async fn height(&self) -> Height {
        self.store.head(operator(1)).await.expect("reads").height
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compare_and_set_whose_answer_is_lost_is_settled_by_reading() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 2).await;
    // The connection breaks after the server has done it; the client can't know.
    between.proxy.answers(1, APPLIED, ResponseReaction::drop_connection());
    let block = next_block(&between.store, operator(1), 3).await;
    let (header, height) = (block.header_bytes.clone(), block.header.height);
    let appended = retried(|| between.store.append_block_if_head_is(block.clone())).await;
    assert!(matches!(appended, Appended::Appended | Appended::AlreadyThere), "{appended:?}");
    let head = retried(|| between.store.head(operator(1))).await;
    assert_eq!(head.height, height);
    let stored = between.store.block(operator(1), height).await.expect("reads").expect("a block");
    assert_eq!(stored.header, header);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rival_whose_refusal_is_lost_learns_that_it_lost() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 1).await;
    let beside: Arc<dyn Store> = Arc::new(ScyllaStore::open(&between.keyspace).await.expect("opens"));
    let (winner, rival) = (next_block(&beside, operator(1), 1).await, next_block(&beside, operator(1), 5).await);
    // It has looked at the chain and not yet written when the other one writes.
    between.proxy.requests(1, HEADER, RequestReaction::delay(Duration::from_secs(4)));
    between.proxy.answers(1, APPLIED, ResponseReaction::drop_connection());
    let late = retried(|| between.store.append_block_if_head_is(rival.clone()));
    let early = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        beside.append_block_if_head_is(winner.clone()).await.expect("writes")
    };
    assert_eq!(tokio::join!(late, early), (Appended::HeadMoved, Appended::Appended));
    let stored = beside.block(operator(1), winner.header.height).await.expect("reads").expect("a block");
    assert_eq!(stored.frames, winner.frames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compare_and_set_that_never_arrived_writes_nothing_and_may_be_repeated() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 1).await;
    between.proxy.requests(1, HEADER, RequestReaction::drop_frame());
    let block = next_block(&between.store, operator(1), 3).await;
    let began = Instant::now();
    let failed = between.store.append_block_if_head_is(block.clone()).await;
    assert!(failed.is_err(), "{failed:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "a lost request ends after {:?}", began.elapsed());
    assert_eq!(between.height().await, Height(1));
    assert_eq!(between.store.append_block_if_head_is(block).await.expect("writes"), Appended::Appended);
    assert_eq!(between.height().await, Height(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_the_server_are_told_and_leave_nothing_half_done() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 1).await;
    let forge = RequestReaction::forge();
    for reaction in [
        forge.overloaded(),
        forge.write_timeout(),
        forge.unavailable(),
        forge.server_error(),
        forge.is_bootstrapping(),
        forge.write_failure(),
    ] {
        let before = between.height().await;
        // The driver may try again by itself where that is harmless, so more than one is refused.
        between.proxy.requests(16, HEADER, reaction);
        let block = next_block(&between.store, operator(1), 2).await;
        let outcome = between.store.append_block_if_head_is(block.clone()).await;
        assert!(outcome.is_err(), "{outcome:?}");
        let words = chaining::error::with_causes(&outcome.expect_err("a refusal"));
        assert!(words.contains("block") && words.contains("CQL"), "{words}");
        assert_eq!(between.height().await, before);
        between.proxy.calm();
        assert_eq!(between.store.append_block_if_head_is(block).await.expect("writes"), Appended::Appended);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_statements_is_told_them_again() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 1).await;
    // What a restarted server answers to every statement that was prepared before. The id is the one that was sent.
    let execute = Condition::RequestOpcode(RequestOpcode::Execute);
    let forged = RequestReaction::forge_response(Arc::new(|request| {
        let length = usize::from(u16::from_be_bytes([request.body[0], request.body[1]]));
        let id = request.body.slice(2..2 + length);
        let error = DbError::Unprepared { statement_id: id };
        ResponseFrame::forged_error(request.params.for_response(), error, None).expect("a frame")
    }));
    for _ in 0..5 {
        let once = execute.clone().and(Condition::TrueForLimitedTimes(1));
        between.proxy.request_rules(vec![RequestRule(once, forged.clone())]);
        append(&between.store, operator(1), 1).await;
    }
    assert_eq!(between.height().await, Height(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_about_the_logs_order_is_settled_by_reading() {
    let Some(mut between) = Between::open().await else { return };
    append(&between.store, operator(1), 3).await;
    let headers = between.store.headers(operator(1), Height(1), 3).await.expect("reads");
    let entries: Vec<_> = (1..)
        .zip(headers)
        .map(|(height, header)| chaining::storage::LogEntry { operator: operator(1), height: Height(height), header })
        .collect();
    between.proxy.answers(1, APPLIED, ResponseReaction::drop_connection());
    let sequenced = retried(|| between.store.sequence(0, entries.clone())).await;
    // Told so at once, or found by the repeated try.
    assert!(matches!(sequenced, Sequenced::Sequenced | Sequenced::SizeMoved { size: 3 }), "{sequenced:?}");
    assert_eq!(retried(|| between.store.entries(0, 10)).await, entries);
    assert_eq!(between.store.log_size().await.expect("reads"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_is_waited_for() {
    let Some(mut between) = Between::open().await else { return };
    let execute = Condition::RequestOpcode(RequestOpcode::Execute);
    let rule = RequestRule(execute, RequestReaction::delay(Duration::from_millis(300)));
    between.proxy.request_rules(vec![rule]);
    let began = Instant::now();
    append(&between.store, operator(1), 2).await;
    assert!(began.elapsed() > Duration::from_millis(900), "the proxy did not slow it down");
    assert_eq!(between.height().await, Height(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_made_though_the_first_look_at_the_ring_failed() {
    let Some(keyspace) = testkit::CqlKeyspace::new() else { return };
    let mut settings = keyspace.clone();
    // The driver goes on with a ring it makes up, and a second later has the real one, of other nodes.
    let look = Condition::RequestOpcode(RequestOpcode::Query).or(Condition::RequestOpcode(RequestOpcode::Prepare));
    let look = look.and(Condition::BodyContainsCaseSensitive((*b"system.local").into()));
    let (told, mut failed) = tokio::sync::mpsc::unbounded_channel();
    let fail = RequestReaction::forge().server_error().with_feedback_when_performed(told);
    let rule = RequestRule(look.and(Condition::TrueForLimitedTimes(1)), fail);
    let _proxy = CqlProxy::before(&mut settings, vec![rule]).await;

    let began = Instant::now();
    ScyllaStore::open(&settings).await.expect("opens");
    assert!(failed.try_recv().is_ok(), "no look failed");
    assert!(began.elapsed() < Duration::from_secs(50), "took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_production_does_not_start_on_a_node_that_acknowledges_before_it_syncs() {
    let Some(keyspace) = testkit::CqlKeyspace::new() else { return };
    let mut settings = keyspace.clone();
    drop(ScyllaStore::open(&settings).await.expect("opens"));
    settings.migrate = false;
    settings.production = true;
    let mut proxy = CqlProxy::before(&mut settings, Vec::new()).await;
    drop(ScyllaStore::open(&settings).await.expect("opens: this one syncs"));
    // What the node says of its commit log, in another word of that length.
    let lazy = ResponseReaction::transform_frame(Arc::new(|mut answer: ResponseFrame| {
        let at = answer.body.windows(5).position(|part| part == b"batch").expect("the word");
        answer.body = [&answer.body[..at], b"never", &answer.body[at + 5..]].concat().into();
        answer
    }));
    proxy.answers(1, b"batch", lazy.clone());
    let refused = ScyllaStore::open(&settings).await.err().expect("a refusal");
    let words = chaining::error::with_causes(&refused);
    assert!(words.contains("(never)") && words.contains("commitlog_sync: batch"), "{words}");
    settings.production = false;
    proxy.answers(1, b"batch", lazy);
    drop(ScyllaStore::open(&settings).await.expect("opens, and warns"));
}

#[tokio::test]
async fn who_has_lost_the_lock_of_the_schema_changes_nothing_more() {
    let Some(settings) = testkit::CqlKeyspace::new() else { return };
    // Its first statement is what another process does when the lock has ended.
    let text = "INSERT INTO @schema_lock (id, holder) VALUES (0, uuid());\nCREATE TABLE @late (id int PRIMARY KEY);\n";
    let stolen = [Migration { name: "0001_stolen", text }];
    let lost = Cql::migrate(&settings, "chaining", &stolen).await.expect_err("the lock is another's");
    let words = chaining::error::with_causes(&lost);
    assert!(words.contains("has taken the lock"), "{words}");
    let cql = Cql::open(&Settings { migrate: false, ..settings.clone() }, "chaining", &[]).await.expect("opens");
    assert!(cql.read("SELECT id FROM @late").await.is_err(), "the statement after it was carried out");
}

/// As chains do it: again until there is an answer.
async fn retried<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(mut verb: impl FnMut() -> F) -> T {
    for _ in 0..20 {
        match verb().await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    panic!("no answer");
}
