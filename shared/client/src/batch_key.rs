//! The key an operator signs its batches with, where it does (docs/SIGNATURES.md).

use std::time::{SystemTime, UNIX_EPOCH};

use ledger::batch_signature::{BadKey, BadSignature, BatchSignature, Covered, KeyId, SigningKey};

/// A private key and the name by which it is registered.
#[derive(Debug, Clone)]
pub struct BatchKey {
    keyid: KeyId,
    key: SigningKey,
}

/// Why a batch key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatchKey {
    /// The name can't stand in a signature.
    #[error("the key's name can't be used")]
    Name(#[source] BadSignature),
    /// The bytes are not such a key.
    #[error("the private key can't be used")]
    Key(#[source] BadKey),
}

impl BatchKey {
    /// Reads an Ed25519 or a P-256 private key in PKCS#8 (DER); `keyid` is the key's name in the register.
    ///
    /// # Errors
    /// [`BadBatchKey`].
    pub fn from_pkcs8_der(keyid: &str, der: &[u8]) -> Result<Self, BadBatchKey> {
        let keyid = keyid.parse().map_err(BadBatchKey::Name)?;
        Ok(Self { keyid, key: SigningKey::from_pkcs8_der(der).map_err(BadBatchKey::Key)? })
    }

    /// Signs as of now. A try made again is signed again: a server may refuse a signature that is minutes old.
    pub(crate) fn sign(&self, covered: &Covered<'_>) -> Result<BatchSignature, BadSignature> {
        // A clock before 1970 gives a time that signing refuses.
        let created_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(-1, |since| since.as_secs() as i64);
        self.key.sign(covered, created_s, &self.keyid)
    }
}
