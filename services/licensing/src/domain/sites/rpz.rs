//! The list as a DNS response policy zone (draft-vixie-dnsop-dns-rpz), always whole.

use super::domain_name::{DomainName, NAME_CHARS_MAX};
use super::feeds::{Feed, changed_text, push};
use super::list::BlockList;

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
    let Zone { origin, server, contact, answer } = zone;
    let serial = list.serial();
    let action = match answer {
        Answer::NoSuchName => " CNAME .\n".to_owned(),
        Answer::Garden(host) => format!(" CNAME {host}.\n"),
    };
    let head = format!(
        "; Blocked domains, serial {serial}, changed {}\n$ORIGIN {origin}.\n$TTL {TTL_S}\n\
         @ IN SOA {server}. {contact}. {serial} {REFRESH_S} {RETRY_S} {EXPIRE_S} {TTL_S}\n@ IN NS {server}.\n",
        changed_text(list.changed_at())
    );
    let (mut bytes, mut domains_left_out, mut wildcards_left_out) = (head.into_bytes(), 0, 0);
    for domain in topmost(list) {
        let name = domain.as_str();
        let chars = name.len() + 1 + origin.as_str().len();
        if chars > NAME_CHARS_MAX {
            domains_left_out += 1;
            push(&mut bytes, &["; too long for this zone: ", name, "\n"]);
            continue;
        }
        push(&mut bytes, &[name, &action]);
        if chars + 2 > NAME_CHARS_MAX {
            wildcards_left_out += 1;
            push(&mut bytes, &["; too long for this zone: *.", name, "\n"]);
        } else {
            push(&mut bytes, &["*.", name, &action]);
        }
    }
    ZoneFeed { feed: Feed::new(serial, bytes), domains_left_out, wildcards_left_out }
}

/// Domains that are blocked and not within another blocked one.
fn topmost(list: &BlockList) -> impl Iterator<Item = &DomainName> {
    let mut cover: Option<&DomainName> = None;
    list.in_force().filter_map(|(subject, _)| subject.site()).filter(move |domain| {
        // A domain is followed by all within it, so only the last one kept can cover the next.
        let kept = !cover.is_some_and(|above| domain.is_within(above));
        if kept {
            cover = Some(domain);
        }
        kept
    })
}
