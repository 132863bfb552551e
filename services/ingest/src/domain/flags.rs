//! Which records of a batch have a flag, by how their operator stands.
//!
//! Usually none: then each vertical has a licence that was active all the time from the first wager up to now, and no record is
//! looked at. Only otherwise the wagers are read again, one by one.

use contracts::UnixMillis;
use contracts::batch::{CheckedBatch, Wagers};
use contracts::frame::{Remark, Run};
use contracts::registry::{ActiveTime, Flag, OperatorStanding};

/// The flagged records of one batch, by flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags([Vec<Run>; Flag::ALL.len()]);

/// What is flagged in a batch with one flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flagged {
    /// How.
    pub flag: Flag,
    /// The first seq.
    pub first_seq: u64,
    /// The last seq.
    pub last_seq: u64,
    /// How many records.
    pub records: u64,
}

/// Flags the wagers of a batch that was checked; `body` and `now` are those it was checked with.
pub fn flags(standing: &OperatorStanding, checked: &CheckedBatch, body: &[u8], now: UnixMillis) -> Flags {
    let mut flags = Flags::default();
    if !covered(standing, checked.wagers, now) {
        for (offset, vertical, at) in checked.read_wagers(body, now) {
            if let Some(flag) = standing.flag(vertical, at, now) {
                flags.add(flag, offset);
            }
        }
    }
    flags
}

/// Whether each vertical has one licence that was active without a break while the wagers were placed, and still is or was just now.
fn covered(standing: &OperatorStanding, wagers: Wagers, received: UnixMillis) -> bool {
    let Some((first, last)) = wagers.span() else { return true };
    wagers.verticals().all(|vertical| {
        let mut licences = standing.licences.iter().filter(|licence| licence.kind.verticals().contains(&vertical));
        // A time has no gaps: if it holds both ends it holds all between them.
        let in_time = |time: &ActiveTime| time.holds(first) && time.holds(last) && time.hears(received);
        licences.any(|licence| licence.active.iter().any(in_time))
    })
}

impl Flags {
    /// Flags a record. MUST be called in order.
    fn add(&mut self, flag: Flag, offset: u32) {
        let Some(runs) = self.0.get_mut(flag as usize) else { return };
        match runs.last_mut() {
            Some(run) if run.offset + run.count == offset => run.count += 1,
            _ => runs.push(Run { offset, count: 1 }),
        }
    }

    /// Whether nothing is flagged.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// Those of the records behind the first `skip`, as places from there.
    pub fn behind(&self, skip: u32) -> Self {
        let cut = |run: &Run| {
            let (from, to) = (run.offset.max(skip), (run.offset + run.count).max(skip));
            (from < to).then_some(Run { offset: from - skip, count: to - from })
        };
        Self(self.0.each_ref().map(|runs| runs.iter().filter_map(cut).collect()))
    }

    /// As remarks on the batch with this index.
    pub fn remarks(&self, batch: u16) -> impl Iterator<Item = Remark> {
        Flag::ALL.into_iter().zip(&self.0).flat_map(move |(flag, runs)| Remark::flagged(batch, flag, runs))
    }

    /// What is flagged, flag by flag; `first_seq` is that of the batch.
    pub fn summary(&self, first_seq: u64) -> impl Iterator<Item = Flagged> {
        Flag::ALL.into_iter().zip(&self.0).filter_map(move |(flag, runs)| {
            let (first, last) = (runs.first()?, runs.last()?);
            Some(Flagged {
                flag,
                first_seq: first_seq + u64::from(first.offset),
                last_seq: first_seq + u64::from(last.offset) + u64::from(last.count) - 1,
                records: runs.iter().map(|run| u64::from(run.count)).sum(),
            })
        })
    }

