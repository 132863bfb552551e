//! The form in which a signature is kept beside its batch: all that a check needs but for the key and the records.

use contracts::Hash;

use super::{BadSignature, BatchSignature, Covered, Text, VerifyingKey};
use crate::text::line;

/// A longer text is refused unread; the longest of the profile has some 800 bytes.
pub const STORED_BYTES_MAX: usize = 1_024;

const FORM: &str = "dsom.batch-signature.v1";

/// A signature with what it covers, but for the root, which is computed from the batch's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSignature {
    path: String,
    content_type: String,
    signature: BatchSignature,
}

impl StoredSignature {
    /// What is kept of a batch's signature.
    pub fn new(covered: &Covered<'_>, signature: BatchSignature) -> Self {
        Self { path: covered.path.to_owned(), content_type: covered.content_type.to_owned(), signature }
    }

    /// The path that is signed.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The content type that is signed.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The signature.
    pub fn signature(&self) -> &BatchSignature {
        &self.signature
    }

    /// Checks it against the root computed from the batch's records.
    pub fn verify(&self, key: &VerifyingKey, root: Hash) -> Result<(), BadSignature> {
        self.signature.verify(key, &Covered { path: &self.path, content_type: &self.content_type, root })
    }

    /// Five ASCII lines, each ended by LF; at most [`STORED_BYTES_MAX`] bytes.
    pub fn to_text(&self) -> String {
        let Self { path, content_type, signature } = self;
        format!(
            "{FORM}\npath {path}\ncontent-type {content_type}\ninput {}\nsignature {}\n",
            signature.signature_input(),
            signature.signature()
        )
    }

    /// Reads the text, strictly: `from_text(x)?.to_text() == x`.
    pub fn from_text(text: &str) -> Result<Self, BadSignature> {
        if text.len() > STORED_BYTES_MAX {
            return Err(BadSignature::Size { text: Text::Stored, bytes: text.len(), max: STORED_BYTES_MAX });
        }
        let (form, rest) = line(text).unwrap_or_default();
        if form != FORM {
            return Err(BadSignature::StoredLine { line: 1 });
        }
        let (path, rest) = named(rest, 2, "path ")?;
        let (content_type, rest) = named(rest, 3, "content-type ")?;
        let (input, rest) = named(rest, 4, "input ")?;
        let (signature, rest) = named(rest, 5, "signature ")?;
        // The root takes no part in reading.
        let covered = Covered::new(path, content_type, Hash::ZERO)?;
        if covered.content_type != content_type {
            return Err(BadSignature::StoredLine { line: 3 });
        }
        if !rest.is_empty() {
            return Err(BadSignature::StoredLine { line: 6 });
        }
        Ok(Self::new(&covered, BatchSignature::parse(input, signature)?))
    }
}

/// The value of the next line, which has this name, and what follows the line.
fn named<'a>(rest: &'a str, at: usize, name: &str) -> Result<(&'a str, &'a str), BadSignature> {
    let named = line(rest).and_then(|(text, rest)| Some((text.strip_prefix(name)?, rest)));
    named.ok_or(BadSignature::StoredLine { line: at })
}
