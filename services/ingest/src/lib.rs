#![doc = include_str!("../README.md")]
//! Accepts batches of records and signs receipts.

pub mod actors;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod http;
pub mod metrics;
pub mod storage;
pub mod transfer;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bus::{Bus, LostStreams, StreamBytes};
use contracts::batch::BATCH_RECORDS_MAX;
use runtime::auth::Standings;
use runtime::people::{OidcConfig, People};
use runtime::rates::Rates;

use actors::{IndexWriter, Packers, Registry, Truth};
use config::Config;
use contracts::receipt::Env;
use domain::Budget;
use error::StartError;
use events::{JetStream, Traffic};
use http::receipt_keys::ReceiptKey;
use http::{Sandbox, Service};
use storage::Store;

/// How long to wait for the index to be let go of at a stop.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often idle sequencers are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How long a start waits for the register to be read. Without it a process serves, but is not ready and takes no batch.
const REGISTER_PATIENCE: Duration = Duration::from_secs(10);

/// A service that runs until stopped.
pub struct Running {
    server: runtime::Running,
    service: Arc<Service>,
    background: Vec<tokio::task::JoinHandle<()>>,
    store: Weak<dyn Store>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Stops: no new requests, those in hand are finished, then the index is written.
    pub async fn stop(self) {
        let (server, after) = self.into_parts();
        server.stop().await;
        after.await;
    }

    /// The server, and what to do after its last request was answered.
    pub fn into_parts(self) -> (runtime::Running, impl Future<Output = ()>) {
        let Self { server, service, background, store } = self;
        let after = async move {
            background.iter().for_each(tokio::task::JoinHandle::abort);
            let stopping = Arc::clone(&service);
            if tokio::task::spawn_blocking(move || stopping.registry.stop()).await.is_err() {
                tracing::error!("the sequencers could not be stopped");
            }
            service.truth.index.flush().await;
            drop(service);
            // HTTP's threads let go of the index a moment after the server has ended; then its directory is free.
            let began = Instant::now();
            while store.strong_count() > 0 && began.elapsed() < RELEASE_TIMEOUT {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        (server, after)
    }
}

/// The process: reads its configuration, starts, waits for a signal, stops; or brings its schema up to date (`migrate`), or moves its
/// index to a CQL server (`transfer`).
///
/// Here and not in `main.rs`, so that all of it is compiled once: an async function is compiled where it is first waited for.
pub fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("migrate") => runtime::once("ingest", storage::migrate),
        Some("transfer") => transfer::main(),
        _ => runtime::main("ingest", |config| async { start(config).await.map(Running::into_parts) }),
    }
}

/// Starts the service. MUST be called inside an actix system.
///
/// # Errors
/// [`StartError`]
pub async fn start(config: Config) -> Result<Running, StartError> {
    config.require_apart().map_err(StartError::NotApart)?;
    runtime::metrics::install();
    runtime::serve::require_free(config.listen).map_err(|source| StartError::Serve { addr: config.listen, source })?;
    let receipt_key = ReceiptKey::load(&config.receipt_key, &config.receipt_keys_beside());
    let receipt_key = receipt_key.map_err(StartError::ReceiptKey)?;
    let age_max = Duration::from_secs(config.registry_age_s_max.into());
    let standings = Arc::new(Standings::new(age_max, config.registry_stale));
    let register = Arc::clone(&standings);
    let auth = runtime::Auth::start(&config.auth(), Some(register)).await.map_err(StartError::Auth)?;
    let store = storage::open(&config.store, config.data_dir.as_deref()).await.map_err(StartError::Store)?;
    // A process that knows of nothing accepted may make the streams; one that does must not believe an empty broker.
    let new = store.is_empty().await.map_err(StartError::Store)?;
    let lost = if new { LostStreams::Create } else { LostStreams::Refuse };
    let bus = Bus::open(config.bus(), StreamBytes::default(), lost).await.map_err(StartError::Bus)?;

    let sandbox = match config.env {
        Env::Live => None,
        Env::Test => Some(Arc::new(sandbox(&config, &bus).await?)),
    };
    let people = sandbox.as_ref().and_then(|sandbox| sandbox.people.clone());
    let registry = match config.registry_bus().map_err(StartError::Registry)? {
        Some(other) => Bus::open_to_read(other).await.map_err(StartError::Bus)?,
        None => bus.clone(),
    };

    let health = runtime::Health::new();
    let link = bus.clone();
    health.check("broker", move || link.well());

    let told = Arc::clone(&standings);
    let follower = tokio::spawn(registry.follow_registry(move |news| told.take(news)));
    if tokio::time::timeout(REGISTER_PATIENCE, standings.wait_read()).await.is_err() {
        tracing::warn!("the register could not be read within {REGISTER_PATIENCE:?}; going on without it");
    }
    standings.watch(&health);

    let index = IndexWriter::start(Arc::clone(&store));
    let held = Arc::downgrade(&store);
    // Nobody waits for a row, and a process that ended over a full disk might not start again: accepting goes on without.
    let kept = Arc::downgrade(&store);
    health.warn("index", move || kept.upgrade().map_or(Ok(()), |store| store.well()));
    let truth = Arc::new(Truth::new(Arc::new(JetStream::new(bus)), store, index, new));
    let packers = Arc::<Packers>::default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let service = Arc::new(Service {
        // Sequencers only order and hand over: a quarter of the cores is plenty.
        registry: Registry::new(Arc::clone(&truth), Arc::clone(&packers), cores / 4),
        truth,
        packers,
        budget: Budget::new(config.memory_bytes_max),
        receipt_key,
        issuer: config.receipt_issuer.clone(),
        env: config.env,
        // The largest batch must fit into a full bucket.
        rates: config.operator_records_per_s_max.map(|per_s| Rates::new("records", per_s, BATCH_RECORDS_MAX as u32)),
        sandbox,
        standings,
    });
    metrics::watch(&service);

    let routes = Arc::clone(&service);
    let serve = runtime::ServeConfig { listen: config.listen, workers: 0 };
    let keys = Arc::clone(&auth);
    health.check("token-keys", move || keys.ready());
    let server = runtime::serve::start(
        &serve,
        runtime::Service {
            configure: Arc::new(move |config| http::configure(config, Arc::clone(&routes))),
            health,
            auth: Some(auth),
            people,
            openapi: http::openapi::document(),
        },
    );
    let server = server.map_err(|source| StartError::Serve { addr: config.listen, source })?;
    let swept = Arc::clone(&service);
    let sweeper = tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            swept.registry.sweep();
        }
    });
    Ok(Running { server, service, background: vec![follower, sweeper], store: held })
}

/// What the sandbox adds to the market's work.
async fn sandbox(config: &Config, bus: &Bus) -> Result<Sandbox, StartError> {
    bus.declare_sandbox().await.map_err(StartError::Sandbox)?;
    let oidc = match config.oidc.clone() {
        Some(oidc) => Some(oidc),
        None => OidcConfig::if_any().map_err(StartError::Oidc)?,
    };
    let people = match oidc {
        Some(oidc) => Some(People::start(&oidc).await.map_err(StartError::People)?),
        None => None,
    };
    Ok(Sandbox { traffic: Traffic::new(bus.clone()), people })
}
