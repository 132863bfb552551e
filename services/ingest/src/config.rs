//! What an ingest process is told at its start.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;

use contracts::receipt::Env;
use runtime::auth::{ClientCert, Stale};
use runtime::people::OidcConfig;
use serde::Deserialize;

/// From the file `$DSOM_CONFIG` names and the environment: `DSOM_INGEST_LISTEN` and so on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `nats://host:port`, several separated by commas.
    pub nats_url: String,
    /// Base address of the monitoring port of every server of `nats_url`, separated by commas.
    pub nats_monitor_url: String,
    /// Copies of each message: 3 on a cluster of NATS servers.
    #[serde(default = "Config::one_copy")]
    pub nats_replicas: NonZeroU8,
    /// Who we are to it: a file with the seed of an NKEY. Without one for a broker that asks nobody, which no production has.
    pub nats_nkey_file: Option<PathBuf>,
    /// Where licensing writes `REGISTRY`, and the monitoring ports there: for the sandbox, whose broker must be another. The market has both
    /// in one place, `nats_url`.
    pub registry_nats_url: Option<String>,
    /// See [`registry_nats_url`](Self::registry_nats_url).
    pub registry_nats_monitor_url: Option<String>,
    /// Who we are there: another key, which may only read the register.
    pub registry_nats_nkey_file: Option<PathBuf>,
    /// The engine, and where its server is if it has one.
    #[serde(default)]
    pub store: store::cql::Settings,
    /// Where the index of accepted batches lies; a directory of this process alone. For the embedded engine.
    pub data_dir: Option<PathBuf>,
    /// The JWK Set that access tokens verify with: a file or an `http(s)` URL.
    pub jwks: String,
    /// `iss` of access tokens.
    pub token_issuer: String,
    /// `aud` of access tokens.
    pub token_audience: String,
    /// Where the client's certificate is read from, for tokens that are bound to one: `ignore` or `header`.
    #[serde(default)]
    pub client_cert: ClientCert,
    /// The Ed25519 key that signs receipts: a PKCS#8 PEM file.
    pub receipt_key: PathBuf,
    /// Keys that are published beside it, those before and the one after: PEM files, separated by commas. The public half is enough.
    #[serde(default)]
    pub receipt_keys_beside: String,
    /// `iss` of receipts.
    pub receipt_issuer: String,
    /// Which world this is: the sandbox (`test`) records all it is asked and understands the headers of tests.
    #[serde(default = "Config::test")]
    pub env: Env,
    /// Who may look at what operators sent to the sandbox; from `DSOM_OIDC_*` when it is not in the file.
    pub oidc: Option<OidcConfig>,
    /// Bytes of batches held in memory at a time; more are answered 503.
    #[serde(default = "Config::memory_bytes_max")]
    pub memory_bytes_max: usize,
    /// How long ago licensing may have been heard of before what is known of operators counts as old.
    #[serde(default = "Config::registry_age_s_max")]
    pub registry_age_s_max: u32,
    /// What to do with batches then: `serve` or `refuse`.
    #[serde(default)]
    pub registry_stale: Stale,
    /// Records a second that one operator may send to this process; no limit when absent.
    pub operator_records_per_s_max: Option<u32>,
}

impl Config {
    /// Where the broker is.
    pub(crate) fn bus(&self) -> bus::BusConfig {
        bus::BusConfig {
            url: self.nats_url.clone(),
            monitor_url: self.nats_monitor_url.clone(),
            replicas: self.nats_replicas,
            name: "ingest".to_owned(),
            login: self.nats_nkey_file.clone().map(|nkey_file| bus::Login { nkey_file, home: bus::Home::Elsewhere }),
        }
    }

    /// Where `REGISTRY` is, if not there.
    ///
    /// # Errors
    /// One of the two addresses is missing.
    pub(crate) fn registry_bus(&self) -> Result<Option<bus::BusConfig>, bus::HalfNamed> {
        let nkey_file = self.registry_nats_nkey_file.clone();
        self.bus().elsewhere(self.registry_nats_url.clone(), self.registry_nats_monitor_url.clone(), nkey_file)
    }

    /// Fails where the sandbox would write to the market's broker: records of tests in `TX` are there for good.
    ///
    /// # Errors
    /// [`NotApart`]
    pub(crate) fn require_apart(&self) -> Result<(), NotApart> {
        if self.env == Env::Live {
            return Ok(());
        }
        let registry = self.registry_nats_url.as_deref().ok_or(NotApart::NoRegister)?;
        match brokers(&self.nats_url).into_iter().find(|broker| brokers(registry).contains(broker)) {
            Some(broker) => Err(NotApart::SameBroker(broker)),
            None => Ok(()),
        }
    }

    fn one_copy() -> NonZeroU8 {
        NonZeroU8::MIN
    }

    /// Whose access tokens are taken.
    pub(crate) fn auth(&self) -> runtime::AuthConfig {
        runtime::AuthConfig {
            jwks: self.jwks.clone(),
            token_issuer: self.token_issuer.clone(),
            token_audience: self.token_audience.clone(),
            client_cert: self.client_cert,
        }
    }

    /// The files of the keys that are published beside the one that signs receipts.
    pub(crate) fn receipt_keys_beside(&self) -> Vec<PathBuf> {
        let files = self.receipt_keys_beside.split(',').map(str::trim);
        files.filter(|file| !file.is_empty()).map(PathBuf::from).collect()
    }

    fn test() -> Env {
        Env::Test
    }

    /// Fifteen missed beats of licensing.
    fn registry_age_s_max() -> u32 {
        30
    }

    fn memory_bytes_max() -> usize {
        128 * 1024 * 1024
    }
}

/// Why a sandbox is not apart from its market.
#[derive(Debug, thiserror::Error)]
pub enum NotApart {
    /// It would take its own broker for the market's.
    #[error(
        "DSOM_INGEST_REGISTRY_NATS_URL is not set, and this is the sandbox: give it the market's NATS, where the register is, or set \
         DSOM_INGEST_ENV=live if this is the market"
    )]
    NoRegister,
    /// Both names of the broker lead to one.
    #[error(
        "{0} of DSOM_INGEST_REGISTRY_NATS_URL is a broker of DSOM_INGEST_NATS_URL, too, and this is the sandbox: its NATS is another than \
         the market's"
    )]
    SameBroker(String),
}

/// The servers of an address, written alike where they are alike.
fn brokers(url: &str) -> Vec<String> {
    let alike = |one: &str| {
        let one = one.trim().to_lowercase();
        let host = one.strip_prefix("nats://").unwrap_or(&one).trim_end_matches('/');
        // The port that is meant when none is said.
        if host.contains(':') { host.to_owned() } else { format!("{host}:4222") }
    };
    url.split(',').map(alike).collect()
}
