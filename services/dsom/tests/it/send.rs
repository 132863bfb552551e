//! What `dsom send` does with one stream, against the SDK's own server: what is there is compared, what is promised is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Config;
use contracts::StreamNo;
use dsom::Exit;
use dsom::sending::{Book, Job, Sent, send};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::server::{Deed, Server, operator, record};

struct World {
    server: Server,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(deeds: impl IntoIterator<Item = Deed>) -> Self {
        Self { server: Server::start(0, deeds).await, folder: tempfile::tempdir().expect("a folder") }
    }

    fn receipts(&self) -> PathBuf {
        self.folder.path().join("receipts.jsonl")
    }

    /// First and last seq of each receipt in the file, in the order of seqs.
    fn ranges(&self) -> Vec<(u64, u64)> {
        let text = fs::read_to_string(self.receipts()).expect("a file");
        let mut ranges: Vec<_> = text
            .lines()
            .map(|line| {
                let claims = &serde_json::from_str::<Value>(line).expect("a receipt")["claims"];
                (claims["first_seq"].as_u64().expect("a seq"), claims["last_seq"].as_u64().expect("a seq"))
            })
            .collect();
        ranges.sort_unstable();
        ranges
    }

    fn file(&self, name: &str, records: impl IntoIterator<Item = Vec<u8>>) -> PathBuf {
        let path = self.folder.path().join(name);
        let text: Vec<u8> = records.into_iter().flat_map(|record| [record, b"\n".to_vec()].concat()).collect();
        fs::write(&path, text).expect("writes");
        path
    }

    async fn send(&self, files: &[&Path]) -> Sent {
        let mut config = Config::new(&self.server.url, "token", operator());
        config.batch_records_max = 10;
        config.pause_max = Duration::from_millis(100);
        config.linger = Duration::from_secs(3_600);
        config.give_up_after = Some(Duration::from_secs(2));
        send(Job {
            config,
            // Nobody there: it can't be asked which record differs.
            chaining: "http://127.0.0.1:1".into(),
            stream: StreamNo(3),
            files: files.iter().map(|file| file.to_path_buf()).collect(),
            book: Some(Arc::new(Book::open(&self.receipts()).expect("a book"))),
            bar: ProgressBar::hidden(),
        })
        .await
    }

    fn deeds(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.server.state.lock().expect("state").deeds.extend(deeds);
    }
}

#[tokio::test]
async fn an_interrupted_run_is_repeated_and_its_receipts_are_whole() {
    let world = World::new([Deed::NewKey(1), Deed::LoseTheAnswer]).await;
    // From the second batch on, which is accepted without an answer, nobody answers until it gives up.
    world.deeds(std::iter::repeat_n(Deed::Busy(None), 200));
    let file = world.file("a", (1..=45).map(record));
    let sent = world.send(&[&file]).await;
    let failure = sent.failure.expect("it gives up");
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.text.contains("gave up after") && failure.text.contains("503"), "{}", failure.text);
    assert_eq!((sent.records, world.ranges()), (10, vec![(1, 10)]), "what was promised is kept");

    // A kill in the middle of a line.
    let torn = [fs::read(world.receipts()).expect("reads"), b"{\"receipt\":\"ey".to_vec()].concat();
    fs::write(world.receipts(), torn).expect("writes");
    world.server.state.lock().expect("state").deeds.clear();
    let sent = world.send(&[&file]).await;
    assert!(sent.failure.is_none(), "{sent:?}");
    assert_eq!((sent.there, sent.records, sent.receipts, sent.unchecked), (20, 25, 4, 0), "one was fetched");
    let whole = [(1, 10), (11, 20), (21, 30), (31, 40), (41, 45)];
    assert_eq!(world.ranges(), whole);

    let sent = world.send(&[&file]).await;
    assert_eq!((sent.there, sent.records, sent.receipts), (45, 0, 0), "{sent:?}");
    assert_eq!(world.ranges(), whole, "none is written twice");
    fs::remove_file(world.receipts()).expect("removes");
    assert_eq!(world.send(&[&file]).await.receipts, 5, "all are fetched");
    assert_eq!(world.ranges(), whole);
}

#[tokio::test]
async fn accepted_records_that_were_edited_are_not_called_there() {
    let world = World::new([]).await;
    let file = world.file("a", (1..=25).map(record));
    assert!(world.send(&[&file]).await.failure.is_none());
    let edited = |seq: u64| match seq {
        17 => String::from_utf8(record(17)).expect("text").replace("xx", "yy").into_bytes(),
        _ => record(seq),
    };
    let other = world.file("b", (1..=30).map(edited));
    // With the receipts of the first run, and with those that ingest gives.
    for forget in [false, true] {
        if forget {
            fs::remove_file(world.receipts()).expect("removes");
        }
        let failure = world.send(&[&other]).await.failure.expect("a record differs");
        assert_eq!(failure.exit, Exit::Bad);
        let named = format!("{} line 11 to {0} line 20", other.display());
        assert!(failure.text.contains(&named) && failure.text.contains("with other bytes"), "{}", failure.text);
        assert_eq!(world.server.state.lock().expect("state").records.len(), 25, "nothing was sent after it");
    }
    // A part of a batch can't be compared, and is said to be so.
    let part = world.file("c", (5..=25).map(record));
    let sent = world.send(&[&part]).await;
    assert_eq!((sent.failure.is_none(), sent.there, sent.unchecked), (true, 21, 6), "{sent:?}");
}

#[tokio::test]
async fn refused_records_are_named_by_file_and_line() {
    let errors: Vec<Value> = (11..=20)
        .map(|seq| json!({"index": seq - 11, "seq": seq, "pointer": "/amount", "code": "out-of-range", "detail": "below 0"}))
        .chain([json!({"index": 9, "seq": 20, "pointer": "", "code": "unknown-field", "detail": "x"})])
        .collect();
    let refusal = json!({"status": 422, "code": "invalid-records", "detail": "11 violations", "errors": errors, "request_id": "r-1"});
    let world = World::new([Deed::NewKey(1), Deed::Refuse(422, refusal)]).await;
    let (a, b) = (world.file("a", (1..=12).map(record)), world.file("b", (13..=20).map(record)));
    let sent = world.send(&[&a, &b]).await;
    let failure = sent.failure.expect("refused");
    assert_eq!((failure.exit, sent.records, world.ranges()), (Exit::Bad, 10, vec![(1, 10)]));
    for part in [
        "(request r-1)".to_owned(),
        format!("{} line 11: /amount out-of-range: below 0", a.display()),
        format!("{} line 8: /amount", b.display()),
        "and 1 more".to_owned(),
    ] {
        assert!(failure.text.contains(&part), "{part}: {}", failure.text);
    }
}

#[tokio::test]
async fn lines_that_are_no_records_stop_a_stream_behind_the_good_ones() {
    for (bad, why) in [
        (b"{}".to_vec(), "line 13: no record"),
        (record(14), "line 13: seq 14 follows seq 12"),
        (record(12), "line 13: seq 12 follows seq 12"),
    ] {
        let world = World::new([]).await;
        let file = world.file("a", (1..=12).map(record).chain([bad, record(14)]));
        let sent = world.send(&[&file]).await;
        let failure = sent.failure.expect("it is bad");
        assert!(failure.text.contains(why), "{}", failure.text);
        assert_eq!((failure.exit, sent.records, world.ranges()), (Exit::Bad, 12, vec![(1, 10), (11, 12)]));
    }
}
