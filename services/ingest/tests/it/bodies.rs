//! Bodies of every kind: how they may be packed, and what is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use contracts::batch::{BATCH_BYTES_MAX, SENT_BYTES_MAX};

use crate::world::{World, record, records, root};

/// Names and values.
type Headers = &'static [(&'static str, &'static str)];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("packs");
    packer.finish().expect("packs")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("packs")
}

#[actix_rt::test]
async fn every_form_of_a_batch_is_the_same_batch() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let ndjson = "application/x-ndjson; charset=utf-8";
    let mut stream = 0;
    // Small, large enough to be packed alone, and large enough for another thread.
    for count in [1, 3, 400, 3_000] {
        let lines = records(1..count + 1);
        let (text, array) = (lines.join("\n").into_bytes(), format!(" [{}] ", lines.join(" ,\n ")).into_bytes());
        let mut forms: Vec<(&str, Headers, Vec<u8>)> = vec![
            (ndjson, &[], text.clone()),
            (ndjson, &[("Content-Encoding", "identity")], [&text[..], b"\n"].concat()),
            (ndjson, &[("Content-Encoding", "gzip")], gzip(&text)),
            (ndjson, &[("Content-Encoding", "zstd")], zstd(&text)),
            ("application/json", &[], array.clone()),
            ("Application/JSON", &[("Content-Encoding", "ZSTD")], zstd(&array)),
        ];
        if count == 1 {
            forms.push(("application/json", &[], text.clone()));
        }
        for (media, headers, body) in forms {
            let answer = operator.post(&ingest, stream, media, headers, body).await;
            assert_eq!(answer.status, 201, "{media} {headers:?} {}", answer.body);
            assert_eq!(answer.claims(&ingest).await.root, root(&lines));
            let kept = world.records(operator.id, stream).await;
            assert!(kept.iter().eq(lines.iter().map(String::as_bytes)), "the bytes are kept as they were sent");
            stream += 1;
        }
    }
}

#[actix_rt::test]
async fn what_is_no_batch_is_refused_with_its_code_and_changes_nothing() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let (ndjson, json) = ("application/x-ndjson", "application/json");
    let (one, two) = (record(1), record(2));
    let lines = |count: u64| records(1..count + 1).join("\n").into_bytes();
    let names = format!("{{{}\"at\":1}}", "\"at\":1,".repeat((BATCH_BYTES_MAX - 8) / 7)).into_bytes();
    let cases: Vec<(u16, &str, &str, Headers, Vec<u8>)> = vec![
        (415, "unsupported-media-type", "text/plain", &[], one.clone().into()),
        (415, "unsupported-media-type", "application/x-www-form-urlencoded", &[], one.clone().into()),
        (400, "bad-body", ndjson, &[("Content-Encoding", "br")], one.clone().into()),
        (400, "bad-body", ndjson, &[("Content-Encoding", "gzip, gzip")], gzip(&gzip(one.as_bytes()))),
        (400, "bad-body", ndjson, &[("Content-Encoding", "gzip")], one.clone().into()),
        (400, "bad-body", ndjson, &[("Content-Encoding", "zstd")], gzip(one.as_bytes())),
        (400, "bad-body", ndjson, &[("Content-Encoding", "zstd")], zstd(&lines(50))[..100].to_vec()),
        (422, "invalid-records", ndjson, &[], format!("{one}\r\n{two}").into()),
        (422, "invalid-records", ndjson, &[], format!("{one}\n\n{two}").into()),
        (400, "bad-body", json, &[], format!("[{one},{two}").into()),
        (400, "bad-body", json, &[], format!("[{one},{two}] 1").into()),
        (422, "empty-batch", json, &[], "[]".into()),
        (422, "empty-batch", ndjson, &[("Content-Encoding", "gzip")], gzip(b"")),
        (422, "too-many-records", ndjson, &[("Content-Encoding", "zstd")], zstd(&lines(10_001))),
        (413, "too-big", ndjson, &[], vec![b'x'; SENT_BYTES_MAX + 1]),
        (413, "too-big", ndjson, &[("Content-Encoding", "gzip")], gzip(&vec![b' '; BATCH_BYTES_MAX + 1])),
        (413, "too-big", ndjson, &[("Content-Encoding", "zstd")], zstd(&vec![b' '; 1 << 30])),
        // One record as large as a batch may be, a kilobyte as sent: refused without being read.
        (422, "invalid-records", ndjson, &[("Content-Encoding", "zstd")], zstd(&names)),
        (422, "invalid-records", json, &[("Content-Encoding", "zstd")], zstd(&names)),
        (422, "invalid-records", json, &[], format!("[{one},1]").into()),
        (422, "invalid-records", ndjson, &[], one.replace("{\"seq\"", "{\"seq\":1,\"seq\"").into()),
        (422, "invalid-records", ndjson, &[], one.replace("{\"seq\"", "{\"extra\":[[[[1]]]],\"seq\"").into()),
        (422, "invalid-records", ndjson, &[], one.replace("r:", "\\ud800").into()),
        (422, "invalid-records", ndjson, &[], one.replace("100", "1e400").into()),
        (422, "invalid-records", ndjson, &[], [one.as_bytes(), b"\xff"].concat()),
    ];
    for (status, code, media, headers, body) in cases {
        let size = body.len();
        let answer = operator.post(&ingest, 0, media, headers, body).await;
        assert_eq!(answer.code(), (status, code), "{media} {headers:?} {size} bytes: {}", answer.body);
    }
    for stream in ["256", "-1", "x", "01", "%00"] {
        let url = format!("{}/v1/streams/{stream}/batches", ingest.url);
        let request =
            world.http.post(url).bearer_auth(&operator.token).header("Content-Type", ndjson).body(one.clone());
        let answer = crate::world::Answer::to(request).await;
        assert_eq!(answer.code(), (400, "bad-request"), "{stream}");
    }
    assert!(world.frames(operator.id, 0).await.is_empty());
    assert_eq!(operator.send(&ingest, 0, &[one]).await.status, 201);
}

