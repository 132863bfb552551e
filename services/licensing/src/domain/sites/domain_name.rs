//! A domain name as the DNS carries it: lower-case A-labels without a trailing dot, read from what a person types.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize, Serializer};

/// Longest name, in characters without the trailing dot (RFC 1035 §2.3.4: 255 octets on the wire).
pub const NAME_CHARS_MAX: usize = 253;
/// Longest label, in characters (RFC 1035 §2.3.4).
pub const LABEL_CHARS_MAX: usize = 63;
/// Longest text that is looked at, in bytes: room for the longest name with each character in four bytes.
pub const INPUT_BYTES_MAX: usize = 1024;

/// ASCII that no label holds. An underscore stays: browsers open such subdomains, so they must be blockable.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// A domain name of two labels or more, whose last label is alphabetic or an A-label.
///
/// Ordered as RFC 4034 §6.1 orders names, label by label from the right: what lies within a name follows it directly.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DomainName(Arc<str>);

/// Why a text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDomainName {
    /// Nothing, or nothing but spaces.
    #[error("the domain name is empty")]
    Empty,
    /// Longer than any name.
    #[error("the domain name has {chars} characters, at most {max} are allowed", max = NAME_CHARS_MAX)]
    NameTooLong {
        /// Its length as A-labels, or in bytes as given when it was not worth a look.
        chars: usize,
    },
    /// A label is longer than any label.
    #[error("the label {label:?} has {chars} characters as an A-label, at most {max} are allowed", max = LABEL_CHARS_MAX)]
    LabelTooLong {
        /// Its beginning.
        label: String,
        /// Its length as an A-label.
        chars: usize,
    },
    /// Two dots in a row, or a dot in front.
    #[error("the domain name has an empty label")]
    EmptyLabel,
    /// Part of a web address, an e-mail address or a pattern.
    #[error("{found:?} is not part of a domain name: give the domain alone, its subdomains are included")]
    NotAlone {
        /// The first character that does not belong.
        found: char,
    },
    /// An IPv4 or IPv6 address.
    #[error("an IP address is not a domain name")]
    Address,
    /// A top-level domain, or a name without a dot.
    #[error("a domain name has two labels or more")]
    OneLabel,
    /// The last label can't be a top-level domain (RFC 1123 §2.1).
    #[error("no top-level domain is named {label:?}")]
    TopLevel {
        /// The last label.
        label: String,
    },
    /// UTS 46 refuses it: characters, hyphens, direction or Punycode.
    #[error("the domain name is not valid under UTS 46")]
    Unicode,
}

impl DomainName {
    /// The name in A-labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a person reads it, where that is another text. For people only: two names may look alike.
    pub fn in_unicode(&self) -> Option<String> {
        if !self.0.split('.').any(|label| label.starts_with("xn--")) {
            return None;
        }
        let (text, _) = Uts46::new().to_unicode(self.0.as_bytes(), DENIED, Hyphens::CheckFirstLast);
        (*text != *self.0).then(|| text.into_owned())
    }

    /// The names it lies within, from the nearest on, as long as they have two labels.
    pub fn parents(&self) -> impl Iterator<Item = Self> {
        let mut rest = self.as_str();
        std::iter::from_fn(move || {
            let (_, parent) = rest.split_once('.')?;
            rest = parent;
            parent.contains('.').then(|| Self(parent.into()))
        })
    }

    /// Whether it is `other` or a subdomain of it.
    pub fn is_within(&self, other: &Self) -> bool {
        let head = self.0.strip_suffix(other.as_str());
        head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
    }
}

impl FromStr for DomainName {
    type Err = BadDomainName;

    /// Reads what a person types: any case, IDN or A-labels, spaces around it, a trailing dot.
    fn from_str(text: &str) -> Result<Self, BadDomainName> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadDomainName::Empty);
        }
        if text.len() > INPUT_BYTES_MAX {
            return Err(BadDomainName::NameTooLong { chars: text.len() });
        }
        refuse_neighbours(text)?;
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), DENIED, Hyphens::CheckFirstLast, DnsLength::Ignore)
            .map_err(|_| BadDomainName::Unicode)?;
        // After the mapping, since UTS 46 makes dots and digits of many characters.
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check_labels(name)?;
        Ok(Self(name.into()))
    }
}

