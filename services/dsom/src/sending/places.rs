//! In which line of which file the record with a seq stands.

use std::path::{Path, PathBuf};

/// Stretches of lines with consecutive seqs; a few numbers each.
#[derive(Debug, Default)]
pub struct Places(Vec<Stretch>);

#[derive(Debug)]
struct Stretch {
    path: PathBuf,
    line: u64,
    first: u64,
    last: u64,
}

impl Places {
    /// A line with a record of this seq was read.
    pub fn note(&mut self, path: &Path, line: u64, seq: u64) {
        match self.0.last_mut().filter(|at| at.path == path && at.last.checked_add(1) == Some(seq)) {
            Some(stretch) => stretch.last = seq,
            None => self.0.push(Stretch { path: path.to_owned(), line, first: seq, last: seq }),
        }
    }

    /// File and line of a seq, for a person; where it was read twice, the later.
    pub fn find(&self, seq: u64) -> Option<String> {
        let at = self.0.iter().rev().find(|at| (at.first..=at.last).contains(&seq))?;
        Some(format!("{} line {}", at.path.display(), at.line + (seq - at.first)))
    }
}
