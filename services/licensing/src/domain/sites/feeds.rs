//! The public feeds as JSON and as plain text: whole, or what changed since a serial. The same list gives the same
//! bytes.

use std::fmt::Display;

use contracts::UnixMillis;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::delta::Delta;
use super::domain_name::DomainName;
use super::list::BlockList;
use super::serial::Serial;
use super::standing::Entry;
use super::subject::{Platform, SocialAccount, Subject};

/// A feed as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The serial of the list it shows.
    pub serial: Serial,
    /// The body.
    pub bytes: Vec<u8>,
    /// The strong entity tag, with its quotes (RFC 9110 §8.8.3): the serial and the hash of the body.
    pub etag: String,
}

impl Feed {
    pub(super) fn new(serial: Serial, bytes: Vec<u8>) -> Self {
        let etag = format!("\"{serial}-{}\"", ledger::leaf_hash(&bytes));
        Self { serial, bytes, etag }
    }
}

/// All that is in force, as JSON.
///
/// # Errors
/// What the encoder says; these values have no form it refuses.
pub fn json(list: &BlockList) -> Result<Feed, serde_json::Error> {
    let value = FeedJson {
        serial: list.serial(),
        changed_at: changed_text(list.changed_at()),
        sites: Each(list.in_force().filter_map(site)),
        accounts: Each(list.in_force().filter_map(account)),
    };
    encode(value.serial, &value)
}

/// What changed, as JSON. A reader takes out what `lifted_sites` and `lifted_accounts` name, then adds or replaces the
/// rest.
///
/// # Errors
/// As [`json`].
pub fn json_delta(delta: &Delta<'_>) -> Result<Feed, serde_json::Error> {
    let (blocked, lifted) = (delta.blocked.iter().copied(), delta.lifted.iter().copied());
    let value = DeltaJson {
        since: delta.since,
        serial: delta.serial,
        changed_at: changed_text(delta.changed_at),
        lifted_sites: Each(lifted.clone().filter_map(Subject::site)),
        lifted_accounts: Each(lifted.filter_map(Subject::account)),
        sites: Each(blocked.clone().filter_map(site)),
        accounts: Each(blocked.filter_map(account)),
    };
    encode(value.serial, &value)
}

/// All blocked domains as plain text, one a line; lines with `#` say which list this is.
pub fn text(list: &BlockList) -> Feed {
    let domains = list.in_force().filter_map(|(subject, _)| subject.site());
    let head = format!(
        "# Blocked domains, each with its subdomains.\n# serial {}\n# changed {}\n# domains {}\n",
        list.serial(),
        changed_text(list.changed_at()),
        domains.clone().count(),
    );
    let mut bytes = head.into_bytes();
    domains.for_each(|domain| push(&mut bytes, &[domain.as_str(), "\n"]));
    Feed::new(list.serial(), bytes)
}

/// What changed, as plain text: `-domain` to take out, then `+domain` to add if it is not there.
pub fn text_delta(delta: &Delta<'_>) -> Feed {
    let head = format!(
        "# Changes of the blocked domains.\n# since {}\n# serial {}\n# changed {}\n",
        delta.since,
        delta.serial,
        changed_text(delta.changed_at),
    );
    let mut bytes = head.into_bytes();
    let (lifted, blocked) = (delta.lifted.iter().copied(), delta.blocked.iter().map(|(subject, _)| *subject));
    lifted.filter_map(Subject::site).for_each(|domain| push(&mut bytes, &["-", domain.as_str(), "\n"]));
    blocked.filter_map(Subject::site).for_each(|domain| push(&mut bytes, &["+", domain.as_str(), "\n"]));
    Feed::new(delta.serial, bytes)
}

/// The time as feeds show it; `never` for a list without facts.
pub(super) fn changed_text(at: Option<UnixMillis>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

pub(super) fn push(bytes: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
}

fn encode(serial: Serial, value: &impl Serialize) -> Result<Feed, serde_json::Error> {
    let mut bytes = Vec::new();
    serde_json::to_writer(&mut bytes, value)?;
    bytes.push(b'\n');
    Ok(Feed::new(serial, bytes))
}

#[derive(Serialize)]
struct FeedJson<S, A> {
    serial: Serial,
    changed_at: String,
    sites: S,
    accounts: A,
}

#[derive(Serialize)]
struct DeltaJson<LS, LA, S, A> {
    since: Serial,
    serial: Serial,
    changed_at: String,
    lifted_sites: LS,
    lifted_accounts: LA,
    sites: S,
    accounts: A,
}

/// A blocked site. What was found is not for the public.
#[derive(Serialize)]
struct SiteJson<'a> {
    domain: &'a DomainName,
    #[serde(flatten)]
    entry: EntryJson<'a>,
}

/// A blocked account.
#[derive(Serialize)]
struct AccountJson<'a> {
    platform: Platform,
    handle: &'a str,
    #[serde(flatten)]
    entry: EntryJson<'a>,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    blocked_from: Shown<Date>,
    law: &'a str,
    document: &'a str,
    evidence: &'a str,
}

fn entry(entry: &Entry) -> EntryJson<'_> {
    EntryJson {
        blocked_from: Shown(entry.blocked_from),
        law: entry.by.ground.law.as_str(),
        document: entry.by.ground.document.as_str(),
        evidence: entry.evidence.reference.as_str(),
    }
}

fn site<'a>((subject, found): (&'a Subject, &'a Entry)) -> Option<SiteJson<'a>> {
    Some(SiteJson { domain: subject.site()?, entry: entry(found) })
}

fn account<'a>((subject, found): (&'a Subject, &'a Entry)) -> Option<AccountJson<'a>> {
    let SocialAccount { platform, handle } = subject.account()?;
    Some(AccountJson { platform: *platform, handle: handle.as_str(), entry: entry(found) })
}

/// An array written while it is walked.
struct Each<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A string written as the value is shown, without a copy.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
