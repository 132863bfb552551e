//! C2SP tlog-checkpoint: the log's name, size and root as the text of a signed note.

use contracts::Hash;

use crate::note::{self, NoteError, Signer, Verifier};
use crate::text::{line, number};

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a schemeless URL prefix, also the name of its key.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Lines after the third. Ours has none; another log's are kept, not understood.
    pub extensions: Vec<String>,
}

/// Why a checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error("the checkpoint's note is refused")]
    Note(#[source] NoteError),
    /// The text is not three or more lines of the right form.
    #[error("line {line} of the checkpoint is malformed")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// It speaks of another log.
    #[error("the checkpoint is of {found}, not of {expected}")]
    Origin {
        /// The origin it names.
        found: String,
        /// The log's key's name.
        expected: String,
    },
    /// The log itself has not signed it.
    #[error("the checkpoint is not signed by {0}")]
    NotByLog(String),
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// The note's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for extension in &self.extensions {
            text.push_str(extension);
            text.push('\n');
        }
        text
    }

    /// Reads a note's text.
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let bad = |line| CheckpointError::Line { line };
        let (origin, rest) = line(text).filter(|(l, _)| !l.is_empty()).ok_or(bad(1))?;
        let (size, rest) = line(rest).ok_or(bad(2))?;
        let size = number(size).ok_or(bad(2))?;
        let (root, mut rest) = line(rest).ok_or(bad(3))?;
        let root = root.parse().map_err(|_| bad(3))?;
        let mut extensions = Vec::new();
        while !rest.is_empty() {
            let at = extensions.len() + 4;
            let (extension, after) = line(rest).filter(|(l, _)| !l.is_empty()).ok_or(bad(at))?;
            extensions.push(extension.to_owned());
            rest = after;
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// The signed note. `None` when the origin or an extension has an LF or another control character.
    pub fn sign(&self, signer: &Signer) -> Option<String> {
        let text = self.to_text();
        // Reading it back keeps us from signing a text that means something else.
        (Self::parse_text(&text).as_ref() == Ok(self)).then(|| signer.sign(&text)).flatten()
    }

    /// Reads a signed checkpoint of the log whose key this is. Its origin must be the key's name, as RECORD has it.
    pub fn open(note: &[u8], log: &Verifier) -> Result<Self, CheckpointError> {
        let opened = note::open(note, std::slice::from_ref(log)).map_err(|error| match error {
            NoteError::NoKnownKey => CheckpointError::NotByLog(log.to_string()),
            other => CheckpointError::Note(other),
        })?;
        let checkpoint = Self::parse_text(opened.text)?;
        if checkpoint.origin != log.name() {
            return Err(CheckpointError::Origin { found: checkpoint.origin, expected: log.name().to_owned() });
        }
        Ok(checkpoint)
    }
}
