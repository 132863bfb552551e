//! How a record is written: senders differ, and so do the paths that a reader takes through their records.

use rand::Rng as _;
use rand::rngs::SmallRng;

/// More members than any record has.
const MEMBERS_MAX: usize = 32;

/// One way of writing the same members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// No spaces, `seq` first.
    Compact,
    /// A space after every colon and comma, as Python's `json` writes.
    Spaced,
    /// No spaces, the members in any order, as a hash map gives them.
    Shuffled,
}

impl Style {
    /// One by the shares of the reference data: 72, 10 and 18 in a hundred.
    pub(super) fn any(rng: &mut SmallRng) -> Self {
        match rng.next_u32() % 100 {
            0..10 => Self::Spaced,
            10..28 => Self::Shuffled,
            _ => Self::Compact,
        }
    }

    /// Writes anew the compact object that begins at `start` of `out` and ends with it. Its values hold neither quotes nor commas.
    pub(super) fn apply(self, out: &mut Vec<u8>, start: usize, scratch: &mut Vec<u8>, rng: &mut SmallRng) {
        if self == Self::Compact {
            return;
        }
        scratch.clear();
        scratch.extend_from_slice(out.get(start..).unwrap_or_default());
        out.truncate(start);
        let inner = scratch.get(1..scratch.len().saturating_sub(1)).unwrap_or_default();
        match self {
            Self::Compact => {}
            Self::Spaced => spaced(out, inner),
            Self::Shuffled => shuffled(out, inner, rng),
        }
        out.push(b'}');
    }
}

fn spaced(out: &mut Vec<u8>, inner: &[u8]) {
    out.push(b'{');
    for (at, member) in inner.split(|byte| *byte == b',').enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        // A value may hold a colon, a name does not.
        let colon = member.iter().position(|byte| *byte == b':').map_or(member.len(), |colon| colon + 1);
        let (name, value) = member.split_at(colon);
        out.extend_from_slice(name);
        out.push(b' ');
        out.extend_from_slice(value);
    }
}

fn shuffled(out: &mut Vec<u8>, inner: &[u8], rng: &mut SmallRng) {
    let mut members: [&[u8]; MEMBERS_MAX] = [&[]; MEMBERS_MAX];
    let mut count = 0;
    for (place, member) in members.iter_mut().zip(inner.split(|byte| *byte == b',')) {
        *place = member;
        count += 1;
    }
    let Some(members) = members.get_mut(..count) else { return };
    // Fisher and Yates.
    for last in (1..count).rev() {
        members.swap(last, rng.next_u32() as usize % (last + 1));
    }
    for (at, member) in members.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        out.extend_from_slice(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn every_style_says_the_same() {
        let record = br#"{"seq":7,"at":"2026-10-24T18:00:29Z","round":"r:1","amount":5}"#;
        let value: serde_json::Value = serde_json::from_slice(record).expect("JSON");
        let mut rng = SmallRng::seed_from_u64(3);
        for (style, expected) in [
            (Style::Compact, Some(&record[..])),
            (Style::Spaced, Some(&br#"{"seq": 7, "at": "2026-10-24T18:00:29Z", "round": "r:1", "amount": 5}"#[..])),
            (Style::Shuffled, None),
        ] {
            let mut out = b"before".to_vec();
            out.extend_from_slice(record);
            style.apply(&mut out, 6, &mut Vec::new(), &mut rng);
            let written = out.strip_prefix(b"before").expect("kept");
            assert_eq!(serde_json::from_slice::<serde_json::Value>(written).expect("JSON"), value);
            assert!(expected.is_none_or(|expected| expected == written), "{}", String::from_utf8_lossy(written));
        }
    }
}
