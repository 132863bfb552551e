#![doc = include_str!("../README.md")]
//! Seals accepted records into hash chains and publishes the log.

pub mod actors;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod fsck;
pub mod http;
pub mod metrics;
pub mod pipeline;
pub mod storage;
pub mod trace;
pub mod transfer;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, LostStreams, StreamBytes};
use runtime::auth::{Stale, Standings};
use runtime::people::{OidcConfig, People};

use ::store::cql::EngineKind;
use config::Config;
use domain::key::LogKey;
use domain::partitions::Partitions;
use error::StartError;
use fsck::background::{self, Background};
use fsck::{Scope, fsck};
use http::Service;
use http::turns::Turns;
use metrics::Metrics;
use pipeline::Pipeline;
use storage::{StorageError, Store};

/// Blocks of each chain that are derived anew at every start.
const BLOCKS_CHECKED_AT_START: u64 = 4;
/// How long a start waits for a store that can't be read now, and how long until it looks again: a CQL server that has just been killed or
/// is overloaded comes back, and says nothing of damage.
const STORE_PATIENCE: Duration = Duration::from_secs(30);
const STORE_PAUSE: Duration = Duration::from_millis(300);

/// How old what is known of the register may be before it is said to be old. Reading goes on all the same.
const REGISTER_AGE_MAX: Duration = Duration::from_secs(30);

/// A service that runs until stopped.
pub struct Running {
    server: runtime::Running,
    pipeline: Pipeline,
    check: Option<Background>,
    follower: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Stops: no new requests, those in hand are finished, then the work behind them ends.
    pub async fn stop(self) {
        let (server, after) = self.into_parts();
        server.stop().await;
        after.await;
    }

    /// The server, and what to do after its last request was answered.
    pub fn into_parts(self) -> (runtime::Running, impl Future<Output = ()>) {
        let Self { server, pipeline, check, follower } = self;
        let after = async move {
            follower.abort();
            // It ends its last step first. Fails only when the runtime itself ends.
            let _ended = tokio::task::spawn_blocking(move || drop(check)).await;
            pipeline.stop().await;
        };
        (server, after)
    }
}

/// The process: reads its configuration, starts, waits for a signal, stops; or checks a store that nobody serves (`fsck DIR VKEY`),
/// brings its schema up to date (`migrate`), or moves chains and log to a CQL server (`transfer VKEY`).
///
/// Here and not in `main.rs`, so that all of it is compiled once: an async function is compiled where it is first waited for.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "fsck" => fsck::offline::main(rest),
        Some((first, _)) if first == "migrate" => runtime::once("chaining", storage::migrate),
        Some((first, [vkey])) if first == "transfer" => transfer::main(vkey.clone()),
        _ => runtime::main("chaining", |config| async { start(config).await.map(Running::into_parts) }),
    }
}

