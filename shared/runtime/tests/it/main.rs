//! A service made of nothing but the runtime, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are not tests to clippy"
)]

mod issuer_url;
mod people;
mod process;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use contracts::OperatorId;
use contracts::problems::Code;
use runtime::{ApiError, Auth, AuthConfig, Caller, Health, Running, ServeConfig, Service, serve};
use serde_json::{Value, json};
use testkit::{AUDIENCE, ISSUER, Issuer};

const OPERATOR: &str = "13013f29-b9df-4b82-ad28-e51596b7e0b4";

struct World {
    running: Running,
    url: String,
    addr: SocketAddr,
    health: Health,
    issuer: Issuer,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::new();
    let path = dir.path().join("jwks.json");
    issuer.write_jwks(&path);
    let jwks = path.to_str().unwrap().to_owned();
    let auth = AuthConfig {
        jwks,
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
        client_cert: Default::default(),
    };
    let health = Health::new();
    let service = Service {
        configure: Arc::new(routes),
        health: health.clone(),
        auth: Some(Auth::start(&auth, None).await.unwrap()),
        people: None,
        openapi: json!({"openapi": "3.1.0"}).to_string(),
    };
    let config = ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), workers: 1 };
    let running = serve::start(&config, service).unwrap();
    let addr = running.addr();
    World { running, url: format!("http://{addr}"), addr, health, issuer, http: reqwest::Client::new(), _dir: dir }
}

#[test]
fn an_address_is_free_until_somebody_listens_there() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    assert_eq!(serve::require_free(addr).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(held);
    serve::require_free(addr).unwrap();
}

fn routes(routes: &mut web::ServiceConfig) {
    routes
        .route("/whoami", web::get().to(whoami))
        .route("/gap", web::get().to(gap))
        .route("/number/{n}", web::get().to(number))
        .route("/slow", web::get().to(slow))
        .service(serve::at("/known", web::get().to(known)))
        .service(serve::at("/endless", web::get().to(endless)))
        .service(web::resource("/body").route(web::post().to(body)));
}

async fn whoami(caller: Caller) -> Result<String, ApiError> {
    caller.require("records:write")?;
    Ok(caller.operator().to_string())
}

async fn gap() -> Result<String, ApiError> {
    Err(ApiError::new(Code::Gap, "expected seq 8").with("expected_seq", 8).retry_after(2))
}

async fn known() -> &'static str {
    "known"
}

/// A body whose length nobody knows, and that never ends.
async fn endless() -> HttpResponse {
    HttpResponse::Ok()
        .streaming(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(web::Bytes::from_static(b"more"))))
}

async fn number(n: web::Path<u8>) -> String {
    n.to_string()
}

/// Whether a slow request is in hand.
static IN_HAND: AtomicBool = AtomicBool::new(false);

async fn slow() -> &'static str {
    IN_HAND.store(true, Ordering::Release);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    "done"
}

async fn body(bytes: web::Bytes) -> String {
    bytes.len().to_string()
}

impl World {
    async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    async fn whoami(&self, authorization: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}/whoami", self.url)).header("authorization", authorization);
        request.send().await.unwrap()
    }

    /// Sends bytes as they are and reads until the server closes.
    async fn raw(&self, bytes: Vec<u8>, end: bool) -> (String, Duration) {
        let addr = self.addr;
        actix_web::rt::task::spawn_blocking(move || {
            let mut socket = TcpStream::connect(addr).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
            let began = Instant::now();
            // The server may refuse while we still write.
            let _ = socket.write_all(&bytes);
            if end {
                socket.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer);
            (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
        })
        .await
        .unwrap()
    }
}

