//! A stand-in for licensing: it writes down what it is asked, and answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `GET /v1/operators?limit=500`.
    pub line: String,
    /// The token, if there was one.
    pub token: Option<String>,
    /// The body, `null` without one.
    pub body: Value,
}

pub struct Licensing {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Licensing {
    /// Answers every request by its line and body, with a status and what to say.
    pub fn start(answer: impl Fn(&str, &Value) -> (u16, Value) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                serve(socket.expect("a connection"), &seen, &answer);
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked").clone()
    }

    /// The lines alone.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Runs `dsom` as a clerk of it: exit code, standard output, standard error.
    pub fn clerk(&self, arguments: &[&str]) -> (i32, String, String) {
        let out = crate::dsom(&[arguments, &["--licensing", &self.url, "--token", "a.b.c"]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().expect("an exit code"), text(&out.stdout), text(&out.stderr))
    }
}

fn serve(socket: TcpStream, seen: &Mutex<Vec<Asked>>, answer: &impl Fn(&str, &Value) -> (u16, Value)) {
    let mut reader = BufReader::new(&socket);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let first = line();
    let heads: Vec<String> = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
    let head = |name: &str| {
        let of = |line: &String| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        heads.iter().find_map(of)
    };
    let mut body = vec![0; head("content-length").map_or(0, |length| length.parse().expect("a length"))];
    reader.read_exact(&mut body).expect("the body");
    let asked = Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        token: head("authorization").map(|token| token.trim_start_matches("Bearer ").to_owned()),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (status, said) = answer(&asked.line, &asked.body);
    seen.lock().expect("nobody panicked").push(asked);
    let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    let head =
        format!("HTTP/1.1 {status} X\r\netag: \"7\"\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", said.len());
    (&socket).write_all([head.as_bytes(), said.as_bytes()].concat().as_slice()).expect("an answer");
}
