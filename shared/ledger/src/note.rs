//! C2SP signed notes with Ed25519 keys: the text, a blank line, and a signature line per signer.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::text::{from_base64, to_base64};

/// A longer note is refused unread. Sixteen post-quantum signatures of 5 kB, the most the text asks for, fit.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// More signature lines than these are refused; C2SP asks that 16 be accepted.
pub const SIGNATURES_MAX: usize = 32;

/// signed-note's type byte of Ed25519.
const ED25519: u8 = 0x01;
const SIGNATURE_PREFIX: &str = "\u{2014} ";
const SIGNER_PREFIX: &str = "PRIVATE+KEY+";

/// Why a key's text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty or has a space, a control character or a plus.
    #[error("{0:?} cannot be a key's name: it must be non-empty, without spaces, control characters and plus signs")]
    Name(String),
    /// Not `name+id+base64` (a verifier), or `PRIVATE+KEY+name+id+base64` (a signer).
    #[error("the key is not of the form {expected}")]
    Form {
        /// The form it should have.
        expected: &'static str,
    },
    /// The first byte of the key is not the one type known here.
    #[error("the key is of type {0}, not of type 1 (Ed25519)")]
    Type(u8),
    /// The 32 bytes are not a point of the curve, or a weak one.
    #[error("the key is not a usable Ed25519 public key")]
    Point,
    /// The id does not belong to the name and the key.
    #[error("the key has id {found:08x}, but its name and bytes make {computed:08x}")]
    Id {
        /// What the text says.
        found: u32,
        /// What name and key bytes hash to.
        computed: u32,
    },
}

/// Why a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes, more than {NOTE_BYTES_MAX}")]
    Size {
        /// How many it has.
        bytes: usize,
    },
    /// Not UTF-8, or has a control character other than LF.
    #[error("the note is not plain text")]
    Encoding,
    /// No text, no blank line or no signature lines.
    #[error("the note has no blank line between a text and its signatures")]
    Form,
    /// A signature line that is not `— name base64`.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`SIGNATURES_MAX`] of them.
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    SignatureCount,
    /// A known key's signature that does not verify.
    #[error("the signature by {name} does not verify")]
    Signature {
        /// Whose it claims to be.
        name: String,
    },
    /// Signed by nobody we know.
    #[error("the note has no signature by a known key")]
    NoKnownKey,
}

