//! What a decision about the list is about: read from the command line and from a file, and looked at before any of it is sent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::{self, Display, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::commands::desk::a_labels;
use crate::{Failure, files};

/// A longer file of subjects is refused unread: a quarter of a million of the longest names.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Most subjects that are told to be wrong.
const TOLD_MAX: usize = 100;

/// What a decision is about.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true, args = ["subjects", "file"])]
pub(super) struct Subjects {
    /// Domains, and accounts as <platform>/<handle>
    subjects: Vec<String>,
    /// A file of them, one a line; `#` begins a comment
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A subject, and the line of the file it stands in.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    text: String,
    line: Option<(Arc<Path>, usize)>,
}

impl Subjects {
    /// All of them, each once.
    ///
    /// # Errors
    /// The file can't be read, there is none, or some can't be subjects: each of these is named.
    pub(super) fn read(&self) -> Result<Vec<Subject>, Failure> {
        let named = self.subjects.iter().map(|text| Subject { text: text.trim().to_owned(), line: None });
        let mut all: Vec<Subject> = named.collect();
        if let Some(path) = &self.file {
            all.extend(lines(path)?);
        }
        match all.is_empty() {
            true => Err(Failure::usage("there is no subject in the file")),
            false => checked(all),
        }
    }
}

impl Subject {
    /// As licensing reads it.
    pub(super) fn form(&self) -> Value {
        match self.text.split_once('/') {
            Some((platform, handle)) => json!({"account": {"platform": platform, "handle": handle}}),
            None => json!({"site": self.text}),
        }
    }

    /// The same for every way to write it that can be told without the list.
    fn key(&self) -> String {
        if let Some((platform, handle)) = self.text.split_once('/') {
            return format!("{platform}/{}", handle.strip_prefix('@').unwrap_or(handle)).to_lowercase();
        }
        a_labels(&self.text)
    }
}

/// `sites.txt line 7 (casino.example)`; one of the command line by itself.
impl Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((file, line)) => write!(f, "{} line {line} ({})", file.display(), self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Why a text can't be a subject, where that is plain; what else is wrong with it licensing says.
pub(super) fn wrong(text: &str) -> Option<&'static str> {
    const ADDRESS: &str = "is a web address: give the domain alone, its subdomains are included";
    match text.split_once('/') {
        _ if text.contains("://") => Some(ADDRESS),
        Some((platform, _)) if platform.contains('.') => Some(ADDRESS),
        Some((platform, handle)) if platform.is_empty() || handle.is_empty() || handle.contains('/') => {
            Some("is no account: write <platform>/<handle>")
        }
        _ if text.chars().any(char::is_whitespace) => Some("holds a space: one subject a line"),
        Some(_) => None,
        None if text.starts_with('@') => Some("names no platform: write <platform>/<handle>"),
        None if text.contains(['@', ':', '*', '?', ',', ';']) => Some("is no domain: give the domain alone"),
        None if text.is_ascii() && !text.trim_end_matches('.').contains('.') => {
            Some("is no domain of two labels or more")
        }
        None => None,
    }
}

fn lines(path: &Path) -> Result<Vec<Subject>, Failure> {
    let bytes = files::small(path, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|error| Failure::bad(format!("{} is not UTF-8", path.display())).because(&error))?;
    let name: Arc<Path> = path.into();
    let plain = text.trim_start_matches('\u{feff}').lines().zip(1..).map(|(line, number)| {
        let before = line.split_once('#').map_or(line, |(before, _)| before);
        Subject { text: before.trim().to_owned(), line: Some((Arc::clone(&name), number)) }
    });
    Ok(plain.filter(|subject| !subject.text.is_empty()).collect())
}

/// The same, if each can be a subject and none is named twice: over several proposals licensing would not see that.
fn checked(all: Vec<Subject>) -> Result<Vec<Subject>, Failure> {
    let (mut known, mut found) = (HashMap::new(), Vec::new());
    for subject in &all {
        match (wrong(&subject.text), known.entry(subject.key())) {
            (Some(why), _) => found.push(format!("{subject} {why}")),
            (None, Entry::Occupied(before)) => found.push(format!("{subject} is named before: {}", before.get())),
            (None, Entry::Vacant(place)) => drop(place.insert(subject)),
        }
    }
    if found.is_empty() {
        return Ok(all);
    }
    let mut text = format!("nothing is proposed, for {} of {} can't be taken", found.len(), all.len());
    for one in found.iter().take(TOLD_MAX) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {one}");
    }
    if let Some(more) = found.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        let _ = write!(text, "\n  and {more} more");
    }
    Err(Failure::bad(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_t_be_a_subject_is_named_by_its_line_before_anything_is_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sites.txt");
        let text = "\u{feff}# found on Monday\ncasino.example\nhttps://bad.example/x\n\nКазино.укр # again below\nbad.example/x\nXN--80AODFSG.xn--j1amh.\nlocalhost\ntelegram/@Casino_UA\nTelegram/casino_ua\na b.example\ntelegram/\n";
        std::fs::write(&file, text).expect("writes");
        let subjects = Subjects { subjects: vec!["CASINO.example".into()], file: Some(file.clone()) };
        let said = subjects.read().expect_err("most are wrong").text;
        let at = |line: u32, rest: &str| format!("\n  {} line {line} {rest}", file.display());
        for expected in [
            "nothing is proposed, for 8 of 11 can't be taken".to_owned(),
            at(2, "(casino.example) is named before: CASINO.example"),
            at(3, "(https://bad.example/x) is a web address"),
            at(6, "(bad.example/x) is a web address"),
            at(7, &format!("(XN--80AODFSG.xn--j1amh.) is named before: {} line 5 (Казино.укр)", file.display())),
            at(8, "(localhost) is no domain"),
            at(10, &format!("(Telegram/casino_ua) is named before: {} line 9", file.display())),
            at(11, "(a b.example) holds a space"),
            at(12, "(telegram/) is no account"),
        ] {
            assert!(said.contains(&expected), "{expected}: {said}");
        }
    }

    #[test]
    fn what_may_be_a_subject_is_left_to_licensing() {
        for text in ["casino.example", "казино.укр", "казино。укр", "a_b.example", "telegram/@casino_ua", "tiktok/a.b"]
        {
            assert_eq!(wrong(text), None, "{text}");
        }
    }
}
