//! The list as a DNS response policy zone (draft-vixie-dnsop-dns-rpz): whole, or what changed since a serial.

use std::collections::BTreeSet;

use super::delta::NoDelta;
use super::domain_name::{DomainName, NAME_CHARS_MAX};
use super::feeds::{Feed, changed_text, push};
use super::list::BlockList;
use super::serial::Serial;

/// How long a resolver may go on with an answer, and with there being none, in seconds.
const TTL_S: u32 = 300;
/// How often a secondary asks for the serial, in seconds.
const REFRESH_S: u32 = 300;
/// How soon it asks again after a failure, in seconds.
const RETRY_S: u32 = 60;
/// How long a secondary goes on without its primary, in seconds: blocking outlives an outage of four weeks.
const EXPIRE_S: u32 = 4 * 7 * 86_400;

/// The zone that carries the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub origin: DomainName,
    /// Its name server.
    pub server: DomainName,
    /// Who answers for it, as a name (RFC 1035 §3.3.13): `hostmaster.example.ua` for hostmaster@example.ua.
    pub contact: DomainName,
    /// What a resolver answers for a blocked name.
    pub answer: Answer,
}

/// What a resolver answers for a blocked name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// That there is no such name: `CNAME .`.
    NoSuchName,
    /// The addresses of the host that explains the block.
    Garden(DomainName),
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
/// of now, the records that come, the SOA of now; where nothing changed, that SOA alone.
///
/// # Errors
/// [`NoDelta`]
pub fn rpz_delta(list: &BlockList, zone: &Zone, since: Serial) -> Result<Feed, NoDelta> {
    let revisions = list.revisions_told_since(since)?;
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
        let head = format!("; {title}\n$ORIGIN {}.\n$TTL {TTL_S}\n", zone.origin);
        Self { zone, action, bytes: head.into_bytes(), domains_left_out: 0, wildcards_left_out: 0 }
    }

    fn soa(&mut self, serial: Serial) {
        let Zone { server, contact, .. } = self.zone;
        let times = format!("{REFRESH_S} {RETRY_S} {EXPIRE_S} {TTL_S}");
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
