//! How old the register is, as a whole process says it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU8;
use std::path::Path;

use chaining::config::Config;
use runtime::people::OidcConfig;
use testkit::{AUDIENCE, ISSUER, Issuer, NatsServer, register};

use crate::world::{ORIGIN, now, until};

pub async fn get(addr: SocketAddr, path: &'static str) -> String {
    let asked = actix_web::rt::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(addr).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

/// A process alone, with its store in `data` of a directory.
pub fn config(nats: &NatsServer, dir: &Path) -> Config {
    let issuer = Issuer::new();
    let (jwks, log_key) = (dir.join("jwks.json"), dir.join("log.key"));
    issuer.write_jwks(&jwks);
    let signer = ledger::note::Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    std::fs::write(&log_key, signer.to_secret_text()).unwrap();
    let jwks = jwks.display().to_string();
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        nats_url: nats.url(),
        nats_monitor_url: nats.monitor_url(),
        nats_replicas: NonZeroU8::MIN,
        store: Default::default(),
        data_dir: Some(dir.join("data")),
        jwks: jwks.clone(),
        token_issuer: ISSUER.into(),
        token_audience: AUDIENCE.into(),
        client_cert: Default::default(),
        oidc: Some(OidcConfig {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            jwks: Some(jwks),
            roles_claim: "roles".into(),
            roles: String::new(),
        }),
        registry_nats_url: None,
        registry_nats_monitor_url: None,
        log_key,
        log_origin: ORIGIN.into(),
        ordinal: 0,
        replicas: 1,
    }
}

#[actix::test]
async fn a_taken_port_ends_a_start_before_anything_is_touched() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = held.local_addr().unwrap();
    let error = chaining::start(Config { listen, ..config(&nats, dir.path()) }).await.err().unwrap();
    assert!(matches!(error, chaining::error::StartError::Serve { addr, .. } if addr == listen), "{error:?}");
    assert!(!dir.path().join("data").exists(), "the store was made");
}

#[actix::test]
async fn every_path_knows_its_methods() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let running = chaining::start(config(&nats, dir.path())).await.unwrap();
    testkit::every_path_knows_its_methods(running.addr()).await;
}

#[actix::test]
async fn a_register_that_was_never_heard_of_is_a_warning() {
    let nats = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let running = chaining::start(config(&nats, dir.path())).await.unwrap();
    let addr = running.addr();
    let ready = async |words: &str| {
        let answer = get(addr, "/readyz").await;
        (answer.starts_with("HTTP/1.1 200") && answer.contains(words)).then_some(())
    };
    until("the warning", || ready(r#""warnings":{"registry":"licensing was never heard of"}"#)).await;
    register::beat(&nats, now()).await;
    until("no warning", || ready(r#"{"status":"ready"}"#)).await;
    let metrics = get(addr, "/metrics").await;
    let age = metrics.lines().find(|line| line.starts_with("dsom_chaining_registry_age_seconds")).unwrap();
    let age: f64 = age.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((0.0..60.0).contains(&age), "{age}");
    running.stop().await;
}