async fn problem(answer: reqwest::Response, code: Code) -> Value {
    assert_eq!(answer.status().as_u16(), code.problem().status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let json: Value = answer.json().await.unwrap();
    assert_eq!(json["code"], code.as_str());
    assert_eq!(json["type"], format!("/problems/{}", code.as_str()));
    assert_eq!(json["request_id"], id);
    json
}

#[actix_web::test]
async fn every_refusal_is_a_problem() {
    let world = world().await;
    problem(world.get("/nowhere").await, Code::NotFound).await;
    problem(world.get("/number/300").await, Code::NotFound).await;
    let answer = world.get("/body").await;
    assert_eq!(answer.headers()["allow"], "POST");
    problem(answer, Code::MethodNotAllowed).await;
    let answer = world.get("/gap").await;
    assert_eq!(answer.headers()["retry-after"], "2");
    assert_eq!(problem(answer, Code::Gap).await["expected_seq"], 8);
    let large = world.http.post(format!("{}/body", world.url)).body(vec![0; 300_000]).send().await.unwrap();
    problem(large, Code::TooBig).await;
}

#[actix_web::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let world = world().await;
    let head = async |path: &str| {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        world.raw(request.into_bytes(), false).await.0.to_lowercase()
    };
    for (path, status, length) in [("/known", "200", Some(5)), ("/nowhere", "404", None), ("/body", "405", None)] {
        let answer = head(path).await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1, "no body: {answer}");
        assert!(answer.contains("\r\ncontent-length: ") && answer.contains("\r\nx-request-id: "), "{answer}");
        if let Some(length) = length {
            assert!(answer.contains(&format!("content-length: {length}\r\n")), "{answer}");
        }
    }
    let answer = head("/endless").await;
    assert!(answer.starts_with("http/1.1 200 ") && answer.ends_with("\r\n\r\n"), "its body is not made: {answer}");
}

#[actix_web::test]
async fn a_path_that_is_known_says_which_methods_it_knows() {
    let world = world().await;
    for path in ["/known", "/healthz", "/problems/gap"] {
        for method in [reqwest::Method::POST, reqwest::Method::OPTIONS, reqwest::Method::DELETE] {
            let answer = world.http.request(method, format!("{}{path}", world.url)).send().await.unwrap();
            assert_eq!(answer.headers()["allow"], "GET, HEAD", "{path}");
            problem(answer, Code::MethodNotAllowed).await;
        }
    }
}

#[actix_web::test]
async fn requests_keep_a_safe_id_and_get_one_otherwise() {
    let world = world().await;
    let id_of = async |id: &str| {
        let request = world.http.get(format!("{}/healthz", world.url)).header("x-request-id", id);
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id_of("abc-1_2.3").await, "abc-1_2.3");
    let long = "x".repeat(65);
    let mut made = Vec::new();
    for unsafe_id in ["", "a b", "a\"b", "a=b", long.as_str()] {
        made.push(id_of(unsafe_id).await);
        assert_ne!(made.last().unwrap(), unsafe_id);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5);
}

#[actix_web::test]
async fn tokens_open_what_their_scopes_say() {
    let world = world().await;
    let operator: OperatorId = OPERATOR.parse().unwrap();
    let good = world.issuer.token(operator, "records:read records:write");
    for scheme in ["Bearer", "bearer"] {
        let answer = world.whoami(&format!("{scheme} {good}")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), OPERATOR);
    }
    let reader = world.issuer.token(operator, "records:read");
    problem(world.whoami(&format!("Bearer {reader}")).await, Code::Forbidden).await;

    let answer = world.get("/whoami").await;
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    problem(answer, Code::Unauthorized).await;
    let stranger = Issuer::new().token(operator, "records:write");
    let long = "x".repeat(9_000);
    for bad in
        ["Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", &format!("Bearer {stranger}"), &format!("Bearer {long}")]
    {
        problem(world.whoami(bad).await, Code::Unauthorized).await;
    }
    let twice = world.http.get(format!("{}/whoami", world.url));
    let twice = twice.header("authorization", format!("Bearer {good}")).header("authorization", "Bearer x");
    problem(twice.send().await.unwrap(), Code::Unauthorized).await;
}

#[actix_web::test]
async fn health_metrics_and_pages_are_there() {
    let world = world().await;
    assert_eq!(world.get("/healthz").await.status(), 200);
    assert_eq!(world.get("/readyz").await.status(), 200);
    world.health.check("broker", || Err("not connected".to_owned()));
    let answer = world.get("/readyz").await;
    assert_eq!(answer.status(), 503);
    let json: Value = answer.json().await.unwrap();
    assert_eq!(json["failing"]["broker"], "not connected");
    assert_eq!(world.get("/healthz").await.status(), 200);

    let metrics = world.get("/metrics").await.text().await.unwrap();
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "dsom_http_request_seconds_bucket",
    ] {
        assert!(metrics.contains(name), "{name} is not in {metrics}");
    }
    assert!(metrics.contains(r#"route="/readyz""#), "{metrics}");
    assert_eq!(world.get("/openapi.json").await.json::<Value>().await.unwrap()["openapi"], "3.1.0");
    for code in Code::ALL {
        let path = format!("/problems/{}", code.as_str());
        let page = world.get(&path).await.text().await.unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains(code.as_str()), "{page}");
        let json = world.http.get(format!("{}{path}", world.url)).header("accept", "application/json").send();
        let json: Value = json.await.unwrap().json().await.unwrap();
        assert_eq!(json["title"], code.problem().title);
    }
    assert!(world.get("/problems").await.text().await.unwrap().contains("/problems/gap"));
    problem(world.get("/problems/nonsense").await, Code::NotFound).await;
}

