//! The file of receipts: each is a line, written when it comes. A run that is repeated goes on where the last one was cut off.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use contracts::receipt::Receipt;
use contracts::{OperatorId, StreamNo};

use crate::Failure;

/// How every line begins.
const BEGINNING: &[u8] = b"{\"receipt\":\"";

/// A file of receipts that is open.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    end: u64,
    /// By first seq; the receipts themselves stay in the file.
    known: HashMap<(OperatorId, StreamNo), BTreeMap<u64, Line>>,
    failure: Option<String>,
}

/// Where a receipt lies.
#[derive(Debug, Clone, Copy)]
struct Line {
    last: u64,
    at: u64,
    bytes: usize,
}

impl Book {
    /// Opens the file, or makes it. A last line that a kill cut short is taken away: its receipt is fetched again.
    ///
    /// # Errors
    /// It can't be read or written, or holds something else than receipts.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let cannot =
            |error: std::io::Error| Failure::usage(format!("could not write {}", path.display())).because(&error);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(cannot)?;
        let mut inner = Inner { file: file.try_clone().map_err(cannot)?, end: 0, known: HashMap::new(), failure: None };
        let (mut reader, mut line, mut number) = (BufReader::new(&file), Vec::new(), 0_u64);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
                break;
            }
            number += 1;
            let is_cut = line.last() != Some(&b'\n');
            match serde_json::from_slice::<Receipt>(&line) {
                Ok(receipt) if !is_cut => inner.know(&receipt, line.len()),
                _ if is_cut && (line.starts_with(BEGINNING) || BEGINNING.starts_with(&line)) => break,
                _ => {
                    let path = path.display();
                    return Err(Failure::usage(format!("line {number} of {path} is no receipt: name another file")));
                }
            }
        }
        drop(reader);
        file.set_len(inner.end).and_then(|()| file.seek(SeekFrom::End(0))).map_err(cannot)?;
        Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    /// Writes a receipt, unless the very same promise is there already. [`Book::is_whole`] tells whether it could.
    pub fn keep(&self, receipt: &Receipt) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let claims = &receipt.claims;
        let known = inner.find((claims.operator, claims.stream), claims.first_seq.get());
        if inner.failure.is_some() || known.is_some_and(|known| known.claims == *claims) {
            return;
        }
        let written = serde_json::to_string(receipt).map_err(std::io::Error::other).and_then(|text| {
            let line = text + "\n";
            inner.file.write_all(line.as_bytes()).map(|()| line.len())
        });
        match written {
            Ok(bytes) => inner.know(receipt, bytes),
            Err(error) => inner.failure = Some(error.to_string()),
        }
    }

    /// The receipt that covers a record, as it stands in the file. Nobody has checked it.
    pub fn find(&self, whose: (OperatorId, StreamNo), seq: u64) -> Option<Receipt> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).find(whose, seq)
    }

    /// Whether all that was to be kept could be written.
    ///
    /// # Errors
    /// The disk did not take a receipt.
    pub fn is_whole(&self) -> Result<(), Failure> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &inner.failure {
            None => Ok(()),
            Some(why) => Err(Failure::bad(format!(
                "could not write the receipts to {}: {why}; repeat the run, which fetches those that are missing",
                self.path.display()
            ))),
        }
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// The disk did not take it.
    pub fn close(&self) -> Result<(), Failure> {
        self.is_whole()?;
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let synced = inner.file.sync_all();
        synced.map_err(|error| Failure::bad(format!("could not write {}", self.path.display())).because(&error))
    }
}

impl Inner {
    /// Remembers where the next line lies.
    fn know(&mut self, receipt: &Receipt, bytes: usize) {
        let claims = &receipt.claims;
        let line = Line { last: claims.last_seq.get(), at: self.end, bytes };
        self.known.entry((claims.operator, claims.stream)).or_default().insert(claims.first_seq.get(), line);
        self.end += bytes as u64;
    }

    fn find(&self, whose: (OperatorId, StreamNo), seq: u64) -> Option<Receipt> {
        let (_, line) = self.known.get(&whose)?.range(..=seq).next_back().filter(|(_, line)| seq <= line.last)?;
        let mut text = vec![0; line.bytes];
        self.file.read_exact_at(&mut text, line.at).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn receipt(first: u64, last: u64) -> Receipt {
        let claims = json!({
            "iss": "test", "operator": "13013f29-b9df-4b82-ad28-e51596b7e0b4", "stream": 3, "first_seq": first, "last_seq": last,
            "count": last - first + 1, "root": contracts::Hash([7; 32]), "accepted_at": "2026-10-24T18:00:29.498Z", "env": "live",
        });
        serde_json::from_value(json!({"receipt": "a.b.c", "claims": claims})).expect("a receipt")
    }

    #[test]
    fn receipts_are_there_at_once_once_and_after_a_kill() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("receipts.jsonl");
        let whose = (receipt(1, 1).claims.operator, StreamNo(3));
        let read = || std::fs::read_to_string(&path).expect("a file");
        let book = Book::open(&path).expect("a book");
        for (first, last) in [(1, 10), (11, 20), (1, 10)] {
            book.keep(&receipt(first, last));
        }
        // Nothing was closed: a kill costs nothing.
        let whole = read();
        assert_eq!(whole.lines().count(), 2);
        std::fs::write(&path, format!("{whole}{}", &whole[..100])).expect("writes");
        let book = Book::open(&path).expect("a book");
        assert_eq!(read(), whole, "half a receipt is none");
        assert_eq!(book.find(whose, 15), Some(receipt(11, 20)));
        assert_eq!((book.find(whose, 21), book.find((whose.0, StreamNo(4)), 15)), (None, None));
        book.keep(&receipt(21, 30));
        book.keep(&receipt(11, 20));
        book.close().expect("durable");
        assert_eq!(book.find(whose, 30), Some(receipt(21, 30)));
        assert_eq!(read().lines().count(), 3);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.ndjson");
        for text in ["{\"seq\":1}\n", "{\"seq\":1}", "precious"] {
            std::fs::write(&path, text).expect("writes");
            assert_eq!(Book::open(&path).expect_err("no receipts").exit, crate::Exit::Usage);
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), text);
        }
    }
}
