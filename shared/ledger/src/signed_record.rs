//! A record, its place in the batch that its operator signed, and the signature: `dsom.signed-record.v1`. One text a proof, both ways.
//!
//! The log's proof shows that the regulator holds a record; this one shows that the operator sent it.

use contracts::Hash;

use crate::batch_signature::{BadSignature, STORED_BYTES_MAX, StoredSignature, VerifyingKey};
use crate::hash::leaf_hash;
use crate::proof::{FormError, Lines, Part, split_head, write_path};
use crate::proof_path::{ProofError, verify_inclusion};
use crate::text::{from_base64, number, to_base64};

/// A larger file is refused unread: a record of 16 KiB, 14 path nodes and a signature have some 24 KiB.
pub const SIGNED_RECORD_BYTES_MAX: usize = 64 * 1024;

const FORM: &str = "dsom.signed-record.v1";

/// What one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// The record as it was sent.
    pub record: Vec<u8>,
    /// Its index among the records that were signed.
    pub leaf: u64,
    /// How many were signed.
    pub count: u64,
    /// The RFC 6962 root over them: what was signed.
    pub root: Hash,
    /// Leaf to root.
    pub path: Vec<Hash>,
    /// The signature as it is kept beside the batch ([`StoredSignature::from_text`]).
    pub signature: String,
}

/// Why a file does not show that the operator sent the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignedRecord {
    /// The file is not of its one form.
    #[error("the file is malformed")]
    Form(#[source] FormError),
    /// The record is not among those that were signed.
    #[error("the record is not in the signed batch there")]
    Place(#[source] ProofError),
    /// The signature is not one, or not this key's over this root.
    #[error("the signature is refused")]
    Signature(#[source] BadSignature),
}

impl BadSignedRecord {
    /// The stable word for it, as in `contracts/vectors/batch-signatures.json`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Form(_) => "form",
            Self::Place(_) => "place",
            Self::Signature(why) => why.code(),
        }
    }
}

impl SignedRecord {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { record, leaf, count, root, path, signature } = self;
        let mut text = format!("{FORM}\nrecord {}\nleaf {leaf}\ncount {count}\nroot {root}\n", to_base64(record));
        write_path(&mut text, path);
        text.push_str(signature);
        text.into_bytes()
    }

    /// Reads a file, strictly: `parse(x)?.to_bytes() == x`.
    ///
    /// # Errors
    /// [`FormError`]; whether the signature is one shows [`Self::verify`].
    pub fn parse(file: &[u8]) -> Result<Self, FormError> {
        let part = Part::SignedRecord;
        let (head, tail) = split_head(file, part, SIGNED_RECORD_BYTES_MAX)?;
        let mut lines = Lines { rest: head, at: 0, part };
        lines.expect(FORM)?;
        let record = lines.next()?.strip_prefix("record ").and_then(from_base64).ok_or(lines.bad())?;
        let leaf = lines.next()?.strip_prefix("leaf ").and_then(number).ok_or(lines.bad())?;
        let count = lines.next()?.strip_prefix("count ").and_then(number).ok_or(lines.bad())?;
        let root = lines.next()?.strip_prefix("root ").and_then(|text| text.parse().ok()).ok_or(lines.bad())?;
        let path = lines.path()?;
        if tail.len() > STORED_BYTES_MAX {
            return Err(FormError::Size { part, bytes: tail.len(), max: STORED_BYTES_MAX });
        }
        // The line after the blank one.
        let after = FormError::Line { part, line: lines.at + 2 };
        let signature = std::str::from_utf8(tail).map_err(|_| after)?.to_owned();
        Ok(Self { record, leaf, count, root, path, signature })
    }

    /// Checks that the record is where it is said to be among those that were signed.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn check_place(&self) -> Result<(), ProofError> {
        verify_inclusion(&leaf_hash(&self.record), self.leaf, self.count, &self.path, &self.root)
    }

    /// Checks the record's place and the signature; gives the signature, which names its key and its time.
    ///
    /// # Errors
    /// [`BadSignedRecord`]
    pub fn verify(&self, key: &VerifyingKey) -> Result<StoredSignature, BadSignedRecord> {
        self.check_place().map_err(BadSignedRecord::Place)?;
        let signature = StoredSignature::from_text(&self.signature).map_err(BadSignedRecord::Signature)?;
        signature.verify(key, self.root).map_err(BadSignedRecord::Signature)?;
        Ok(signature)
    }
}