    /// Bytes it holds in memory.
    pub fn memory_bytes(&self) -> usize {
        self.0.iter().map(|runs| runs.len() * size_of::<Run>()).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use contracts::batch::{Media, check};
    use contracts::registry::{LATE_MS, LicenceKind, LicenceState};
    use proptest::prelude::*;
    use testkit::register::{licence, standing};

    const NOW: UnixMillis = UnixMillis(1_792_864_829_498);
    const VERTICALS: [&str; 4] = ["slots", "betting", "virtual", "lottery"];

    fn record(seq: usize, vertical: Option<&str>, at_ms: i64) -> String {
        let of_type = vertical.map_or(
            r#""type":"refund","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0c","reason":"other""#.to_owned(),
            |vertical| format!(r#""type":"wager","vertical":"{vertical}","game":"a.b","round":"r""#),
        );
        let at = UnixMillis(at_ms);
        format!(
            r#"{{"seq":{seq},"id":"55d3f385-fe76-4324-9d76-{seq:012x}","at":"{at}","amount":1,"currency":"UAH","channel":"web",{of_type}}}"#
        )
    }

    /// Flags that are given by hand.
    pub(crate) fn flags_of(flag: Flag, offsets: &[u32]) -> Flags {
        let mut flags = Flags::default();
        offsets.iter().for_each(|offset| flags.add(flag, *offset));
        flags
    }

    #[test]
    fn flags_are_cut_told_and_summed_up() {
        let flags = flags_of(Flag::OutsideLicence, &[0, 1, 2, 5, 7, 8]);
        let runs = |flags: &Flags| flags.0[1].iter().map(|run| (run.offset, run.count)).collect::<Vec<_>>();
        assert_eq!(runs(&flags), [(0, 3), (5, 1), (7, 2)]);
        assert_eq!(runs(&flags.behind(2)), [(0, 1), (3, 1), (5, 2)]);
        assert_eq!(runs(&flags.behind(8)), [(0, 1)]);
        assert!(flags.behind(9).is_empty() && !flags.is_empty());
        let flagged = Flagged { flag: Flag::OutsideLicence, first_seq: 10, last_seq: 18, records: 6 };
        assert_eq!(flags.summary(10).collect::<Vec<_>>(), [flagged]);
        assert_eq!(flags.remarks(3).map(|remark| remark.batch()).collect::<Vec<_>>(), [3]);
    }

    proptest! {
        /// The quick look and the reading of each wager never disagree, with licences that begin, stop and begin again.
        #[test]
        fn each_wager_has_the_flag_of_its_own_time(
            records in proptest::collection::vec((proptest::option::weighted(0.8, 0..4_usize), 0_i64..40), 1..30),
            times in proptest::collection::vec((0_usize..6, 0_i64..20, 0_i64..30, any::<bool>()), 0..5),
            received in prop_oneof![Just(100_i64), LATE_MS..LATE_MS + 40],
        ) {
            let base = NOW.0 - received;
            let mut standing = standing("13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID"));
            standing.licences = times.iter().map(|(kind, from, length, suspended)| {
                let until = (*length < 25).then_some(UnixMillis(base + from + length));
                let state = if *suspended { LicenceState::Suspended } else { LicenceState::Revoked };
                licence(LicenceKind::ALL[*kind], state, &[(UnixMillis(base + from), until)])
            }).collect();
            let lines: Vec<String> = records.iter().enumerate()
                .map(|(n, (vertical, at))| record(n + 1, vertical.map(|v| VERTICALS[v]), base + at)).collect();
            let body = lines.join("\n");
            let checked = check(body.as_bytes(), Media::Ndjson, NOW).expect("good");
            let found = flags(&standing, &checked, body.as_bytes(), NOW);
            let mut by_hand = Flags::default();
            for (offset, (vertical, at)) in records.iter().enumerate() {
                let vertical = vertical.and_then(|v| contracts::record::Vertical::read(VERTICALS[v]));
                if let Some(flag) = vertical.and_then(|vertical| standing.flag(vertical, UnixMillis(base + at), NOW)) {
                    by_hand.add(flag, offset as u32);
                }
            }
            prop_assert_eq!(found, by_hand);
        }
    }
}