#[actix_web::test]
async fn heads_are_limited_in_size_and_time() {
    let world = world().await;
    // Two headers before the one that fills: with the request line `GET /healthz HTTP/1.1` (23 bytes) and `host: x` (9) and
    // `connection: close` (19), and `x: ` and its line's end (5).
    let of = |bytes: usize, headers: usize| {
        let more = "a: b\r\n".repeat(headers - 3);
        let fill = "y".repeat(bytes - 23 - 9 - 19 - 5 - more.len());
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}x: {fill}\r\n\r\n").into_bytes()
    };
    for (bytes, headers) in [(64 << 10, 3), (1_000, 64), (64 << 10, 64)] {
        let (answer, _) = world.raw(of(bytes, headers), false).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{bytes} {headers}: {answer}");
    }
    for (bytes, headers) in [((64 << 10) + 1, 3), (1_000, 65), (120_000, 3), (1_000, 96)] {
        let (answer, _) = world.raw(of(bytes, headers), false).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        let json: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert!(head.starts_with("HTTP/1.1 431 ") && head.contains("content-type: application/problem+json"), "{head}");
        assert_eq!((&json["code"], &json["status"]), (&json!("head-too-big"), &json!(431)));
        assert!(head.contains(&format!("x-request-id: {}", json["request_id"].as_str().unwrap())), "{answer}");
        assert_eq!(
            json["detail"],
            format!("the head has {bytes} bytes and {headers} headers: at most 65536 and 64 are taken")
        );
    }
}

/// An answer of the HTTP parser, before there is a request: neither a body nor an id, and the connection ends.
fn bare(answer: &str, status: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some(format!("HTTP/1.1 {status}").as_str()), "{answer}");
    let names: Vec<&str> = lines.filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
    for name in ["content-type", "x-request-id"] {
        assert!(!names.contains(&name), "if actix-http tells more now, the documents can promise more: {answer}");
    }
    assert_eq!(body, "", "{answer}");
}

#[actix_web::test]
async fn what_is_refused_before_it_is_a_request_is_answered_bare() {
    let world = world().await;
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(97));
    for head in [long, many] {
        bare(&world.raw(head.into_bytes(), false).await.0, "431 Request Header Fields Too Large");
    }
    let twice = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let no_host = "GET /healthz HTTP/1.1\r\n\r\n";
    let no_line = "GET\r\n\r\n";
    let bad_name = "GET /healthz HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n";
    for head in [twice, no_host, no_line, bad_name] {
        bare(&world.raw(head.as_bytes().to_vec(), false).await.0, "400 Bad Request");
    }
    let (answer, took) = world.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-begun".to_vec(), false).await;
    bare(&answer, "408 Request Timeout");
    assert!(took >= Duration::from_secs(4), "{took:?}");
}

#[actix_web::test]
async fn a_body_cut_short_is_not_taken() {
    let world = world().await;
    let cut = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc".to_vec();
    let (answer, _) = world.raw(cut, true).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let cut = b"POST /body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc".to_vec();
    let (answer, _) = world.raw(cut, true).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[actix_web::test]
async fn a_stop_finishes_what_is_in_hand() {
    let World { running, url, health, http, addr, .. } = world().await;
    let asked = actix_web::rt::spawn(http.get(format!("{url}/slow")).send());
    while !IN_HAND.load(Ordering::Acquire) {
        assert!(!asked.is_finished(), "the request did not arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.stop().await;
    assert_eq!(asked.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert_eq!(health.failing().first().map(|(name, _)| *name), Some("draining"));
    assert!(TcpStream::connect(addr).is_err());
}
