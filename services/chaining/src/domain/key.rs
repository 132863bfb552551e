//! The log's name and key: signs checkpoints of this log and opens its own.

use bytes::Bytes;
use contracts::Hash;
use ledger::note::{KeyError, Signer};
use ledger::{Checkpoint, CheckpointError};

/// The key of a log; its name is the log's origin.
#[derive(Debug, Clone)]
pub struct LogKey(Signer);

/// Why a text is not the key of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLogKey {
    /// It is not a key.
    #[error("the log key can't be read")]
    Key(#[source] KeyError),
    /// It is the key of another log.
    #[error("the log key is of {found}, the configured origin is {origin}")]
    Origin {
        /// What the configuration says.
        origin: String,
        /// The name of the key.
        found: String,
    },
}

impl LogKey {
    /// Reads the private key's text (`PRIVATE+KEY+…`), which must be of `origin`.
    ///
    /// # Errors
    /// [`BadLogKey`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, BadLogKey> {
        let signer = Signer::parse(text.trim_end()).map_err(BadLogKey::Key)?;
        let found = signer.verifier().name();
        if found != origin {
            return Err(BadLogKey::Origin { origin: origin.to_owned(), found: found.to_owned() });
        }
        Ok(Self(signer))
    }

    /// The public half.
    pub fn verifier(&self) -> &ledger::note::Verifier {
        self.0.verifier()
    }

    /// The signed note of a checkpoint. `None` for an origin that no checkpoint can carry, which [`LogKey::parse`] refuses.
    pub fn sign(&self, size: u64, root: Hash) -> Option<Bytes> {
        Checkpoint::new(self.verifier().name(), size, root).sign(&self.0).map(Bytes::from)
    }

    /// Reads a checkpoint of this log.
    ///
    /// # Errors
    /// [`CheckpointError`] when it is not one, or not of this log.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(note, self.verifier())
    }
}
