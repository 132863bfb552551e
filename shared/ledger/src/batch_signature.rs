//! Batch signatures: a narrow profile of RFC 9421, by which an operator's registered key signs a batch's root.
//!
//! What is signed is the root and not the packed bytes, so that a signature can be checked from the records for as long
//! as they are kept. `docs/SIGNATURES.md` is the profile for those who sign; `contracts/vectors/batch-signatures.json`
//! has examples.

mod error;
mod headers;
mod key;
mod parameters;
mod stored;

use contracts::Hash;

pub use error::{BadKey, BadSignature, Text};
pub use headers::HEADER_BYTES_MAX;
pub use key::{SigningKey, VerifyingKey};
pub use parameters::{Alg, CREATED_S_MAX, KEY_ID_BYTES_MAX, KeyId, Parameters};
pub use stored::{STORED_BYTES_MAX, StoredSignature};

use crate::text::to_base64;
use error::snip;

/// A longer path can't be signed; those of batches have some thirty bytes.
pub const PATH_BYTES_MAX: usize = 256;
/// A longer content type can't be signed.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;

/// What a signature covers beside its own parameters; the method is always POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered<'a> {
    path: &'a str,
    content_type: &'a str,
    root: Hash,
}

impl<'a> Covered<'a> {
    /// Takes the path as it stands in the request line without its query, the value of `Content-Type` as sent (spaces
    /// and tabs around it are left out, RFC 9421 section 2.1), and the root over the batch's records. Refuses what
    /// can't be one line of a signature base.
    pub fn new(path: &'a str, content_type: &'a str, root: Hash) -> Result<Self, BadSignature> {
        let visible = |b: u8| b.is_ascii_graphic() && b != b'?' && b != b'#';
        if path.len() > PATH_BYTES_MAX || !path.starts_with('/') || !path.bytes().all(visible) {
            return Err(BadSignature::Path { found: snip(path) });
        }
        let content_type = content_type.trim_matches([' ', '\t']);
        let printable = |b: u8| b.is_ascii_graphic() || b == b' ';
        if !(1..=CONTENT_TYPE_BYTES_MAX).contains(&content_type.len()) || !content_type.bytes().all(printable) {
            return Err(BadSignature::ContentType { found: snip(content_type) });
        }
        Ok(Self { path, content_type, root })
    }

    /// The path, `@path`.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The content type, trimmed.
    pub fn content_type(&self) -> &'a str {
        self.content_type
    }

    /// The root over the batch's records (RFC 6962).
    pub fn root(&self) -> Hash {
        self.root
    }
}

/// The bytes that are signed (RFC 9421 section 2.5): five lines, no LF after the last.
pub fn signature_base(covered: &Covered<'_>, parameters: &Parameters) -> String {
    let Covered { path, content_type, root } = covered;
    format!(
        "\"@method\": POST\n\"@path\": {path}\n\"content-type\": {content_type}\n\"dsom-batch-root\": {root}\n\
         \"@signature-params\": {parameters}"
    )
}

/// A signature of a batch, well formed and not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSignature {
    parameters: Parameters,
    signature: [u8; 64],
}

impl BatchSignature {
    /// Reads the values of `Signature-Input` and `Signature`, strictly: [`Self::signature_input`] and
    /// [`Self::signature`] give the same two back. A request with more than one line of either header is not of the
    /// profile; its reader refuses it before this.
    pub fn parse(signature_input: &str, signature: &str) -> Result<Self, BadSignature> {
        let parameters = headers::read_input(signature_input)?;
        Ok(Self { parameters, signature: headers::read_signature(signature)? })
    }

    /// When it says it was made, whose key it names and by which algorithm.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// When it says it was made, Unix seconds.
    pub fn created_s(&self) -> i64 {
        self.parameters.created_s()
    }

    /// The key it names.
    pub fn keyid(&self) -> &KeyId {
        self.parameters.keyid()
    }

    /// The algorithm it names.
    pub fn alg(&self) -> Alg {
        self.parameters.alg()
    }

    /// Ed25519: R and S of RFC 8032. P-256: r and s, big-endian, 32 bytes each (RFC 9421 section 3.3.4).
    pub fn bytes(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The value of `Signature-Input`.
    pub fn signature_input(&self) -> String {
        format!("dsom={}", self.parameters)
    }

    /// The value of `Signature`.
    pub fn signature(&self) -> String {
        format!("dsom=:{}:", to_base64(&self.signature))
    }

    /// Checks it with the key that its `keyid` stands for; whose that key is, and whether it may sign, the caller has
    /// looked up. When it was made is not looked at.
    pub fn verify(&self, key: &VerifyingKey, covered: &Covered<'_>) -> Result<(), BadSignature> {
        if key.kind() != self.alg() {
            return Err(BadSignature::KeyKind { alg: self.alg(), key: key.kind() });
        }
        let base = signature_base(covered, &self.parameters);
        if key.verifies(base.as_bytes(), &self.signature) { Ok(()) } else { Err(BadSignature::Mismatch) }
    }
}

impl SigningKey {
    /// Signs a batch, as made at a time in Unix seconds (0 to [`CREATED_S_MAX`]) under the name by which the key is
    /// registered. The same input gives the same signature.
    pub fn sign(&self, covered: &Covered<'_>, created_s: i64, keyid: &KeyId) -> Result<BatchSignature, BadSignature> {
        let parameters = Parameters::new(created_s, keyid.clone(), self.verifying_key().kind())?;
        let signature = self.sign_bytes(signature_base(covered, &parameters).as_bytes());
        Ok(BatchSignature { parameters, signature })
    }
}
