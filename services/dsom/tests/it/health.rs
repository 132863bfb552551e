//! Asking a service how it is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use crate::{dsom, said};

/// A service that gives the same answer to any page but `/healthz`, which is fine; its base URL.
fn service(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().expect("a second handle"));
            let (mut first, mut line) = (String::new(), String::new());
            reader.read_line(&mut first).expect("a request");
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let fine = first.starts_with("GET /healthz ");
            let (status, body) =
                if fine { ("200 OK", "{}") } else { answer.split_once('\n').expect("status and body") };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            client.write_all(format!("{head}{body}").as_bytes()).expect("an answer");
        }
    });
    url
}

#[test]
fn alive_and_ready_are_two_questions() {
    let url = service("503 Service Unavailable\n{\"failing\":{\"broker\":\"not connected\"}}");
    assert_eq!(said(&["health", &url]), (0, String::new()));
    let out = dsom(&["health", "--ready", &url]);
    assert_eq!(out.status.code(), Some(3));
    assert!(out.stdout.is_empty());
    let why = String::from_utf8(out.stderr).expect("UTF-8");
    assert!(why.contains("not ready") && why.contains("/readyz answered 503"), "{why}");
    assert!(why.contains("broker") && why.contains("not connected"), "{why}");

    let url = service("200 OK\n{\"status\":\"ready\"}");
    assert_eq!(said(&["health", "--ready", &format!("{url}/")]), (0, String::new()));
}

#[test]
fn silence_is_told_with_its_cause() {
    let (code, why) = said(&["health", "http://127.0.0.1:1"]);
    assert_eq!(code, 3);
    assert!(why.contains("http://127.0.0.1:1/healthz does not answer") && why.contains("refused"), "{why}");
}
