//! What a chaining process is told at its start.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;

use runtime::auth::ClientCert;
use runtime::people::OidcConfig;
use serde::Deserialize;

/// From the file `$DSOM_CONFIG` names and the environment: `DSOM_CHAINING_LISTEN` and so on.
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
    /// The engine, and where its server is if it has one.
    #[serde(default)]
    pub store: store::cql::Settings,
    /// Where chains and log lie; a directory of this process alone. For the embedded engine.
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
    /// Whose people may have the store checked; from `DSOM_OIDC_*` when it is not in the file.
    pub oidc: Option<OidcConfig>,
    /// Where licensing writes `REGISTRY`, and the monitoring ports there, for the sandbox, whose broker is another; as `nats_url` when absent.
    pub registry_nats_url: Option<String>,
    /// See [`registry_nats_url`](Self::registry_nats_url).
    pub registry_nats_monitor_url: Option<String>,
    /// Who we are there: another key, which may only read the register.
    pub registry_nats_nkey_file: Option<PathBuf>,
    /// The key that signs checkpoints: a file with the text `PRIVATE+KEY+…`.
    pub log_key: PathBuf,
    /// The log's name, which is also the key's: fixed for the log's life.
    pub log_origin: String,
    /// Which of [`replicas`](Self::replicas) this process is, from 0.
    #[serde(default)]
    pub ordinal: u16,
    /// How many processes share the partitions of `TX`.
    #[serde(default = "Config::one")]
    pub replicas: u16,
}

impl Config {
    /// Where the broker is.
    pub(crate) fn bus(&self) -> bus::BusConfig {
        bus::BusConfig {
            url: self.nats_url.clone(),
            monitor_url: self.nats_monitor_url.clone(),
            replicas: self.nats_replicas,
            name: "chaining".to_owned(),
            login: self.nats_nkey_file.clone().map(|nkey_file| bus::Login { nkey_file, home: bus::Home::Streams }),
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

    fn one() -> u16 {
        1
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
}
