//! Why an ingest process can't start.

use crate::http::receipt_keys::BadReceiptKeys;
use crate::storage::StoreError;

/// Why an ingest process can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The sandbox and the market would be one.
    // Its own words are the line: nothing is to be said before them.
    #[error(transparent)]
    NotApart(crate::config::NotApart),
    /// The key that signs receipts, or one that is published beside it.
    #[error("receipts cannot be signed")]
    ReceiptKey(#[source] BadReceiptKeys),
    /// The index of accepted batches.
    #[error("the index of accepted batches cannot be used")]
    Store(#[source] StoreError),
    /// The broker and its streams.
    #[error("the bus can't be opened")]
    Bus(#[source] bus::OpenError),
    /// The stream of what the sandbox is asked.
    #[error("the stream of the sandbox can't be had")]
    Sandbox(#[source] bus::DeclareError),
    /// The settings of people's tokens.
    #[error("people's tokens cannot be checked")]
    Oidc(#[source] runtime::config::ConfigError),
    /// What checks people's tokens.
    #[error("people's tokens cannot be checked")]
    People(#[source] runtime::people::PeopleError),
    /// What verifies access tokens.
    #[error("access tokens cannot be verified")]
    Auth(#[source] runtime::auth::KeysError),
    /// One of the two addresses of the market's broker.
    #[error("the broker of the register is not named")]
    Registry(#[source] bus::HalfNamed),
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