/// Names what stands around a domain in web addresses, e-mail addresses and patterns, which UTS 46 would refuse without
/// a reason.
fn refuse_neighbours(text: &str) -> Result<(), BadDomainName> {
    let colons = text.bytes().filter(|b| *b == b':').count();
    let hexadecimal = |b: u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'[' | b']');
    if colons > 1 && text.bytes().all(hexadecimal) {
        return Err(BadDomainName::Address);
    }
    let foreign =
        |c: &char| c.is_whitespace() || matches!(c, ':' | '/' | '\\' | '?' | '#' | '@' | '*' | '%' | '[' | ']');
    text.chars().find(foreign).map_or(Ok(()), |found| Err(BadDomainName::NotAlone { found }))
}

fn check_labels(name: &str) -> Result<(), BadDomainName> {
    let mut labels = 0;
    for label in name.split('.') {
        labels += 1;
        if label.is_empty() {
            return Err(BadDomainName::EmptyLabel);
        }
        if label.len() > LABEL_CHARS_MAX {
            let beginning = label.chars().take(LABEL_CHARS_MAX).collect();
            return Err(BadDomainName::LabelTooLong { label: beginning, chars: label.len() });
        }
    }
    if name.len() > NAME_CHARS_MAX {
        return Err(BadDomainName::NameTooLong { chars: name.len() });
    }
    let top = name.rsplit('.').next().unwrap_or_default();
    if top.starts_with(|c: char| c.is_ascii_digit()) {
        // As the URL standard tells them apart: what ends in a number is an IPv4 address, if it is anything.
        return Err(BadDomainName::Address);
    }
    if labels < 2 {
        return Err(BadDomainName::OneLabel);
    }
    // Keeps out `rpz-ip` and its kin as well, which in a policy zone would block addresses instead of names.
    if !(top.starts_with("xn--") || top.bytes().all(|b| b.is_ascii_alphabetic())) {
        return Err(BadDomainName::TopLevel { label: top.to_owned() });
    }
    Ok(())
}

impl TryFrom<String> for DomainName {
    type Error = BadDomainName;
    fn try_from(text: String) -> Result<Self, BadDomainName> {
        text.parse()
    }
}

impl Serialize for DomainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Ord for DomainName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rsplit('.').cmp(other.0.rsplit('.'))
    }
}

