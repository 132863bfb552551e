//! Why a batch signature or its key is refused: one variant a cause, each with what was found.

use super::{Alg, CONTENT_TYPE_BYTES_MAX, KEY_ID_BYTES_MAX, PATH_BYTES_MAX};

/// Longest piece of a refused text that an error repeats, in characters.
const FOUND_CHARS_MAX: usize = 64;

/// Which text an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// The header that says what is signed.
    SignatureInput,
    /// The header with the signature.
    Signature,
    /// The form that is kept beside a batch.
    Stored,
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Text::SignatureInput => "Signature-Input",
            Text::Signature => "Signature",
            Text::Stored => "dsom.batch-signature.v1",
        })
    }
}

/// Why a batch signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// Larger than it may be.
    #[error("{text} has {bytes} bytes, more than {max}")]
    Size {
        /// Which text.
        text: Text,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// It does not begin with `dsom=`.
    #[error("the label in {text} is {found:?}, not \"dsom\"")]
    Label {
        /// Which header.
        text: Text,
        /// What stands before the equals sign.
        found: String,
    },
    /// Another signature follows, under whatever label.
    #[error("{text} has a second signature: {found:?}")]
    SecondSignature {
        /// Which header.
        text: Text,
        /// From the comma on.
        found: String,
    },
    /// The covered components are not the four, in the order and the form of the profile.
    #[error("the covered components are {found:?}, not (\"@method\" \"@path\" \"content-type\" \"dsom-batch-root\")")]
    Components {
        /// What stands for the list.
        found: String,
    },
    /// The parameters are not `created`, `keyid` and `alg` in this order.
    #[error("where {expected} should stand among the parameters is {found:?}")]
    Parameters {
        /// What should stand there.
        expected: &'static str,
        /// What does, to the end.
        found: String,
    },
    /// Not whole Unix seconds from 0 to the year 9999, in digits without a leading zero.
    #[error("created is {found:?}, not whole seconds since 1970, up to the year 9999")]
    Created {
        /// What stands there.
        found: String,
    },
    /// Not 1 to 128 visible ASCII characters in quotes.
    #[error("keyid is {found:?}, not 1 to {KEY_ID_BYTES_MAX} visible ASCII characters without quotes and backslashes")]
    KeyId {
        /// What stands there.
        found: String,
    },
    /// Neither of the two algorithms.
    #[error("alg is {found:?}, neither \"ed25519\" nor \"ecdsa-p256-sha256\"")]
    Alg {
        /// What stands there.
        found: String,
    },
    /// The signature is not between colons.
    #[error("the signature is {found:?}, not base64 between two colons")]
    Colons {
        /// What stands there.
        found: String,
    },
    /// The signature is not canonical, padded base64.
    #[error("the signature is {found:?}, not canonical padded base64")]
    Base64 {
        /// What stands between the colons.
        found: String,
    },
    /// The signature has another length than both algorithms give.
    #[error("the signature has {bytes} bytes, not 64")]
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// Something follows that is no second signature either.
    #[error("{text} goes on with {found:?} where it should end")]
    Trailing {
        /// Which header.
        text: Text,
        /// What follows.
        found: String,
    },
    /// Not a path that can be signed.
    #[error(
        "the path is {found:?}, not 1 to {PATH_BYTES_MAX} visible ASCII characters from a slash on, without a query"
    )]
    Path {
        /// The path.
        found: String,
    },
    /// Not a content type that can be signed.
    #[error("the content type is {found:?}, not 1 to {CONTENT_TYPE_BYTES_MAX} printable ASCII characters")]
    ContentType {
        /// The content type.
        found: String,
    },
    /// A line of the stored form is missing, too many or not of its one form.
    #[error("line {line} of dsom.batch-signature.v1 is malformed")]
    StoredLine {
        /// Counted from 1.
        line: usize,
    },
    /// The key is of the other type than the algorithm named.
    #[error("alg is {alg}, but the key is for {key}")]
    KeyKind {
        /// What the signature says.
        alg: Alg,
        /// What the key is for.
        key: Alg,
    },
    /// Well formed, and not this key's signature of this batch.
    #[error("the signature does not verify")]
    Mismatch,
}

impl BadSignature {
    /// The stable word for it, as in `contracts/vectors/batch-signatures.json`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "size",
            Self::Label { .. } => "label",
            Self::SecondSignature { .. } => "second-signature",
            Self::Components { .. } => "components",
            Self::Parameters { .. } => "parameters",
            Self::Created { .. } => "created",
            Self::KeyId { .. } => "keyid",
            Self::Alg { .. } => "alg",
            Self::Colons { .. } => "colons",
            Self::Base64 { .. } => "base64",
            Self::Length { .. } => "length",
            Self::Trailing { .. } => "trailing",
            Self::Path { .. } => "path",
            Self::ContentType { .. } => "content-type",
            Self::StoredLine { .. } => "stored-line",
            Self::KeyKind { .. } => "key-kind",
            Self::Mismatch => "mismatch",
        }
    }
}

/// Why a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Neither of the two types.
    #[error("a key of kty {kty:?} and crv {crv:?} can't sign batches: OKP with Ed25519 and EC with P-256 can")]
    Kind {
        /// The JWK's `kty`.
        kty: String,
        /// The JWK's `crv`.
        crv: String,
    },
    /// A coordinate is missing, not wanted, or not the canonical base64url of 32 bytes without padding.
    #[error("the JWK's {name} is missing, not wanted for this type, or not the base64url of 32 bytes")]
    Coordinate {
        /// The member.
        name: &'static str,
    },
    /// Not a point of the curve, not its one encoding, or of small order.
    #[error("the key is not a usable point of its curve")]
    Point,
    /// The bytes are not a private key of either type.
    #[error("not the PKCS#8 form of an Ed25519 or a P-256 private key")]
    Private,
}

impl BadKey {
    /// The stable word for it, as in `contracts/vectors/batch-signatures.json`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kind { .. } => "kind",
            Self::Coordinate { .. } => "coordinate",
            Self::Point => "point",
            Self::Private => "private",
        }
    }
}

/// The beginning of a refused text: enough to see what it is, whatever was sent.
pub(super) fn snip(text: &str) -> String {
    text.chars().take(FOUND_CHARS_MAX).collect()
}
