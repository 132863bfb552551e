//! The connection: made once, kept for ever, refused where the server does not sync every write.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use tokio::sync::{Semaphore, watch};

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
}

/// Of the two addresses of a broker one was given, the other not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is not set, and its other address is")]
pub struct HalfNamed(&'static str);

impl BusConfig {
    /// The same client at another broker, if one is named. Both addresses or none: this broker's monitoring port would say whether the
    /// other one syncs.
    ///
    /// # Errors
    /// [`HalfNamed`]
    pub fn elsewhere(self, url: Option<String>, monitor_url: Option<String>) -> Result<Option<Self>, HalfNamed> {
        match (url, monitor_url) {
            (None, None) => Ok(None),
            (Some(url), Some(monitor_url)) => Ok(Some(Self { url, monitor_url, ..self })),
            (Some(_), None) => Err(HalfNamed("nats_monitor_url")),
            (None, Some(_)) => Err(HalfNamed("nats_url")),
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
    /// Connected to a server that does not sync: nothing is published until it is put right.
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
        // The count of connections made, and whether the last one stands.
        let (connection, connections) = watch::channel((0_u64, false));
        let options = ConnectOptions::new()
            .name(&config.name)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| Duration::from_millis(50 * attempts as u64).min(RECONNECT_DELAY_MAX))
            .event_callback(move |event| {
                match &event {
                    Event::Connected => connection.send_modify(|(count, up)| {
                        *count += 1;
                        *up = true;
                    }),
                    Event::Disconnected | Event::Closed => connection.send_modify(|(_, up)| *up = false),
                    Event::SlowConsumer(_) => tracing::error!(%event, "the client dropped messages"),
                    _ => tracing::warn!(%event, "nats"),
                }
                std::future::ready(())
            });
        let servers: Vec<&str> = config.url.split(',').map(str::trim).collect();
        let client = options
            .connect(&servers[..])
            .await
            .map_err(|source| ConnectError::Unreachable { url: config.url.clone(), source })?;
        monitor::syncs_always(&config.monitor_url)
            .await
            .map_err(|source| ConnectError::Monitor { url: config.monitor_url.clone(), source })?;
        let (state, link) = watch::channel(Link::Up(1));
        let watcher = tokio::spawn(watch_link(connections, state, config.monitor_url));
        let jetstream = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(PUBLISHES_IN_FLIGHT_MAX * 2)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let publishes = Semaphore::new(PUBLISHES_IN_FLIGHT_MAX);
        let (source, replicas) = (config.name, config.replicas);
        Ok(Self { inner: Arc::new(Inner { client, jetstream, publishes, source, replicas, link, watcher }) })
    }

    /// The state of the connection, to watch.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.inner.link.clone()
    }

    /// Whether messages can be published now.
    pub fn is_up(&self) -> bool {
        matches!(*self.inner.link.borrow(), Link::Up(_))
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

/// Turns connection events into [`Link`]: a server come back is asked anew whether it syncs, for it may be another one.
async fn watch_link(mut connections: watch::Receiver<(u64, bool)>, state: watch::Sender<Link>, monitor_url: String) {
    // The connection that `connect` made and asked about itself.
    let mut known = 1;
    loop {
        let (count, up) = *connections.borrow_and_update();
        if !up && count > 0 {
            set(&state, Link::Down);
        } else if count > known {
            set(&state, Link::Down);
            let asked = tokio::select! {
                asked = monitor::syncs_always(&monitor_url) => asked,
                changed = connections.changed() => if changed.is_ok() { continue } else { return },
            };
            match asked {
                Ok(()) => {
                    known = count;
                    tracing::info!("connected to nats again");
                    set(&state, Link::Up(count));
                }
                Err(error) => {
                    if !error.is_passing() {
                        tracing::error!(error = &error as &dyn std::error::Error, "nats came back unfit");
                        set(&state, Link::Refused(error.to_string()));
                    }
                    tokio::time::sleep(RECONNECT_DELAY_MAX).await;
                    continue;
                }
            }
        } else if up && count == known && *state.borrow() == Link::Down {
            set(&state, Link::Up(count));
        }
        if connections.changed().await.is_err() {
            return;
        }
    }
}

fn set(state: &watch::Sender<Link>, link: Link) {
    state.send_if_modified(|now| {
        let changed = *now != link;
        if changed {
            if link == Link::Down {
                tracing::warn!("lost the connection to nats");
            }
            *now = link;
        }
        changed
    });
}
