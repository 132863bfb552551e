//! How errors of this service are told: one sentence with its causes.

use crate::domain::key::BadLogKey;
use crate::domain::partitions::BadShare;
use crate::storage::StorageError;

/// Why a chaining process can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Where people's tokens come from is not said.
    #[error("it is not known whose people may have the store checked")]
    Oidc(#[source] runtime::config::ConfigError),
    /// People's tokens.
    #[error("tokens of people cannot be checked")]
    People(#[source] runtime::people::PeopleError),
    /// The file with the log's key.
    #[error("the log key {path} can't be read")]
    KeyFile {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The log's key.
    #[error("checkpoints can't be signed")]
    Key(#[source] BadLogKey),
    /// What this process was told to seal.
    #[error("no partitions to seal")]
    Share(#[source] BadShare),
    /// Several processes, and a store of one.
    #[error("{replicas} replicas can't share an embedded store: set store to scylla, or replicas to 1")]
    Shared {
        /// How many there are to be.
        replicas: u16,
    },
    /// Chains and log.
    #[error("the store can't be used")]
    Store(#[source] StorageError),
    /// What is stored does not agree with itself.
    #[error("the store is damaged: {0}; run `dsom fsck` to see more, and restore it from a backup")]
    Damaged(String),
    /// The check of everything.
    #[error("there is no thread to check what is stored")]
    Thread(#[source] std::io::Error),
    /// The broker and its streams.
    #[error("the bus can't be opened")]
    Bus(#[source] bus::OpenError),
    /// The broker is another mesh's, the market's for instance where this is the sandbox.
    #[error("what is accepted here is not ours to seal")]
    OtherMesh(#[source] bus::DeclareError),
    /// What verifies access tokens.
    #[error("access tokens can't be verified")]
    Auth(#[source] runtime::auth::KeysError),
    /// One of the two addresses of the market's broker.
    #[error("the broker of the register is not named")]
    Registry(#[source] bus::HalfNamed),
    /// The address.
    #[error("can't serve on {addr}")]
    Serve {
        /// Where.
        addr: std::net::SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// An error and what caused it, as one sentence.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
