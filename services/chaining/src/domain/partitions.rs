//! Which partitions of `TX` a process seals.

use contracts::OperatorId;
use contracts::subjects::{PARTITIONS, partition};

/// Partitions of `TX`, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions(Vec<u16>);

/// The share of the work that a process was told to do can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "replica {ordinal} of {replicas} owns nothing: ordinals go from 0 to replicas - 1, replicas from 1 to {PARTITIONS}"
)]
pub struct BadShare {
    /// Which replica the process is.
    pub ordinal: u16,
    /// How many there are.
    pub replicas: u16,
}

impl Partitions {
    /// Every partition.
    pub fn all() -> Self {
        Self((0..PARTITIONS).collect())
    }

    /// Those of replica `ordinal` of `replicas`: every `replicas`-th, so that shares differ by one at most.
    ///
    /// # Errors
    /// [`BadShare`]
    pub fn of(ordinal: u16, replicas: u16) -> Result<Self, BadShare> {
        if ordinal >= replicas || replicas > PARTITIONS {
            return Err(BadShare { ordinal, replicas });
        }
        Ok(Self((ordinal..PARTITIONS).step_by(usize::from(replicas)).collect()))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    /// Whether an operator's chain belongs to them.
    pub fn hold(&self, operator: OperatorId) -> bool {
        self.0.binary_search(&partition(operator)).is_ok()
    }

    /// Whether the process that owns them writes the log, trims the streams and announces: the one that owns the first.
    pub fn write_the_log(&self) -> bool {
        self.0.first() == Some(&0)
    }

    /// Whether these are all there are.
    pub fn are_all(&self) -> bool {
        self.0.len() == usize::from(PARTITIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_disjoint_and_leave_nothing_out() {
        for replicas in [1, 2, 3, 5, 64] {
            let shares = (0..replicas).map(|ordinal| Partitions::of(ordinal, replicas).expect("a share"));
            let mut held: Vec<u16> = shares.flat_map(|share| share.0).collect();
            held.sort_unstable();
            assert_eq!(Partitions(held), Partitions::all(), "{replicas} replicas");
        }
    }

    #[test]
    fn who_owns_nothing_is_told_so() {
        for (ordinal, replicas) in [(0, 0), (1, 1), (2, 2), (0, 65)] {
            assert_eq!(Partitions::of(ordinal, replicas), Err(BadShare { ordinal, replicas }));
        }
    }

    #[test]
    fn an_operator_belongs_to_one_share() {
        // The last two bytes are 0x0041 = 65, which is 1 modulo 64.
        let operator = "13013f29-b9df-4b82-ad28-e51596b70041".parse().expect("a UUID");
        assert!(Partitions::of(1, 2).expect("a share").hold(operator));
        assert!(!Partitions::of(0, 2).expect("a share").hold(operator));
        assert!(Partitions::all().hold(operator) && Partitions::all().are_all());
        let writers = (0..3).filter(|ordinal| Partitions::of(*ordinal, 3).expect("a share").write_the_log());
        assert_eq!(writers.collect::<Vec<_>>(), [0]);
    }
}
