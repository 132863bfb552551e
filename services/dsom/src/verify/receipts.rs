//! Receipts: the signature, and the root against the records at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use client::ReceiptKeys;
use contracts::receipt::{Claims, Receipt};
use contracts::{Hash, OperatorId, StreamNo};

use crate::{Failure, files};

/// Receipts whose signatures verify.
pub struct Signed {
    /// What each says.
    pub claims: Vec<Claims>,
}

/// Reads receipts, one JSON value after another, and checks each signature.
///
/// # Errors
/// The first that can't be read or does not verify, by its number.
pub fn signed(json: &[u8], keys: &ReceiptKeys) -> Result<Signed, Failure> {
    let mut claims = Vec::new();
    for (number, receipt) in (1..).zip(serde_json::Deserializer::from_slice(json).into_iter::<Receipt>()) {
        let receipt =
            receipt.map_err(|error| Failure::bad(format!("receipt {number} can't be read")).because(&error))?;
        let verified = keys.verify(&receipt);
        claims.push(verified.map_err(|error| Failure::bad(format!("receipt {number}")).because(&error))?);
    }
    match claims.is_empty() {
        true => Err(Failure::bad("there is no receipt in it")),
        false => Ok(Signed { claims }),
    }
}

/// The leaf hashes of a stream's records, the first being that of seq `first`.
struct Leaves {
    first: u64,
    hashes: Vec<Hash>,
}

impl Signed {
    /// Holds every receipt against the records of these files; 32 bytes of memory a record.
    ///
    /// # Errors
    /// The first receipt that is for other records, or for records that are in no file.
    pub fn against(&self, records: &[PathBuf]) -> Result<(), Failure> {
        let mut streams: BTreeMap<(OperatorId, StreamNo), Leaves> = BTreeMap::new();
        for path in records {
            let leaves = streams.entry(files::named(path)?).or_insert(Leaves { first: 0, hashes: Vec::new() });
            leaves.read(path)?;
        }
        for (number, claims) in (1..).zip(&self.claims) {
            let Claims { operator, stream, first_seq, last_seq, count, .. } = claims;
            let bad = |why: &str| {
                let which = format!("receipt {number} ({operator} stream {stream}, seq {first_seq} to {last_seq})");
                Failure::bad(format!("{which}: {why}"))
            };
            let leaves = streams.get(&(*operator, *stream)).ok_or_else(|| bad("no file of this stream was given"))?;
            let covered =
                leaves.of(first_seq.get(), last_seq.get()).ok_or_else(|| bad("the files lack its records"))?;
            if covered.len() as u64 != *count {
                return Err(bad("the count is not that of its seqs"));
            }
            let root = ledger::root(covered);
            if root != claims.root {
                return Err(bad(&format!("the records make root {root}, the receipt says {}", claims.root)));
            }
        }
        Ok(())
    }
}

impl Leaves {
    fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let mut reader = files::open(path)?;
        let mut line = Vec::new();
        let cannot = |error: std::io::Error| Failure::bad(format!("could not read {}", path.display())).because(&error);
        while files::next_record(&mut reader, &mut line).map_err(cannot)? {
            let next = self.first + self.hashes.len() as u64;
            match contracts::record::seq_of(&line) {
                Some(seq) if self.hashes.is_empty() => self.first = seq,
                Some(seq) if seq == next => {}
                _ => return Err(Failure::bad(format!("{}: seq {next} is missing", path.display()))),
            }
            self.hashes.push(ledger::leaf_hash(&line));
        }
        Ok(())
    }

    fn of(&self, first: u64, last: u64) -> Option<&[Hash]> {
        let from = usize::try_from(first.checked_sub(self.first)?).ok()?;
        let to = usize::try_from(last.checked_sub(self.first)?).ok()?;
        self.hashes.get(from..=to)
    }
}
