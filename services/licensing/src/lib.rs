#![doc = include_str!("../README.md")]
//! Registers operators and licences, issues tokens, tells the mesh who may do what.

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
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix::{Actor, Arbiter};
use bus::{Bus, LostStreams, StreamBytes};
use runtime::people::{OidcConfig, People};
use runtime::rates::Rates;
use runtime::signing::SigningKey;
use tokio::sync::oneshot;

use ::store::cql::EngineKind;
use actors::desk::{House, Work};
use actors::sites::{ListAccess, Surroundings};
use actors::{Admissions, Desks, Directory, Follower, Teller};
use config::Config;
use domain::calendar::Calendar;
use domain::operator::certificate::Accepted;
use error::StartError;
use events::RegistryStream;
use http::{CertificateKeys, Issuer, Service, World, WriteRates};
use storage::Store;

/// How long to wait for the register to be let go of at a stop.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits until all that `REGISTRY` holds was held against the store; then it goes on, and is told later.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A service that runs until stopped.
pub struct Running {
    server: runtime::Running,
    follower: tokio::task::JoinHandle<()>,
    list_thread: Arbiter,
    store: Weak<dyn Store>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Stops: no new requests, those in hand are finished.
    pub async fn stop(self) {
        let (server, after) = self.into_parts();
        server.stop().await;
        after.await;
    }

    /// The server, and what to do after its last request was answered.
    pub fn into_parts(self) -> (runtime::Running, impl Future<Output = ()>) {
        let Self { server, follower, list_thread, store } = self;
        let after = async move {
            follower.abort();
            list_thread.stop();
            // The desks end a moment after the routes that knew them; then the register's directory is free.
            let began = Instant::now();
            while store.strong_count() > 0 && began.elapsed() < RELEASE_TIMEOUT {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        (server, after)
    }
}

/// The process: reads its configuration, starts, waits for a signal, stops; or brings its schema up to date (`migrate`), or moves its
/// register to a CQL server (`transfer`).
///
/// Here and not in `main.rs`, so that all of it is compiled once: an async function is compiled where it is first waited for.
pub fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("migrate") => runtime::once("licensing", storage::migrate),
        Some("transfer") => transfer::main(),
        _ => runtime::main("licensing", |config| async { start(config).await.map(Running::into_parts) }),
    }
}

/// Starts the service. MUST be called inside an actix system.
///
/// # Errors
/// [`StartError`]
pub async fn start(config: Config) -> Result<Running, StartError> {
    runtime::serve::require_free(config.listen).map_err(|source| StartError::Serve { addr: config.listen, source })?;
    let signer = SigningKey::load(&config.token_key).map_err(|error| StartError::TokenKey(error.into()))?;
    let parts = |list: &str| Config::parts(list).map(str::to_owned).collect();
    let accepted =
        Accepted { issuers: parts(&config.conformance_issuers), checklists: parts(&config.conformance_checklists) };
    let certificates = CertificateKeys::load(config.conformance_jwks.as_deref(), accepted);
    let certificates = certificates.map_err(StartError::Certificates)?;
    let holidays = Config::parts(&config.holidays);
    let calendar = Calendar::new(&config.time_zone, holidays).map_err(StartError::Calendar)?;
    let oidc = match config.oidc.clone() {
        Some(oidc) => oidc,
        None => OidcConfig::of_environment().map_err(StartError::Oidc)?,
    };
    let people = People::start(&oidc).await.map_err(StartError::People)?;
    let store = storage::open(&config.store, config.data_dir.as_deref()).await.map_err(StartError::Store)?;
    let directory = Arc::new(Directory::load(&*store).await.map_err(StartError::Store)?);
    let (live, test) = worlds(&config, &directory).await?;
    // REGISTRY can be told anew from the register at any time.
    let bus = Bus::open(config.bus(), StreamBytes::default(), LostStreams::Leave).await.map_err(StartError::Bus)?;

    let health = runtime::Health::new();
    let (link, known) = (bus.clone(), Arc::clone(&people));
    watch(&health, config.store.engine, move || link.is_up(), Arc::downgrade(&store));
    // Operators need no people: their tokens go on.
    health.warn("people-keys", move || known.ready());

    let calendar = Arc::new(calendar);
    let proposal_life_ms = i64::from(config.proposal_hours) * 3_600_000;
    // A thread of its own: a large decision takes the list some ten milliseconds.
    let list_thread = Arbiter::new();
    let around = Surroundings {
        store: Arc::clone(&store),
        signer: Arc::new(signer),
        calendar: Arc::clone(&calendar),
        zone: config.zone().map_err(StartError::Zone)?,
        proposal_life_ms,
        clock: Arc::new(actors::now),
    };
    let list = ListAccess::start(around, &list_thread.handle()).await.map_err(StartError::Sites)?;

    let held = Arc::downgrade(&store);
    let follower = Follower::start(Arc::clone(&store), Arc::clone(&directory), list.clone()).await;
    let follower = Arc::new(follower.map_err(|_| StartError::ListAway)?);
    let (read, all_read) = oneshot::channel();
    let following = tokio::spawn(events::follow(bus.clone(), Arc::clone(&follower), read));
    // Before anybody decides anything: a store that was put back to an earlier time is found out by what the mesh was told.
    if tokio::time::timeout(READ_TIMEOUT, all_read).await.is_err() {
        tracing::warn!("REGISTRY could not be read yet: it is not known whether the store has all that was told");
    }
    list.set_zone().await.map_err(StartError::ZoneNotSet)?;
    let teller = Teller::begin(Arc::clone(&follower), Arc::new(RegistryStream::new(bus)));
    let house = House { proposal_life_ms, issuer: config.issuer.clone() };
    let work = Work { follower, teller, house };
    metrics::watch(&directory, &store);
    let service = Arc::new(Service {
        desks: Desks::new(Arc::new(work)),
        directory,
        admissions: Admissions::new(Arc::clone(&store)).start(),
        store,
        calendar,
        token_endpoint: format!("{}/oauth2/token", config.issuer),
        issuer: config.issuer.clone(),
        live,
        test,
        client_cert: config.client_cert,
        token_rates: Rates::new("tokens", config.client_tokens_per_s_max, config.client_tokens_burst_max),
        certificates,
    });
    let writes: WriteRates =
        Arc::new(Rates::new("changes", config.author_writes_per_s_max, config.author_writes_burst_max));
    let server = runtime::serve::start(
        &runtime::ServeConfig { listen: config.listen, workers: 0 },
        runtime::Service {
            configure: Arc::new(move |routes| {
                http::configure(routes, Arc::clone(&service), list.clone(), Arc::clone(&writes))
            }),
            health,
            auth: None,
            people: Some(people),
            openapi: http::openapi::document(),
        },
    );
    let server = server.map_err(|source| StartError::Serve { addr: config.listen, source })?;
    Ok(Running { server, follower: following, list_thread, store: held })
}