/// Starts the service. MUST be called inside an actix system.
///
/// # Errors
/// [`StartError`]
pub async fn start(config: Config) -> Result<Running, StartError> {
    runtime::metrics::install();
    runtime::serve::require_free(config.listen).map_err(|source| StartError::Serve { addr: config.listen, source })?;
    let partitions = Partitions::of(config.ordinal, config.replicas).map_err(StartError::Share)?;
    can_be_shared(config.store.engine, config.replicas)?;
    let key = Arc::new(read_key(&config)?);
    let standings = Arc::new(Standings::new(REGISTER_AGE_MAX, Stale::Serve));
    let auth =
        runtime::Auth::start(&config.auth(), Some(Arc::clone(&standings) as _)).await.map_err(StartError::Auth)?;
    let oidc = match config.oidc.clone() {
        Some(oidc) => oidc,
        None => OidcConfig::of_environment().map_err(StartError::Oidc)?,
    };
    let people = People::start(&oidc).await.map_err(StartError::People)?;
    let store = storage::open(&config.store, config.data_dir.as_deref()).await.map_err(StartError::Store)?;
    let newest = Scope::Newest { blocks: BLOCKS_CHECKED_AT_START, of: &partitions };
    let began = Instant::now();
    while let Some(first) = fsck(store.as_ref(), key.verifier(), newest, &mut |_| ()).await.first {
        if !first.passing || began.elapsed() >= STORE_PATIENCE {
            return Err(StartError::Damaged(first.to_string()));
        }
        tracing::warn!("the store can't be checked now, trying again: {first}");
        tokio::time::sleep(STORE_PAUSE).await;
    }
    let new = is_new(store.as_ref()).await.map_err(StartError::Store)?;
    let lost = if new { LostStreams::Create } else { LostStreams::Refuse };
    let bus = Bus::open(config.bus(), StreamBytes::default(), lost).await.map_err(StartError::Bus)?;
    // Before a frame is read, and trimmed: what is sealed into a wrong log is there for good.
    bus.claim(&config.log_origin).await.map_err(StartError::OtherMesh)?;

    let registry = match config.registry_bus().map_err(StartError::Registry)? {
        Some(other) => Bus::open_to_read(other).await.map_err(StartError::Bus)?,
        None => bus.clone(),
    };
    metrics::watch(&standings);
    let told = Arc::clone(&standings);
    let follower = tokio::spawn(registry.follow_registry(move |news| told.take(news)));

    let metrics = Metrics::new();
    let checks_all = partitions.write_the_log();
    let pipeline = Pipeline::start(bus.clone(), store.clone(), key.clone(), metrics.clone(), partitions)
        .await
        .map_err(StartError::Store)?;

    let health = runtime::Health::new();
    let check = if checks_all {
        let around = background::Surroundings {
            store: store.clone(),
            key: key.clone(),
            worked: pipeline.worked.clone(),
            metrics,
        };
        let alerts = bus.clone();
        let told = async move |finding| events::store_damaged(&alerts, &finding).await;
        let check = Background::start(around, told).map_err(StartError::Thread)?;
        let found = check.found();
        health.warn("stored", move || found.get().map_or(Ok(()), |finding| Err(format!("damaged: {finding}"))));
        Some(check)
    } else {
        None
    };
    health.check("broker", move || bus.well());
    standings.watch(&health);
    let kept = store.clone();
    match config.store.engine {
        // A server comes back by itself; an engine that could not sync does not.
        EngineKind::Scylla => health.check("store", move || kept.well()),
        EngineKind::Embedded => health.vital("store", move || kept.well()),
    }
    let shown = pipeline.shown.clone();
    health.check("log", move || {
        let shown = shown.borrow();
        match &shown.frozen {
            Some(why) => Err(format!("frozen: {}", error::with_causes(why))),
            None if shown.ready => Ok(()),
            None => Err("recovering".to_owned()),
        }
    });
    let keys = Arc::clone(&auth);
    health.check("token-keys", move || keys.ready());

    let routes = Arc::new(Service {
        store,
        key,
        shown: pipeline.shown.clone(),
        checking: Arc::default(),
        turns: Turns::default(),
    });
    let serve = runtime::ServeConfig { listen: config.listen, workers: 0 };
    let server = runtime::serve::start(
        &serve,
        runtime::Service {
            configure: Arc::new(move |config| http::configure(config, Arc::clone(&routes))),
            health,
            auth: Some(auth),
            people: Some(people),
            openapi: http::openapi::document(),
        },
    );
    let server = server.map_err(|source| StartError::Serve { addr: config.listen, source })?;
    Ok(Running { server, pipeline, check, follower })
}

/// Several processes can't open one embedded store: each would make chains and a log of its own, under one key.
fn can_be_shared(engine: EngineKind, replicas: u16) -> Result<(), StartError> {
    match engine {
        EngineKind::Embedded if replicas > 1 => Err(StartError::Shared { replicas }),
        EngineKind::Embedded | EngineKind::Scylla => Ok(()),
    }
}

fn read_key(config: &Config) -> Result<LogKey, StartError> {
    let path = &config.log_key;
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| StartError::KeyFile { path: path.clone(), source })?;
    LogKey::parse(&text, &config.log_origin).map_err(StartError::Key)
}

/// Whether the store knows of nothing yet, so that streams may be made on the broker.
async fn is_new(store: &dyn Store) -> Result<bool, StorageError> {
    Ok(store.operators(None, 1).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_store_is_refused_to_several_processes() {
        let refused = can_be_shared(EngineKind::Embedded, 2).expect_err("two chains of one operator");
        assert_eq!(
            refused.to_string(),
            "2 replicas can't share an embedded store: set store to scylla, or replicas to 1"
        );
        assert!(can_be_shared(EngineKind::Embedded, 1).is_ok() && can_be_shared(EngineKind::Scylla, 2).is_ok());
    }
}
