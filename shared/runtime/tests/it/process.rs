//! `runtime::main` as a process: this test program, started again as a service.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::{Health, ServeConfig, Service, serve};

/// Is the service when told so, and nothing among the other tests.
#[test]
fn child() {
    if std::env::var_os("DSOM_TEST_CHILD").is_none() {
        return;
    }
    let loses = std::env::var_os("DSOM_TEST_LOSES").is_some();
    let code = runtime::main("hello", move |config: ServeConfig| async move {
        let health = Health::new();
        health.vital("store", move || if loses { Err("a sync failed".to_owned()) } else { Ok(()) });
        let service = Service { configure: Arc::new(|_| {}), health, auth: None, people: None, openapi: String::new() };
        let running = serve::start(&config, service)?;
        Ok::<_, std::io::Error>((running, async { tracing::info!("closed") }))
    });
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}

fn start(listen: &str) -> Child {
    start_with(listen, &[])
}

fn start_with(listen: &str, env: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--nocapture"]);
    command.env("DSOM_TEST_CHILD", "1").env("DSOM_STOP_WITH_STDIN", "1").env("DSOM_HELLO_LISTEN", listen);
    command.env_remove("DSOM_CONFIG").env_remove("RUST_LOG").env("DSOM_LOG", "json");
    command.envs(env.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it logs until a line has a word.
fn read_until(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> String {
    let mut seen = String::new();
    for line in lines.map_while(Result::ok) {
        seen.push_str(&line);
        if line.contains(word) {
            return seen;
        }
    }
    panic!("no {word} in {seen}");
}

fn ended(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn it_stops_when_its_supervisor_is_gone() {
    let mut child = start("127.0.0.1:0");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = read_until(&mut lines, "serving");
    assert!(line.contains("\"addr\":\"127.0.0.1:"), "JSON as asked: {line}");
    drop(child.stdin.take());
    read_until(&mut lines, "closed");
    assert!(ended(&mut child).success());
}

#[test]
fn it_stops_at_sigterm() {
    let mut child = start("127.0.0.1:0");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    read_until(&mut lines, "serving");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let log = read_until(&mut lines, "\"message\":\"stopped\"");
    assert!(log.contains("SIGTERM") && log.contains("closed"), "{log}");
    assert!(ended(&mut child).success());
}

#[test]
fn it_ends_as_failed_when_something_vital_is_lost() {
    let mut child = start_with("127.0.0.1:0", &[("DSOM_TEST_LOSES", "1")]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let log = read_until(&mut lines, "error:");
    assert!(log.contains("store: a sync failed") && log.contains("closed"), "{log}");
    drop(lines);
    assert!(!ended(&mut child).success());
}

#[test]
fn a_wrong_configuration_is_said_by_name() {
    let mut child = start("nonsense");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = read_until(&mut lines, "error:");
    assert!(line.contains("hello") && line.to_lowercase().contains("listen"), "{line}");
    drop(lines);
    assert!(!ended(&mut child).success());
}

#[test]
fn a_request_continues_its_callers_trace_and_is_exported() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let received = std::thread::spawn(move || {
        let (mut socket, _) = collector.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut head, mut bytes) = (None, Vec::new());
        let mut chunk = [0; 4096];
        loop {
            let read = socket.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..read]);
            if head.is_none() {
                head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| {
                    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
                    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
                    (at + 4 + length.parse::<usize>().unwrap(), head)
                });
            }
            if head.as_ref().is_some_and(|(whole, _)| bytes.len() >= *whole) {
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                return (head.unwrap().1, bytes);
            }
            assert!(read > 0, "the exporter hung up");
        }
    });

    let mut child = start_with("127.0.0.1:0", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = read_until(&mut lines, "serving");
    let addr = line.split("\"addr\":\"").nth(1).unwrap().split('"').next().unwrap();
    let trace: [u8; 16] = *b"a trace's number";
    let trace_hex: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut socket = TcpStream::connect(addr).unwrap();
    let head = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntraceparent: 00-{trace_hex}-0102030405060708-01\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();
    drop(child.stdin.take());
    let (head, bytes) = received.join().unwrap();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    // After the name comes the kind: field 6, SPAN_KIND_SERVER = 2.
    for part in [&trace[..], b"dsom-hello", b"GET /healthz\x30\x02", b"http.route", b"http.response.status_code"] {
        assert!(has(part), "{} is not in {}", String::from_utf8_lossy(part), String::from_utf8_lossy(&bytes));
    }
    assert!(ended(&mut child).success());
}