/// Tells what is away. All processes are without the broker or a CQL server alike, and each goes on with what it can do: taking them out of
/// the Service would take tokens, the public register and the feeds away, too. `store` is weak, since metrics keep the checks for ever.
fn watch(
    health: &runtime::Health,
    engine: EngineKind,
    broker_up: impl Fn() -> bool + Send + Sync + 'static,
    store: Weak<dyn Store>,
) {
    health.warn("broker", move || if broker_up() { Ok(()) } else { Err("not connected".to_owned()) });
    let well = move || store.upgrade().map_or(Ok(()), |store| store.reachable());
    match engine {
        // A server comes back by itself; an engine that could not sync does not.
        EngineKind::Scylla => health.warn("store", well),
        EngineKind::Embedded => health.vital("store", well),
    }
}

/// The market and the sandbox, which must have nothing in common that a token is checked by.
async fn worlds(config: &Config, directory: &Arc<Directory>) -> Result<(World, World), StartError> {
    let beside: Vec<PathBuf> = Config::parts(&config.token_keys_beside).map(PathBuf::from).collect();
    let (client_cert, directory) = (config.client_cert, Arc::clone(directory));
    let issuer = Issuer { name: config.issuer.clone(), client_cert, directory };
    let live = World::load(&config.token_key, &beside, &config.token_audience, &issuer).await;
    let test = World::load(&config.test_token_key, &[], &config.test_token_audience, &issuer).await;
    let (live, test) = (live.map_err(StartError::TokenKey)?, test.map_err(StartError::TokenKey)?);
    if live.key.kid() == test.key.kid() || live.audience == test.audience {
        return Err(StartError::OneWorld);
    }
    Ok((live, test))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_away_takes_no_process_out_of_the_service_and_a_stopped_engine_ends_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let store: Arc<dyn Store> = Arc::new(actors::tests::Shaky::open(dir.path()).away());
        let nothing: &[&str] = &[];
        for (engine, well, warned, ended) in [
            (EngineKind::Scylla, true, nothing, nothing),
            (EngineKind::Embedded, true, nothing, nothing),
            (EngineKind::Scylla, false, &["broker", "store"], nothing),
            (EngineKind::Embedded, false, &["broker"], &["store"]),
        ] {
            let health = runtime::Health::new();
            let store =
                if well { Weak::<actors::tests::Shaky>::new() as Weak<dyn Store> } else { Arc::downgrade(&store) };
            watch(&health, engine, move || well, store);
            assert_eq!(health.warnings().keys().collect::<Vec<_>>(), warned);
            let failing: Vec<&str> = health.failing().into_iter().map(|(name, _)| name).collect();
            assert_eq!(failing, ended);
        }
    }
}