impl PartialOrd for DomainName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn refused(text: &str) -> BadDomainName {
        text.parse::<DomainName>().expect_err(text)
    }

    #[test]
    fn reads_what_people_type() {
        // The A-labels come from the `idna` package of Python, `faß` and the full-width forms from UTS 46 itself.
        for (text, ascii) in [
            ("example.ua", "example.ua"),
            ("  WWW.Example.UA. ", "www.example.ua"),
            ("казино.укр", "xn--80aodfsg.xn--j1amh"),
            ("КАЗИНО.УКР.", "xn--80aodfsg.xn--j1amh"),
            ("казино。укр", "xn--80aodfsg.xn--j1amh"),
            ("XN--80AODFSG.XN--J1AMH", "xn--80aodfsg.xn--j1amh"),
            ("вулкан-казино.com.ua", "xn----7sbbf2agjcfwfm8c.com.ua"),
            ("їжак.укр", "xn--80aln7i.xn--j1amh"),
            ("ґанок.укр", "xn--80auie62b.xn--j1amh"),
            ("faß.de", "xn--fa-hia.de"),
            ("ＣＡＳＩＮＯ．ＵＡ", "casino.ua"),
            ("my_casino.example.com", "my_casino.example.com"),
            ("r3---sn-4g5e.example.com", "r3---sn-4g5e.example.com"),
            ("1xslots.com", "1xslots.com"),
        ] {
            assert_eq!(name(text).as_str(), ascii, "{text}");
            assert_eq!(name(ascii).as_str(), ascii, "a name in A-labels is read as it is");
        }
        assert_eq!(name("XN--80AODFSG.XN--J1AMH").in_unicode().as_deref(), Some("казино.укр"));
        assert_eq!(name("1xslots.com").in_unicode(), None);
        assert_eq!(name("трамваи\u{306}.укр"), name("трамва\u{439}.укр"), "decomposed and composed are one name");
    }

    #[test]
    fn says_why_a_text_is_not_a_domain() {
        for (text, found) in [
            ("https://example.ua/", ':'),
            ("example.ua/slots", '/'),
            ("example.ua:8080", ':'),
            ("example.ua?x=1", '?'),
            ("admin@example.ua", '@'),
            ("*.example.ua", '*'),
            ("example.ua example.com", ' '),
            ("a\u{a0}b.ua", '\u{a0}'),
        ] {
            assert_eq!(refused(text), BadDomainName::NotAlone { found }, "{text}");
        }
        for text in
            ["192.0.2.1", "192.0.2.1.", "１２７.0.0.1", "::1", "[2001:db8::1]", "::ffff:192.0.2.1", "127.0x1", "7"]
        {
            assert_eq!(refused(text), BadDomainName::Address, "{text}");
        }
        for text in ["", "  "] {
            assert_eq!(refused(text), BadDomainName::Empty);
        }
        for text in [".", "..", ".ua", "example..ua", "example.ua.."] {
            assert_eq!(refused(text), BadDomainName::EmptyLabel, "{text}");
        }
        for text in ["ua", "укр", "localhost."] {
            assert_eq!(refused(text), BadDomainName::OneLabel, "{text}");
        }
        for (text, label) in [("32.1.2.0.192.rpz-ip", "rpz-ip"), ("example.u_a", "u_a")] {
            assert_eq!(refused(text), BadDomainName::TopLevel { label: label.into() });
        }
        // Punycode of a control character and of nothing; hyphens at the edge; a joiner alone; a bidi mix; unsafe
        // ASCII.
        for text in [
            "xn--a.ua",
            "xn--.ua",
            "-a.ua",
            "a-.ua",
            "a\u{200d}b.ua",
            "אa.ua",
            "a;b.ua",
            "a\"b.ua",
            "a\0b.ua",
            "a：b.ua",
        ] {
            assert_eq!(refused(text), BadDomainName::Unicode, "{text:?}");
        }
    }

    #[test]
    fn keeps_the_limits_of_the_dns() {
        let label = "a".repeat(63);
        let long = |last: usize| format!("{label}.{label}.{label}.{}.ua", "b".repeat(last));
        assert_eq!(name(&long(58)).as_str().len(), 253);
        assert_eq!(name(&format!("{}.", long(58))).as_str().len(), 253, "the trailing dot does not count");
        assert_eq!(refused(&long(59)), BadDomainName::NameTooLong { chars: 254 });
        let too_long = BadDomainName::LabelTooLong { label: label.clone(), chars: 64 };
        assert_eq!(refused(&format!("{label}a.ua")), too_long);
        assert!(matches!(refused(&format!("{}.укр", "я".repeat(60))), BadDomainName::LabelTooLong { chars: 64.., .. }));
        assert_eq!(refused(&"a.".repeat(513)), BadDomainName::NameTooLong { chars: 1026 });
    }

    #[test]
    fn knows_what_it_lies_within() {
        let parents: Vec<DomainName> = name("a.b.казино.укр").parents().collect();
        assert_eq!(parents, [name("b.казино.укр"), name("казино.укр")]);
        assert_eq!(name("example.ua").parents().count(), 0);
        assert!(name("a.example.ua").is_within(&name("example.ua")));
        assert!(name("example.ua").is_within(&name("example.ua")));
        assert!(!name("badexample.ua").is_within(&name("example.ua")));
        assert!(!name("example.ua").is_within(&name("a.example.ua")));
    }

    #[test]
    fn sorts_as_the_dns_does_and_keeps_one_text_form() {
        // RFC 4034 §6.1, without its names that are not host names.
        let sorted = ["b.ua", "a.example.ua", "yljkjljk.a.example.ua", "z.example.ua", "example-a.ua"].map(name);
        let mut mixed = sorted.clone();
        mixed.reverse();
        mixed.sort();
        assert_eq!(mixed, sorted);
        let text = serde_json::to_string(&sorted[0]).expect("text");
        assert_eq!(text, "\"b.ua\"");
        assert_eq!(serde_json::from_str::<DomainName>(&text).expect("a name"), sorted[0]);
        assert!(serde_json::from_str::<DomainName>("\"http://b.ua\"").is_err());
    }
}
