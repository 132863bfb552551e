//! The published checks of an operator's integration (docs/CONFORMANCE.md), `dsom.conformance.v1`: from what the sandbox recorded to a
//! verdict. Pure: whoever calls brings the recorded requests.

mod checks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use contracts::conformance::{CHECKLIST, RATE_MIN, RATE_S};
use contracts::registry::LicenceKind;
use contracts::traffic::{Exchange, Forced, Kept, Sent};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Records that must have been taken.
pub const RECORDS_MIN: u64 = 1_000;
/// Requests at the end of which none may be refused for what is in it.
pub const LAST_REQUESTS: usize = 100;
/// How long after a `gap` the stream must go on, in milliseconds.
pub const GAP_MS_MAX: i64 = 60_000;
/// `gap`s of one stream in a row.
pub const GAPS_MAX: usize = 10;
/// A delay that shows how the sender waits, in milliseconds.
pub const DELAY_MS_MIN: u32 = 5_000;
/// How far a record's time may be ahead of its arrival, in milliseconds.
pub const AHEAD_MS_MAX: i64 = 2_000;
/// How old the youngest record of a batch may be in the middle of all batches, in milliseconds.
pub const AGE_MS_MAX: i64 = 60_000;
/// Batches by which clocks are judged.
pub const CLOCK_BATCHES_MIN: usize = 10;
/// How long sending may pause where the key changes, in milliseconds.
pub const ROTATION_MS_MAX: i64 = 60_000;

/// What an operator is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What it has licences for.
    pub licences: Vec<LicenceKind>,
    /// Records a second that it must hold.
    pub rate: u32,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Something is not as it should be.
    Failed,
    /// Nothing was wrong, and what must be shown was not.
    NotShown,
}

impl Outcome {
    /// As in the certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotShown => "not-shown",
        }
    }
}

/// One check, done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// How it came out.
    pub result: Outcome,
    /// By which figures.
    pub evidence: String,
    /// What to do, where it is not passed.
    #[serde(skip)]
    pub next: &'static str,
}

/// All checks of one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each once, in the order of the page.
    pub checks: Vec<Check>,
    /// When the first request came and the last, Unix milliseconds; nothing without requests.
    pub span: Option<(i64, i64)>,
    /// How many requests there were.
    pub exchanges: u64,
    /// SHA-256 over all of them (docs/CONFORMANCE.md), hexadecimal.
    pub digest: String,
}

impl Report {
    /// Whether every check is passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.result == Outcome::Passed)
    }
}

/// Holds recorded requests, in any order, to the rules.
pub fn check(mut kept: Vec<Kept>, rules: &Rules) -> Report {
    kept.sort_by_key(|one| one.number);
    kept.dedup_by_key(|one| one.number);
    let span = kept.first().zip(kept.last()).map(|(first, last)| (first.exchange.at.0, last.exchange.at.0));
    Report { checks: checks::all(&kept, rules), span, exchanges: kept.len() as u64, digest: digest(&kept) }
}

/// Whether the batch is in the chain after this request.
fn is_taken(one: &Exchange) -> bool {
    one.batch.is_some() && (matches!(one.status, 200 | 201) || one.forced == Some(Forced::Lost) && one.status == 503)
}

/// A line a request: everything that a check looks at, `-` for what there is none of.
fn digest(kept: &[Kept]) -> String {
    let mut hash = Sha256::new();
    for Kept { number, exchange: one } in kept {
        let batch = one.batch.as_ref();
        let of = |member: &dyn Fn(&Sent) -> String| batch.map_or_else(|| "-".to_owned(), member);
        let or_none = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let words = [
            number.to_string(),
            one.at.0.to_string(),
            one.stream.to_string(),
            one.status.to_string(),
            one.code.clone().unwrap_or_else(|| "-".to_owned()),
            of(&|batch| batch.first_seq.to_string()),
            of(&|batch| batch.count.to_string()),
            of(&|batch| batch.root.to_string()),
            of(&|batch| batch.latest.0.to_string()),
            of(&|batch| counts(&batch.types)),
            of(&|batch| counts(&batch.verticals)),
            or_none(one.expected_seq.map(|seq| seq.get())),
            or_none(one.retry_after_s.map(u64::from)),
            one.forced.map_or("-", Forced::as_str).to_owned(),
            one.delayed_ms.to_string(),
            one.took_ms.to_string(),
            one.client_key.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        hash.update(words.join(" "));
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `payout=2,wager=7`, ascending by name; `-` for none.
fn counts(of: &BTreeMap<String, u32>) -> String {
    let all: Vec<String> = of.iter().map(|(name, count)| format!("{name}={count}")).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(",") }
}
