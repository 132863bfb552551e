//! Why a licensing process can't start.

use runtime::config::ConfigError;
use runtime::people::PeopleError;

use crate::actors::sites;
use crate::domain::calendar::BadCalendar;
use crate::domain::sites::domain_name::BadDomainName;
use crate::http::{BadCertificateKeys, BadWorld};
use crate::storage::StoreError;

/// Why a licensing process can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key that signs tokens.
    #[error("tokens cannot be signed")]
    TokenKey(#[source] BadWorld),
    /// Market and sandbox have one key or one audience.
    #[error("token_key and test_token_key, and the two audiences, must differ: test and live would be mistaken")]
    OneWorld,
    /// The keys of certificates.
    #[error("certificates cannot be checked")]
    Certificates(#[source] BadCertificateKeys),
    /// Time zone or holidays.
    #[error("there is no such calendar")]
    Calendar(#[source] BadCalendar),
    /// The names of the response policy zone.
    #[error("the block list has no zone of such a name")]
    Zone(#[source] BadDomainName),
    /// The list of blocked sites.
    #[error("the block list cannot be read")]
    Sites(#[source] sites::LoadError),
    /// The thread of the block list is gone.
    #[error("the block list does not answer")]
    ListAway,
    /// The form of the response policy zone can't be noted in the history of the list.
    #[error("the policy zone can't be set")]
    ZoneNotSet(#[source] sites::Unanswered),
    /// Where people's tokens come from is not said.
    #[error("it is not known whose people may work here")]
    Oidc(#[source] ConfigError),
    /// People's tokens.
    #[error("tokens of people cannot be checked")]
    People(#[source] PeopleError),
    /// The register.
    #[error("the register cannot be used")]
    Store(#[source] StoreError),
    /// The broker and its streams.
    #[error("the bus can't be opened")]
    Bus(#[source] bus::OpenError),
    /// The address.
    #[error("cannot serve on {addr}")]
    Serve {
        /// Where.
        addr: std::net::SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}
