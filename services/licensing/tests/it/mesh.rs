//! What the mesh is told, and how soon.

use std::time::{Duration, Instant};

use bus::{LostStreams, StreamBytes};
use contracts::registry::{Env, OperatorStanding};
use contracts::subjects;
use serde_json::json;

use crate::world::{Case, World};

async fn told(bus: &bus::Bus, case: &Case<'_>) -> Option<OperatorStanding> {
    let subject = subjects::registry_operator(case.id);
    let last = bus.last_of(subjects::REGISTRY, &subject).await.expect("reads")?;
    Some(serde_json::from_slice(&last.payload).expect("a standing"))
}

#[actix_rt::test]
async fn a_taken_port_ends_a_start_before_the_mesh_is_told_anything() {
    let world = World::new();
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = held.local_addr().expect("an address");
    let config = licensing::config::Config { listen, ..world.config() };
    let error = licensing::start(config).await.err().expect("another program listens there");
    assert!(matches!(error, licensing::error::StartError::Serve { addr, .. } if addr == listen), "{error:?}");
    assert!(!world.dir.path().join("data").exists(), "the register was made");
}

#[actix_rt::test]
async fn a_decision_is_on_registry_within_a_second() {
    let world = World::new();
    let licensing = world.licensing().await;
    let bus = world.bus().await;
    let mut case = Case::new(&world, &licensing);
    case.go_live().await;
    let kid = Case::header(&case.live)["kid"].as_str().expect("a kid").to_owned();
    for decision in [
        json!({"type": "suspend", "licence": 1, "reason": "бо так"}),
        json!({"type": "revoke_key", "kid": kid, "reason": "втрачено"}),
        json!({"type": "require_signature", "required": true}),
    ] {
        let shown = case.decide(decision).await;
        let (began, version) = (Instant::now(), shown["version"].as_u64().expect("a version"));
        let standing = loop {
            match told(&bus, &case).await {
                Some(standing) if standing.version >= version => break standing,
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        let took = began.elapsed();
        println!("on REGISTRY {took:?} after the answer");
        assert!(took < Duration::from_secs(1));
        assert_eq!(standing.version, version);
    }
    let standing = told(&bus, &case).await.expect("is told");
    assert!(standing.signature_required);
    assert!(standing.keys.iter().all(|key| key.env == Env::Test), "the revoked key is gone");
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn what_was_not_told_is_told_at_the_next_start() {
    let mut world = World::new();
    let licensing = world.licensing().await;
    let (id, url, token, changed, tag) = {
        let mut case = Case::new(&world, &licensing);
        case.register().await;
        let changed = json!({"edrpou": case.edrpou, "name": "Інша назва", "address": "Львів", "email": "a@example.ua"});
        (case.id, case.path(""), world.person("clerk-1", "clerk"), changed, case.tag)
    };
    // The broker is away: what is decided is decided all the same, licensing says so and stays in its Service, and the public is served.
    world.nats.kill9();
    let get = async |path: &str| {
        world.send(reqwest::Method::GET, &format!("{}{path}", licensing.url), None, None, None).await
    };
    let began = Instant::now();
    while get("/readyz").await.ok()["warnings"]["broker"].is_null() {
        assert!(began.elapsed() < Duration::from_secs(20), "is said");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    get("/v1/sites.rpz").await.ok();
    get("/v1/register").await.ok();
    let answer = world.send(reqwest::Method::PUT, &url, Some(&token), Some(&tag), Some(&changed)).await;
    assert_eq!(answer.ok()["version"], json!(2));
    licensing.running.stop().await;
    world.nats.restart();
    let licensing = world.licensing().await;
    let bus = world.bus().await;
    let subject = subjects::registry_operator(id);
    let began = Instant::now();
    loop {
        let last = bus.last_of(subjects::REGISTRY, &subject).await.expect("reads");
        let standing = last.map(|last| serde_json::from_slice::<OperatorStanding>(&last.payload).expect("a standing"));
        if standing.is_some_and(|standing| standing.version == 2 && standing.name == "Інша назва") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bus.last_of(subjects::REGISTRY, subjects::REGISTRY_BEAT).await.expect("reads").is_some());
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_registry_that_was_made_anew_is_told_everything_before_a_beat() {
    let world = World::new();
    let licensing = world.licensing().await;
    let bus = world.bus().await;
    let mut case = Case::new(&world, &licensing);
    let shown = case.register().await;
    let last_beat = async || {
        let began = Instant::now();
        loop {
            if let Ok(Some(beat)) = bus.last_of(subjects::REGISTRY, subjects::REGISTRY_BEAT).await {
                return beat.seq;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "a beat");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    last_beat().await;
    let client = async_nats::connect(world.nats.url()).await.expect("connects");
    async_nats::jetstream::new(client).delete_stream(subjects::REGISTRY).await.expect("deletes");
    bus.declare(StreamBytes::default(), LostStreams::Leave).await.expect("declares");
    let beat = last_beat().await;
    let subject = subjects::registry_operator(case.id);
    let first = bus.next_of(subjects::REGISTRY, &subject, 1).await.expect("reads").expect("is told");
    assert!(first.seq < beat, "{} is behind the beat at {beat}", first.seq);
    let standing = told(&bus, &case).await.expect("is told");
    assert_eq!((json!(standing.version), json!(standing.head)), (shown["version"].clone(), shown["head"].clone()));
    licensing.running.stop().await;
}

#[actix_rt::test]
async fn a_register_from_an_earlier_time_decides_nothing_about_whom_the_mesh_knows_better() {
    let world = World::new();
    let licensing = world.licensing().await;
    let mut case = Case::new(&world, &licensing);
    case.register().await;
    let (bus, began) = (world.bus().await, Instant::now());
    while told(&bus, &case).await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    licensing.running.stop().await;
    // Put back to before the operator was registered.
    std::fs::remove_dir_all(world.dir.path().join("data")).expect("removes");
    let licensing = world.licensing().await;
    case.url.clone_from(&licensing.url);
    let token = world.person("clerk-1", "clerk");
    let again = world.send(reqwest::Method::PUT, &case.path(""), Some(&token), None, Some(&case.entity())).await;
    again.refused(503, "unavailable");
    let mut other = Case::new(&world, &licensing);
    other.register().await;
    licensing.running.stop().await;
}
