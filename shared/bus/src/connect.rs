//! The connection: made once, kept for ever, refused where the server does not sync every write.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectErrorKind, Event, jetstream};
use contracts::subjects;
use tokio::sync::{Semaphore, watch};

use crate::login::{self, Home, Login};
use crate::monitor::{self, MonitorError};

/// How long one request to the server, a publish included, may take. Then its outcome is unknown.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes whose acknowledgement is awaited at a time, per process; more starve the consumers of the same connection
/// (nats-server #1285). One a stream is the rule, so this is also the number of streams that publish at once.
const PUBLISHES_IN_FLIGHT_MAX: usize = 256;
/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to reconnect. Short: recovery is promised within seconds, and one server is
/// asked by a handful of processes.
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(400);
/// How often the connection is probed; three unanswered probes end it, so a frozen server is noticed in about 8 s.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Where the server is, and who we are.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// Base address of the monitoring port, `http://host:port`, of every server of `url`, separated by commas. It is where
    /// the server says whether it syncs.
    pub monitor_url: String,
    /// Servers that keep a copy of each message: 1 where there is one server, 3 in a cluster of three or more.
    pub replicas: NonZeroU8,
    /// Name of the service: shown by the server, and the `ce-source` of its events.
    pub name: String,
    /// Our key, for a server that asks who we are. One that does not is refused then.
    pub login: Option<Login>,
}

/// Of what names a broker some was given, and this not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not set, and something else of it is")]
pub struct HalfNamed(&'static str);

impl BusConfig {
    /// The same client at another broker, if one is named. Both addresses or none: this broker's monitoring port would say whether the
    /// other one syncs. The key is another one, too: there we may only read `REGISTRY`.
    ///
    /// # Errors
    /// [`HalfNamed`]
    pub fn elsewhere(
        self,
        url: Option<String>,
        monitor_url: Option<String>,
        nkey_file: Option<PathBuf>,
    ) -> Result<Option<Self>, HalfNamed> {
        match (url, monitor_url) {
            (None, None) if nkey_file.is_none() => Ok(None),
            (Some(url), Some(monitor_url)) => {
                let login = nkey_file.map(|nkey_file| Login { nkey_file, home: Home::Elsewhere });
                Ok(Some(Self { url, monitor_url, login, ..self }))
            }
            (Some(_), None) => Err(HalfNamed("nats_monitor_url")),
            (None, _) => Err(HalfNamed("nats_url")),
        }
    }
}

/// The state of the connection, for readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Connected, to a server that syncs. The number grows with every connection.
    Up(u64),
    /// Not connected, or not yet known to sync. Publishes fail at once.
    Down,
    /// Connected to a server that may not be used, or not let in: nothing is published until it is put right.
    Refused(String),
}

/// Why there is no bus.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server does not answer. It may later: try again.
    #[error("cannot connect to NATS at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: async_nats::ConnectError,
    },
    /// Our key can't be read, or is none.
    #[error("{path} holds no key for NATS: it is one line that begins with SU; `dsom keys` makes one")]
    NoKey {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server takes only whom it knows, and does not know us.
    #[error("the NATS server at {url} does not let us in: {advice}")]
    NotAdmitted {
        /// Where.
        url: String,
        /// What to do.
        advice: String,
    },
    /// We have a key, and the server asks for none: whoever reaches it could write there.
    #[error(
        "the NATS server at {0} asks nobody who they are, and there is a key for it: give it accounts.conf and users.conf (docs/OPERATIONS.md, The broker's keys)"
    )]
    AsksNobody(String),
    /// The server must not be used, or does not say whether it may be.
    #[error("cannot use the NATS server at {url}")]
    Monitor {
        /// Where its monitoring port is.
        url: String,
        /// Why.
        #[source]
        source: MonitorError,
    },
}

impl ConnectError {
    /// Whether trying again can help; if not, a person must change the server's configuration.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::NoKey { .. } | Self::NotAdmitted { .. } | Self::AsksNobody(_) => false,
            Self::Monitor { source, .. } => source.is_passing(),
        }
    }
}

/// The connection did not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    /// Nothing was sent.
    #[error("not connected")]
    Before,
    /// It was lost before an answer came.
    #[error("the connection was lost")]
    During,
}

