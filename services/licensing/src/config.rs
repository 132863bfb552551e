//! What a licensing process is told at its start.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;

use runtime::auth::ClientCert;
use runtime::people::OidcConfig;
use serde::Deserialize;

use crate::domain::sites::domain_name::BadDomainName;
use crate::domain::sites::rpz::{Answer, Times, Zone};

/// From the file `$DSOM_CONFIG` names and the environment: `DSOM_LICENSING_LISTEN` and so on.
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
    /// The engine, and where its server is if it has one.
    #[serde(default)]
    pub store: store::cql::Settings,
    /// Where the register lies; a directory of this process alone. For the embedded engine.
    pub data_dir: Option<PathBuf>,
    /// `iss` of tokens: the address under which this service is reached, without a trailing slash.
    pub issuer: String,
    /// `aud` of tokens of the market.
    pub token_audience: String,
    /// The Ed25519 key that signs tokens of the market: a PKCS#8 PEM file.
    pub token_key: PathBuf,
    /// Keys that are published beside it, the one before and the one after: PEM files, separated by commas.
    #[serde(default)]
    pub token_keys_beside: String,
    /// `aud` of tokens of the sandbox.
    pub test_token_audience: String,
    /// The key that signs tokens of the sandbox.
    pub test_token_key: PathBuf,
    /// Where the client's certificate is read from; with `header` a token that is asked for with one is bound to it.
    #[serde(default)]
    pub client_cert: ClientCert,
    /// The JWK Set of the keys that sign certificates of the published checks; without it none is taken.
    pub conformance_jwks: Option<PathBuf>,
    /// Whose people may work here; from `DSOM_OIDC_*` when it is not in the file.
    pub oidc: Option<OidcConfig>,
    /// The time zone of business days and clocks.
    #[serde(default = "Config::kyiv")]
    pub time_zone: String,
    /// Days that are no business days beside Saturdays and Sundays: `2026-12-25`, separated by commas.
    #[serde(default)]
    pub holidays: String,
    /// The lists of checks whose certificates count, separated by commas.
    #[serde(default = "Config::conformance_checklists")]
    pub conformance_checklists: String,
    /// Whose certificates count: `iss` of those who certify, separated by commas.
    #[serde(default = "Config::conformance_issuers")]
    pub conformance_issuers: String,
    /// Name of the response policy zone that carries the block list.
    pub rpz_origin: String,
    /// Name server of that zone.
    pub rpz_server: String,
    /// Who answers for that zone, as a name: `hostmaster.example.ua` for hostmaster@example.ua.
    pub rpz_contact: String,
    /// Host whose address resolvers answer for a blocked name; none: that there is no such name.
    pub rpz_garden: Option<String>,
    /// Tokens a second that one client may ask for, and how many at once.
    #[serde(default = "Config::client_tokens_per_s_max")]
    pub client_tokens_per_s_max: u32,
    /// See `client_tokens_per_s_max`.
    #[serde(default = "Config::burst_max")]
    pub client_tokens_burst_max: u32,
    /// Changes a second that one person, or one operator of its keys, may ask for, and how many at once.
    #[serde(default = "Config::author_writes_per_s_max")]
    pub author_writes_per_s_max: u32,
    /// See `author_writes_per_s_max`.
    #[serde(default = "Config::burst_max")]
    pub author_writes_burst_max: u32,
    /// Hours in which a proposal must be confirmed.
    #[serde(default = "Config::proposal_hours")]
    pub proposal_hours: u16,
}

impl Config {
    /// Where the broker is.
    pub(crate) fn bus(&self) -> bus::BusConfig {
        bus::BusConfig {
            url: self.nats_url.clone(),
            monitor_url: self.nats_monitor_url.clone(),
            replicas: self.nats_replicas,
            name: "licensing".to_owned(),
        }
    }

    /// The parts of a list separated by commas.
    pub(crate) fn parts(list: &str) -> impl Iterator<Item = &str> {
        list.split(',').map(str::trim).filter(|part| !part.is_empty())
    }

    fn one_copy() -> NonZeroU8 {
        NonZeroU8::MIN
    }

    fn kyiv() -> String {
        "Europe/Kyiv".to_owned()
    }

    /// The zone of the block list.
    ///
    /// # Errors
    /// [`BadDomainName`]
    pub(crate) fn zone(&self) -> Result<Zone, BadDomainName> {
        Ok(Zone {
            origin: self.rpz_origin.parse()?,
            server: self.rpz_server.parse()?,
            contact: self.rpz_contact.parse()?,
            answer: match &self.rpz_garden {
                Some(host) => Answer::Garden(host.parse()?),
                None => Answer::NoSuchName,
            },
            times: Times::default(),
        })
    }

    fn conformance_checklists() -> String {
        contracts::conformance::CHECKLIST.to_owned()
    }

    /// What `dsom conformance` says unless it is told another name.
    fn conformance_issuers() -> String {
        "https://conformance.dsom.localhost".to_owned()
    }

    fn client_tokens_per_s_max() -> u32 {
        20
    }

    fn author_writes_per_s_max() -> u32 {
        10
    }

    fn burst_max() -> u32 {
        100
    }

    fn proposal_hours() -> u16 {
        72
    }
}