/// Sends raw bytes, and reads what comes back until the connection is closed or `limit` has passed.
fn raw(url: &str, pieces: &[&[u8]], limit: Duration) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("connects");
    stream.set_read_timeout(Some(limit)).expect("sets");
    for piece in pieces {
        stream.write_all(piece).expect("writes");
    }
    stream.shutdown(std::net::Shutdown::Write).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_rt::test]
async fn bodies_cut_short_slow_or_without_end_are_refused_and_change_nothing() {
    let world = World::new();
    let (ingest, operator) = (world.ingest("a").await, world.operator());
    let line = record(1);
    let head = |extra: &str| {
        format!(
            "POST /v1/streams/0/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/x-ndjson\r\n{extra}\r\n\r\n",
            operator.token
        )
    };
    // One whole record arrives, but the head promised more.
    let cut = head(&format!("Content-Length: {}", line.len() + 100));
    let url = ingest.url.clone();
    let (sent, to) = (line.clone(), url.clone());
    let answer =
        tokio::task::spawn_blocking(move || raw(&to, &[cut.as_bytes(), sent.as_bytes()], Duration::from_secs(5)));
    let answer = answer.await.expect("ends");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    let chunked = head("Transfer-Encoding: chunked");
    let (sent, to) = (format!("{:x}\r\n{line}\r\n", line.len()), url.clone());
    let answer =
        tokio::task::spawn_blocking(move || raw(&to, &[chunked.as_bytes(), sent.as_bytes()], Duration::from_secs(5)));
    let answer = answer.await.expect("ends");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");

    // A body that never ends: the deadline, not the client, ends it.
    let slow = head("Content-Length: 1000");
    let began = Instant::now();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("connects");
        stream.write_all(slow.as_bytes()).expect("writes");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("sets");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|w| w == b"\r\n\r\n") && began.elapsed() < Duration::from_secs(40) {
            stream.write_all(b"x").ok();
            let mut piece = [0; 4_096];
            if let Ok(read @ 1..) = stream.read(&mut piece) {
                answer.extend_from_slice(&piece[..read]);
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = answer.await.expect("ends");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!((9..40).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(world.frames(operator.id, 0).await.is_empty());
    assert_eq!(operator.send(&ingest, 0, &[line]).await.status, 201);
}

#[actix_rt::test]
async fn what_does_not_fit_the_memory_budget_is_to_be_sent_again() {
    let world = World::new();
    let mut config = world.config("a");
    config.memory_bytes_max = 1 << 20;
    let (ingest, operator) = (world.ingest_with(config).await, world.operator());
    let answer = operator.send(&ingest, 0, &records(1..6_000)).await;
    assert_eq!(answer.code(), (503, "unavailable"));
    assert!(answer.retry_after.is_some());
    assert_eq!(answer.body["retry"], "same-bytes");
    assert_eq!(operator.send(&ingest, 0, &records(1..500)).await.status, 201);
}
