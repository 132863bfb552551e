//! `runtime::main` as a process: this test program, started again as a service.

use std::io::{BufRead, BufReader};
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
    let code = runtime::main("hello", |config: ServeConfig| async move {
        let service =
            Service { configure: Arc::new(|_| {}), health: Health::new(), auth: None, openapi: String::new() };
        let running = serve::start(&config, service)?;
        Ok::<_, std::io::Error>((running, async { tracing::info!("closed") }))
    });
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}

fn start(listen: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--nocapture"]);
    command.env("DSOM_TEST_CHILD", "1").env("DSOM_STOP_WITH_STDIN", "1").env("DSOM_HELLO_LISTEN", listen);
    command.env_remove("DSOM_CONFIG").env_remove("RUST_LOG").env("DSOM_LOG", "json");
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
fn a_wrong_configuration_is_said_by_name() {
    let mut child = start("nonsense");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = read_until(&mut lines, "error:");
    assert!(line.contains("hello") && line.to_lowercase().contains("listen"), "{line}");
    drop(lines);
    assert!(!ended(&mut child).success());
}
