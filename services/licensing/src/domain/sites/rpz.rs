//! The list as a DNS response policy zone (draft-vixie-dnsop-dns-rpz): whole, or what changed since a serial.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::delta::NoDelta;
use super::domain_name::{DomainName, NAME_CHARS_MAX};
use super::feeds::{Feed, changed_text, push};
use super::list::BlockList;
use super::serial::Serial;

/// The zone that carries the list, in all that its records have beside the list: whoever changes a member changes what the zone
/// is under the same serial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name.
    pub origin: DomainName,
    /// Its name server.
    pub server: DomainName,
    /// Who answers for it, as a name (RFC 1035 §3.3.13): `hostmaster.example.ua` for hostmaster@example.ua.
    pub contact: DomainName,
    /// What a resolver answers for a blocked name.
    pub answer: Answer,
    /// How long others go on with what they have of it.
    pub times: Times,
}

/// What a resolver answers for a blocked name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// That there is no such name: `CNAME .`.
    NoSuchName,
    /// The addresses of the host that explains the block.
    Garden(DomainName),
}

/// How long others go on with what they have of a zone, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// How long a resolver goes on with an answer, and with there being none.
    pub ttl_s: u32,
    /// How often a secondary asks for the serial.
    pub refresh_s: u32,
    /// How soon it asks again after a failure.
    pub retry_s: u32,
    /// How long a secondary goes on without its primary.
    pub expire_s: u32,
}

impl Default for Times {
    /// Blocking outlives an outage of four weeks.
    fn default() -> Self {
        Self { ttl_s: 300, refresh_s: 300, retry_s: 60, expire_s: 4 * 7 * 86_400 }
    }
}

/// A policy zone as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneFeed {
    /// The master file (RFC 1035 §5).
    pub feed: Feed,
    /// Domains this zone can't carry: with its own name they are longer than a name may be. A comment names each.
    pub domains_left_out: usize,
    /// Domains it carries without their subdomains, for the same reason. A comment names each.
    pub wildcards_left_out: usize,
}

/// The whole zone: each blocked domain and all below it. A domain within a blocked one is left to the wildcard of that
/// one: a name of its own would make the names between the two exist, and a wildcard does not answer for names that
/// exist (RFC 4592 §2.2.2).
pub fn rpz(list: &BlockList, zone: &Zone) -> ZoneFeed {
    let serial = list.serial();
    let title = format!("Blocked domains, serial {serial}, changed {}", changed_text(list.changed_at()));
    let mut file = File::new(zone, &title);
    file.soa(serial);
    push(&mut file.bytes, &["@ IN NS ", zone.server.as_str(), ".\n"]);
    topmost(list.in_force().filter_map(|(subject, _)| subject.site())).for_each(|domain| file.block(domain));
    ZoneFeed {
        feed: Feed::new(serial, file.bytes),
        domains_left_out: file.domains_left_out,
        wildcards_left_out: file.wildcards_left_out,
    }
}

/// What changed of the zone since a serial: the records of an incremental transfer (RFC 1995 §4, one difference that
/// sums up all, §5) in the form of a master file. The SOA of now, the SOA the reader has, the records that go, the SOA
/// of now, the records that come, the SOA of now; where nothing changed, that SOA alone. Of a zone that had another form then, of another
/// name even, there is none.
///
/// # Errors
/// [`NoDelta`]
pub fn rpz_delta(list: &BlockList, zone: &Zone, since: Serial) -> Result<Feed, NoDelta> {
    let revisions = list.revisions_told_since(since)?;
    if list.zone_was_set_in_last(revisions) {
        return Err(NoDelta::OtherZone);
    }
    let (serial, changed) = (list.serial(), changed_text(list.changed_at()));
    let mut file =
        File::new(zone, &format!("Changes of the blocked domains, since {since}, serial {serial}, changed {changed}"));
    file.soa(serial);
    if revisions > 0 {
        // Of what was touched a name above may cover it, and below may be what it covered: all names are looked at.
        let at = |revision| topmost(list.sites_blocked_at(revision)).collect::<BTreeSet<_>>();
        let (was, is) = (at(list.revision() - revisions), at(list.revision()));
        file.soa(since);
        was.difference(&is).for_each(|domain| file.block(domain));
        file.soa(serial);
        is.difference(&was).for_each(|domain| file.block(domain));
        file.soa(serial);
    }
    Ok(Feed::new(serial, file.bytes))
}

/// A master file that is being written.
struct File<'a> {
    zone: &'a Zone,
    action: String,
    bytes: Vec<u8>,
    domains_left_out: usize,
    wildcards_left_out: usize,
}

impl<'a> File<'a> {
    fn new(zone: &'a Zone, title: &str) -> Self {
        let action = match &zone.answer {
            Answer::NoSuchName => " CNAME .\n".to_owned(),
            Answer::Garden(host) => format!(" CNAME {host}.\n"),
        };
        let head = format!("; {title}\n$ORIGIN {}.\n$TTL {}\n", zone.origin, zone.times.ttl_s);
        Self { zone, action, bytes: head.into_bytes(), domains_left_out: 0, wildcards_left_out: 0 }
    }

    fn soa(&mut self, serial: Serial) {
        let Zone { server, contact, times: Times { ttl_s, refresh_s, retry_s, expire_s }, .. } = self.zone;
        let times = format!("{refresh_s} {retry_s} {expire_s} {ttl_s}");
        push(&mut self.bytes, &[&format!("@ IN SOA {server}. {contact}. {serial} {times}\n")]);
    }

    /// The records that block a domain and all below it, as far as they fit.
    fn block(&mut self, domain: &DomainName) {
        let name = domain.as_str();
        let chars = name.len() + 1 + self.zone.origin.as_str().len();
        if chars > NAME_CHARS_MAX {
            self.domains_left_out += 1;
            return push(&mut self.bytes, &["; too long for this zone: ", name, "\n"]);
        }
        push(&mut self.bytes, &[name, &self.action]);
        if chars + 2 > NAME_CHARS_MAX {
            self.wildcards_left_out += 1;
            push(&mut self.bytes, &["; too long for this zone: *.", name, "\n"]);
        } else {
            push(&mut self.bytes, &["*.", name, &self.action]);
        }
    }
}

/// Of domains in DNS order, those that are not within another.
fn topmost<'a>(domains: impl Iterator<Item = &'a DomainName>) -> impl Iterator<Item = &'a DomainName> {
    let mut cover: Option<&DomainName> = None;
    domains.filter(move |domain| {
        // A domain is followed by all within it, so only the last one kept can cover the next.
        let kept = !cover.is_some_and(|above| domain.is_within(above));
        if kept {
            cover = Some(domain);
        }
        kept
    })
}