/// A public key that signs notes. Its text is the *vkey*: `name+id+base64(1 || key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl Verifier {
    /// Reads a vkey.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form { expected: "name+8 hex digits+base64" };
        // The key is base64 and may itself contain plus signs, names may not: so from the left.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let found = hex_id(id).ok_or_else(form)?;
        let bytes = key_bytes(key).ok_or_else(form)??;
        let key = VerifyingKey::from_bytes(&bytes).ok().filter(|k| !k.is_weak()).ok_or(KeyError::Point)?;
        let verifier = Self::new(name, key)?;
        if verifier.id != found {
            return Err(KeyError::Id { found, computed: verifier.id });
        }
        Ok(verifier)
    }

    fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name(name.chars().take(200).collect()));
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, &key), key })
    }

    /// The key's name; for a log's key also its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || LF || 1 || key), big-endian.
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id, key_text(self.key.as_bytes()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A private key that signs notes. Kept as the text of Go's `sumdb/note`: `PRIVATE+KEY+name+id+base64(1 || seed)`.
#[derive(Clone)]
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

impl Signer {
    /// Makes a key of 32 random bytes, which the caller draws.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        Ok(Self { verifier: Verifier::new(name, key.verifying_key())?, key })
    }

    /// Reads the private key's text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form { expected: "PRIVATE+KEY+name+8 hex digits+base64" };
        let mut parts = text.strip_prefix(SIGNER_PREFIX).ok_or_else(form)?.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let found = hex_id(id).ok_or_else(form)?;
        let signer = Self::from_seed(name, &key_bytes(key).ok_or_else(form)??)?;
        if signer.verifier.id != found {
            return Err(KeyError::Id { found, computed: signer.verifier.id });
        }
        Ok(signer)
    }

    /// The private key's text: a secret. There is no `Display`, so that it is never printed by chance.
    pub fn to_secret_text(&self) -> String {
        let Verifier { name, id, .. } = &self.verifier;
        format!("{SIGNER_PREFIX}{name}+{id:08x}+{}", key_text(self.key.as_bytes()))
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The whole note of a text: it, a blank line, our signature line. `None` when the text does not end in LF or has
    /// other control characters, for then nobody could read the note.
    pub fn sign(&self, text: &str) -> Option<String> {
        if !text.ends_with('\n') || !is_plain(text) {
            return None;
        }
        let mut blob = self.verifier.id.to_be_bytes().to_vec();
        blob.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        Some(format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", self.verifier.name, to_base64(&blob)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

/// A note whose signatures by known keys have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The text, with its final LF.
    pub text: &'a str,
    /// Names of the known keys that signed it, in the note's order; at least one.
    pub signed_by: Vec<&'a str>,
}

/// Checks a note. Signatures by unknown keys are ignored, as C2SP demands; one by a known key that fails refuses all.
pub fn open<'a>(note: &'a [u8], known: &[Verifier]) -> Result<Opened<'a>, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::Size { bytes: note.len() });
    }
    let note = std::str::from_utf8(note).ok().filter(|n| is_plain(n)).ok_or(NoteError::Encoding)?;
    // The last blank line parts them: the text may have blank lines of its own.
    let cut = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = note.split_at(cut + 1);
    let signatures = signatures.strip_prefix('\n').and_then(|s| s.strip_suffix('\n')).ok_or(NoteError::Form)?;
    let mut signed_by: Vec<&str> = Vec::new();
    for (at, line) in signatures.split('\n').enumerate() {
        if at == SIGNATURES_MAX {
            return Err(NoteError::SignatureCount);
        }
        let (name, id, signature) = signature_line(line).ok_or(NoteError::SignatureLine { line: at + 1 })?;
        let Some(key) = known.iter().find(|k| k.name == name && k.id == id) else { continue };
        let bad = || NoteError::Signature { name: name.to_owned() };
        let signature = ed25519_dalek::Signature::from_slice(&signature).map_err(|_| bad())?;
        key.key.verify_strict(text.as_bytes(), &signature).map_err(|_| bad())?;
        if !signed_by.contains(&name) {
            signed_by.push(name);
        }
    }
    if signed_by.is_empty() {
        return Err(NoteError::NoKnownKey);
    }
    Ok(Opened { text, signed_by })
}

fn signature_line(line: &str) -> Option<(&str, u32, Vec<u8>)> {
    let (name, blob) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let blob = from_base64(blob)?;
    let (id, signature) = blob.split_first_chunk::<4>()?;
    (is_name(name) && !signature.is_empty()).then(|| (name, u32::from_be_bytes(*id), signature.to_vec()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b >= 0x20 || b == b'\n')
}

fn hex_id(text: &str) -> Option<u32> {
    let canonical = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    u32::from_str_radix(text, 16).ok().filter(|_| canonical)
}

/// `None` when it is not base64 of 33 bytes.
fn key_bytes(text: &str) -> Option<Result<[u8; 32], KeyError>> {
    let bytes = from_base64(text)?;
    let (kind, key) = bytes.split_first()?;
    if *kind != ED25519 {
        return Some(Err(KeyError::Type(*kind)));
    }
    key.try_into().ok().map(Ok)
}

fn key_text(key: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(key);
    to_base64(&bytes)
}

fn key_id(name: &str, key: &VerifyingKey) -> u32 {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    hash.iter().take(4).fold(0, |id, byte| id << 8 | u32::from(*byte))
}
