//! Accepted records sent again, held against the true bytes: the same, built anew, or rewritten.

use contracts::Hash;

/// Where sent records first depart from the accepted ones in one way, and how many do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Seq of the first record that differs in the way named.
    pub seq: u64,
    /// Leaf hash of the accepted record.
    pub accepted: Hash,
    /// Leaf hash of the record sent now.
    pub sent: Hash,
    /// Number of records that differ so.
    pub records: u64,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the same.
    Same,
    /// Other bytes, equal JSON values everywhere.
    Reserialised(Difference),
    /// Other values somewhere, even if what differs first was only built anew.
    Rewritten(Difference),
}

/// A comparison under way. Every record is looked at: a rewrite behind a reserialised record is a rewrite.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comparison {
    reserialised: Option<Difference>,
    rewritten: Option<Difference>,
}

impl Comparison {
    /// Holds one sent record against the accepted one.
    pub fn hold(&mut self, seq: u64, accepted: &[u8], sent: &[u8]) {
        if accepted == sent {
            return;
        }
        let kind = if equal_values(accepted, sent) { &mut self.reserialised } else { &mut self.rewritten };
        let first =
            || Difference { seq, accepted: ledger::leaf_hash(accepted), sent: ledger::leaf_hash(sent), records: 0 };
        kind.get_or_insert_with(first).records += 1;
    }

    /// What all of it comes to.
    pub fn verdict(self) -> Verdict {
        match (self.rewritten, self.reserialised) {
            (Some(difference), _) => Verdict::Rewritten(difference),
            (None, Some(difference)) => Verdict::Reserialised(difference),
            (None, None) => Verdict::Same,
        }
    }
}

/// Whether two records hold the same JSON value. What can't be read as JSON is equal to nothing.
fn equal_values(a: &[u8], b: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    read(a).is_some_and(|a| read(b).is_some_and(|b| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(accepted: &[&str], sent: &[&str]) -> Verdict {
        let mut comparison = Comparison::default();
        for ((accepted, sent), seq) in accepted.iter().zip(sent).zip(5..) {
            comparison.hold(seq, accepted.as_bytes(), sent.as_bytes());
        }
        comparison.verdict()
    }

    #[test]
    fn order_of_members_spaces_and_escapes_are_not_values() {
        assert_eq!(verdict(&["{\"a\":1}"], &["{\"a\":1}"]), Verdict::Same);
        let found = verdict(&["{\"a\":1,\"b\":\"x\"}"], &["{\"b\": \"\\u0078\", \"a\":1}"]);
        let Verdict::Reserialised(difference) = found else { panic!("{found:?}") };
        assert_eq!((difference.seq, difference.records), (5, 1));
        assert_eq!(difference.accepted, ledger::leaf_hash(b"{\"a\":1,\"b\":\"x\"}"));
    }

    #[test]
    fn one_other_value_among_rebuilt_ones_is_a_rewrite() {
        let found = verdict(
            &["{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"],
            &["{\"a\": 1}", "{\"a\": 2}", "{\"a\":9}", "{\"a\":8}"],
        );
        let Verdict::Rewritten(difference) = found else { panic!("{found:?}") };
        assert_eq!((difference.seq, difference.records), (7, 2));
        assert_eq!(difference.sent, ledger::leaf_hash(b"{\"a\":9}"));
    }

    #[test]
    fn money_as_a_string_is_another_value() {
        assert!(matches!(verdict(&["{\"a\":1}"], &["{\"a\":\"1\"}"]), Verdict::Rewritten(_)));
        assert!(matches!(verdict(&["{\"a\":1}"], &["{\"a\":1"]), Verdict::Rewritten(_)));
    }
}