/// A connection to JetStream. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    streams: jetstream::Context,
    registry: jetstream::Context,
    pub(crate) login: Option<Login>,
    pub(crate) publishes: Semaphore,
    pub(crate) source: String,
    pub(crate) replicas: NonZeroU8,
    pub(crate) link: watch::Receiver<Link>,
    watcher: tokio::task::JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Bus {
    /// Connects, and makes sure that the server syncs every write before it acknowledges.
    ///
    /// # Errors
    /// [`ConnectError`]; ask it whether trying again can help.
    pub async fn connect(config: BusConfig) -> Result<Self, ConnectError> {
        let (connection, connections) = watch::channel(Connections::default());
        let options = login::options(config.login.as_ref())
            .name(&config.name)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| Duration::from_millis(50 * attempts as u64).min(RECONNECT_DELAY_MAX))
            .event_callback(move |event| {
                match &event {
                    Event::Connected => connection
                        .send_modify(|now| *now = Connections { made: now.made + 1, up: true, refused: false }),
                    Event::Disconnected | Event::Closed => connection.send_modify(|now| now.up = false),
                    // It tries again, with what the file of the key holds then.
                    Event::ClientError(error) => {
                        let refused = login::is_refusal(error);
                        connection.send_if_modified(|now| std::mem::replace(&mut now.refused, refused) != refused);
                        if !refused {
                            tracing::warn!(%event, "nats");
                        }
                    }
                    Event::SlowConsumer(_) => tracing::error!(%event, "the client dropped messages"),
                    _ => tracing::warn!(%event, "nats"),
                }
                std::future::ready(())
            });
        let servers: Vec<&str> = config.url.split(',').map(str::trim).collect();
        let client = options.connect(&servers[..]).await.map_err(|error| refusal(&config, error))?;
        fit(&client, &config).await?;
        let (state, link) = watch::channel(Link::Up(1));
        let jetstream = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(PUBLISHES_IN_FLIGHT_MAX * 2)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let api =
            |prefix: &str| ContextBuilder::new().timeout(REQUEST_TIMEOUT).api_prefix(prefix).build(client.clone());
        let login = config.login.clone();
        let (streams, registry) = (api(login::streams_api(login.as_ref())), api(login::registry_api(login.as_ref())));
        let publishes = Semaphore::new(PUBLISHES_IN_FLIGHT_MAX);
        let (source, replicas) = (config.name.clone(), config.replicas);
        let watcher = tokio::spawn(watch_link(connections, state, client.clone(), config));
        let inner = Inner { client, jetstream, streams, registry, login, publishes, source, replicas, link, watcher };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The state of the connection, to watch.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.inner.link.clone()
    }

    /// Whether messages can be published now.
    pub fn is_up(&self) -> bool {
        matches!(*self.inner.link.borrow(), Link::Up(_))
    }

    /// Whether messages can be published now, in the words of a check of readiness.
    ///
    /// # Errors
    /// Why not, and what to do if it does not pass.
    pub fn well(&self) -> Result<(), String> {
        match &*self.inner.link.borrow() {
            Link::Up(_) => Ok(()),
            Link::Down => Err("not connected".to_owned()),
            Link::Refused(why) => Err(why.clone()),
        }
    }

    /// Where JetStream is asked about a stream.
    pub(crate) fn api(&self, stream: &str) -> &jetstream::Context {
        match stream {
            subjects::REGISTRY => &self.inner.registry,
            // Of the sandbox alone, on its own broker, in the account of who writes it.
            subjects::SANDBOX => &self.inner.jetstream,
            _ => &self.inner.streams,
        }
    }

    /// What comes of `work` if the connection stands now and until it ends: an answer never comes over another connection
    /// than the one asked, so waiting out the time limit would only delay recovery.
    pub(crate) async fn while_up<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        let mut link = self.link();
        let asked = link.borrow_and_update().clone();
        if !matches!(asked, Link::Up(_)) {
            return Err(Cut::Before);
        }
        tokio::select! {
            done = work => Ok(done),
            _ = link.wait_for(|now| *now != asked) => Err(Cut::During),
        }
    }
}

fn refusal(config: &BusConfig, source: async_nats::ConnectError) -> ConnectError {
    let (url, login) = (config.url.clone(), config.login.as_ref());
    match (source.kind(), login) {
        (ConnectErrorKind::AuthorizationViolation, _) => {
            ConnectError::NotAdmitted { url, advice: login::advice(login) }
        }
        (ConnectErrorKind::Authentication, Some(login)) => {
            ConnectError::NoKey { path: login.nkey_file.clone(), source }
        }
        _ => ConnectError::Unreachable { url, source },
    }
}

/// What the client has told of its connections.
#[derive(Debug, Clone, Copy, Default)]
struct Connections {
    /// How many were made.
    made: u64,
    /// Whether the last one stands.
    up: bool,
    /// Whether the server has not let us in since.
    refused: bool,
}

/// Turns connection events into [`Link`]: a server come back is asked anew whether it syncs, and looked at whether it asks, for it may be
/// another one.
async fn watch_link(
    mut connections: watch::Receiver<Connections>,
    state: watch::Sender<Link>,
    client: Client,
    config: BusConfig,
) {
    let (state, login) = (&state, config.login.as_ref());
    let refused = || {
        let advice = login::advice(login);
        let error = ConnectError::NotAdmitted { url: config.url.clone(), advice };
        Link::Refused(error.to_string())
    };
    // The connection that `connect` made and asked about itself.
    let mut known = 1;
    loop {
        let Connections { made: count, up, refused: is_refused } = *connections.borrow_and_update();
        if !up && count > 0 {
            set(state, if is_refused { refused() } else { Link::Down });
        } else if count > known {
            set(state, Link::Down);
            let asked = tokio::select! {
                asked = fit(&client, &config) => asked,
                changed = connections.changed() => if changed.is_ok() { continue } else { return },
            };
            match asked {
                Ok(()) => {
                    known = count;
                    tracing::info!("connected to nats again");
                    set(state, Link::Up(count));
                }
                Err(error) => {
                    if !error.is_passing() {
                        set(state, Link::Refused(with_cause(&error)));
                    }
                    tokio::time::sleep(RECONNECT_DELAY_MAX).await;
                    continue;
                }
            }
        } else if up && count == known && *state.borrow() == Link::Down {
            set(state, Link::Up(count));
        }
        if connections.changed().await.is_err() {
            return;
        }
    }
}

/// Fails unless the server that we are connected to may be used.
async fn fit(client: &Client, config: &BusConfig) -> Result<(), ConnectError> {
    if config.login.is_some() && !client.server_info().auth_required {
        return Err(ConnectError::AsksNobody(config.url.clone()));
    }
    let asked = monitor::syncs_always(&config.monitor_url).await;
    asked.map_err(|source| ConnectError::Monitor { url: config.monitor_url.clone(), source })
}

fn with_cause(error: &ConnectError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn set(state: &watch::Sender<Link>, link: Link) {
    state.send_if_modified(|now| {
        let changed = *now != link;
        if changed {
            match &link {
                Link::Up(_) => {}
                Link::Down => tracing::warn!("lost the connection to nats"),
                Link::Refused(why) => tracing::error!("nats can't be used: {why}"),
            }
            *now = link;
        }
        changed
    });
}
