//! The load: many streams, each with several connections, each request at its intended time. A lean HTTP/1.1 client, because the
//! generator shares the machine with what it measures: a request costs it 9 us of CPU, reqwest 26 us (same machine, one connection).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::generate::Generator;

/// Most bytes of an answer's head and body together.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Pause before the same request is sent again after a 503 or a broken connection.
const AGAIN: Duration = Duration::from_millis(100);

/// One stream of the load.
pub struct Stream {
    /// `host:port` of ingest.
    pub address: String,
    /// The request's head up to the value of `Content-Length`.
    pub head: String,
    /// Where its records come from.
    pub generator: Generator,
    /// When its next request is due.
    pub next: Instant,
    /// Time between two requests.
    pub every: Duration,
    /// Records of a request.
    pub batch: u32,
}

/// What all connections count together.
pub struct Counts {
    /// Records with a 201 or 200.
    pub accepted: AtomicU64,
    /// Requests with such an answer.
    pub requests: AtomicU64,
    /// Answers 429 and 503, and broken connections: the request was sent again.
    pub again: AtomicU64,
    /// Other answers: the stream stopped.
    pub refused: AtomicU64,
    /// Latency of accepted requests from their intended start, in microseconds.
    pub latency_us: std::sync::Mutex<Histogram<u64>>,
}

impl Counts {
    /// All zero.
    ///
    /// # Errors
    /// The histogram could not be made.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            accepted: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            again: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            // 1 us to 10 minutes, three digits.
            latency_us: std::sync::Mutex::new(Histogram::new_with_bounds(1, 600_000_000, 3)?),
        })
    }
}

/// Sends the requests of all streams until `end`, each stream over so many connections. One thread: the generator takes its work
/// from one core and never passes it between two.
///
/// # Errors
/// There are no threads.
pub fn send(streams: Vec<Stream>, connections: u32, counts: &Arc<Counts>, end: Instant) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for stream in streams {
            let stream = Arc::new(Mutex::new(stream));
            for _ in 0..connections {
                tasks.spawn(connection(Arc::clone(&stream), Arc::clone(counts), end));
            }
        }
        tasks.join_all().await;
    });
    Ok(())
}

/// Sends a stream's requests over one of its connections until `end`.
async fn connection(stream: Arc<Mutex<Stream>>, counts: Arc<Counts>, end: Instant) {
    let (mut body, mut request, mut answer) = (Vec::new(), Vec::new(), Vec::with_capacity(4096));
    let mut socket: Option<TcpStream> = None;
    loop {
        let (due, batch, address) = {
            let mut stream = stream.lock().await;
            let due = stream.next;
            if due >= end {
                return;
            }
            stream.next = due + stream.every;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            body.clear();
            for _ in 0..stream.batch {
                stream.generator.push_line(&mut body, now);
            }
            request.clear();
            request.extend_from_slice(stream.head.as_bytes());
            request.extend_from_slice(body.len().to_string().as_bytes());
            request.extend_from_slice(b"\r\n\r\n");
            request.extend_from_slice(&body);
            (due, stream.batch, stream.address.clone())
        };
        sleep_until(due).await;
        loop {
            match exchange(&mut socket, &address, &request, &mut answer).await {
                Some(200 | 201) => break,
                Some(429 | 503) | None => {
                    counts.again.fetch_add(1, Ordering::Relaxed);
                    // Long after the end, what is still refused will not come.
                    if Instant::now() > end + Duration::from_secs(30) {
                        return;
                    }
                    sleep(AGAIN).await;
                }
                Some(_) => {
                    if counts.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                        note!("dsom: refused: {}", String::from_utf8_lossy(&answer));
                    }
                    return;
                }
            }
        }
        counts.accepted.fetch_add(u64::from(batch), Ordering::Relaxed);
        counts.requests.fetch_add(1, Ordering::Relaxed);
        let latency = due.elapsed().as_micros() as u64;
        if let Ok(mut histogram) = counts.latency_us.lock() {
            histogram.saturating_record(latency);
        }
    }
}

/// Sends a request and reads its answer; the status, or `None` when the connection broke.
async fn exchange(socket: &mut Option<TcpStream>, address: &str, request: &[u8], answer: &mut Vec<u8>) -> Option<u16> {
    if socket.is_none() {
        let new = TcpStream::connect(address).await.ok()?;
        new.set_nodelay(true).ok()?;
        *socket = Some(new);
    }
    let open = socket.as_mut()?;
    let status = match open.write_all(request).await {
        Ok(()) => read_answer(open, answer).await,
        Err(_) => None,
    };
    if status.is_none() {
        *socket = None;
    }
    status
}

async fn read_answer(socket: &mut TcpStream, answer: &mut Vec<u8>) -> Option<u16> {
    answer.clear();
    loop {
        if socket.read_buf(answer).await.ok()? == 0 || answer.len() > ANSWER_BYTES_MAX {
            return None;
        }
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(answer.get(..head)?).ok()?;
        let length: usize = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        })?;
        if answer.len() >= head + 4 + length {
            return text.get(9..12)?.parse().ok();
        }
    }
}
