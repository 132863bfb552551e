//! The paths of a running service and their methods, held against its own document.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// Asks each path of the OpenAPI document that a service serves for methods that nobody knows there: the answer is 405, and `Allow` names
/// the documented methods, and HEAD where GET is one of them.
pub async fn every_path_knows_its_methods(addr: SocketAddr) {
    tokio::task::spawn_blocking(move || ask_all(addr)).await.expect("every path was asked");
}

fn ask_all(addr: SocketAddr) {
    let document: Value = serde_json::from_str(&ask(addr, "GET", "/openapi.json").2).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    assert!(!paths.is_empty());
    for (path, methods) in paths {
        let mut known: Vec<String> =
            methods.as_object().expect("a path has methods").keys().map(|method| method.to_uppercase()).collect();
        if known.iter().any(|method| method == "GET") {
            known.push("HEAD".to_owned());
        }
        known.sort_unstable();
        for method in ["DELETE", "OPTIONS"] {
            let (status, allow, _) = ask(addr, method, &path.replace(['{', '}'], ""));
            let mut allowed: Vec<&str> = allow.split(", ").collect();
            allowed.sort_unstable();
            assert_eq!((status, allowed.join(" ")), (405, known.join(" ")), "{method} {path}");
        }
    }
}

/// Status, `Allow` and body of an answer.
fn ask(addr: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let mut socket = TcpStream::connect(addr).expect("the service listens");
    write!(socket, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let header = |line: &str| line.to_lowercase().strip_prefix("allow: ").map(str::to_uppercase);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.lines().find_map(header).unwrap_or_default(), body.to_owned())
}
