//! How a command ends when it does not end well.

use std::error::Error;
use std::fmt::Write as _;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The check failed or the data is bad.
    Bad = 1,
    /// Wrong usage.
    Usage = 2,
    /// Something could not be reached.
    Unreachable = 3,
}

/// What is told to the person, once, with its causes.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened and, where there is something to do, what to do next.
    pub text: String,
}

impl Failure {
    /// The check failed or the data is bad.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { exit: Exit::Bad, text: text.into() }
    }

    /// Wrong usage.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    /// Something could not be reached.
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, text: text.into() }
    }

    /// The same, followed by a cause and the causes behind it.
    pub fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            // Writing to a String cannot fail.
            let _ = write!(self.text, ": {error}");
            next = error.source();
        }
        self
    }
}
