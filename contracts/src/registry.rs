//! What `REGISTRY` tells: how an operator stands. Licensing writes it whole at every change, so the last message is all there is to know.

use serde::{Deserialize, Serialize};

use crate::record::Vertical;
use crate::{Hash, OperatorId, UnixMillis};

/// CloudEvents `type` of an [`OperatorStanding`].
pub const CE_OPERATOR: &str = "org.dsom.registry.operator.v1";
/// CloudEvents `type` of a [`Beat`].
pub const CE_BEAT: &str = "org.dsom.registry.beat.v1";

/// What a licence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceKind {
    /// Casino games on the internet.
    OnlineCasino,
    /// A casino in a building.
    LandCasino,
    /// A hall of gaming machines.
    MachineHall,
    /// Bets on sports and other events.
    Betting,
    /// Poker on the internet.
    OnlinePoker,
    /// Lotteries.
    Lottery,
}

impl LicenceKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::OnlineCasino, Self::LandCasino, Self::MachineHall, Self::Betting, Self::OnlinePoker, Self::Lottery];

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlineCasino => "online_casino",
            Self::LandCasino => "land_casino",
            Self::MachineHall => "machine_hall",
            Self::Betting => "betting",
            Self::OnlinePoker => "online_poker",
            Self::Lottery => "lottery",
        }
    }

    /// The verticals that wagers under such a licence may have.
    pub fn verticals(self) -> &'static [Vertical] {
        use Vertical::{Betting, Bingo, Live, Lottery, Machine, Poker, Slots, Table, Virtual};
        match self {
            Self::OnlineCasino => &[Slots, Table, Live, Virtual, Bingo],
            Self::LandCasino => &[Slots, Table, Poker, Machine, Bingo],
            Self::MachineHall => &[Machine],
            Self::Betting => &[Betting, Virtual],
            Self::OnlinePoker => &[Poker],
            Self::Lottery => &[Lottery, Bingo],
        }
    }
}

/// Where a licence is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceState {
    /// The application is filed.
    Applied,
    /// It is looked at.
    UnderReview,
    /// The licence is granted, and not paid.
    Approved,
    /// The fee is asked for.
    FeeDue,
    /// In the register: the operator may take wagers.
    Active,
    /// No wagers for now.
    Suspended,
    /// Taken away for good.
    Revoked,
    /// Given back.
    Surrendered,
    /// Its time is over.
    Expired,
    /// The application was refused.
    Refused,
}

/// A time in which a licence was active. Half open: from its beginning, up to and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveTime {
    /// Unix milliseconds.
    pub from: UnixMillis,
    /// Unix milliseconds; `None` while it lasts.
    pub until: Option<UnixMillis>,
}

impl ActiveTime {
    /// Whether a moment lies in it.
    pub fn holds(&self, at: UnixMillis) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether what is told of it at a moment is told in time: while it lasts, or [`LATE_MS`] after.
    pub fn hears(&self, received: UnixMillis) -> bool {
        self.until.is_none_or(|until| received.0 < until.0.saturating_add(LATE_MS))
    }
}

/// A licence as the other services need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceStanding {
    /// Its id within the register.
    pub licence: String,
    /// What it is for.
    pub kind: LicenceKind,
    /// Where it is now.
    pub state: LicenceState,
    /// When it was active, ascending; the time up to its expiry included.
    pub active: Vec<ActiveTime>,
    /// When it was taken away or given back, or else when its time is over; Unix milliseconds, `None` before it is entered in the
    /// register. A suspension lasts up to then at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<UnixMillis>,
}

/// Which of the two worlds a key is for.
pub use crate::receipt::Env;

/// A registered key that may be used now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStanding {
    /// The RFC 7638 thumbprint of the key: base64url of 43 characters.
    pub kid: String,
    /// The public key as a JWK (RFC 7517).
    pub jwk: serde_json::Value,
    /// Live or test.
    pub env: Env,
    /// From when it may be used, Unix milliseconds.
    pub not_before: UnixMillis,
    /// Up to when, Unix milliseconds.
    pub expires: UnixMillis,
}

/// How an operator stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorStanding {
    /// Who.
    pub operator: OperatorId,
    /// The version of its history that this is read from; it only grows.
    pub version: u64,
    /// Hash of the last change of that version: one version has one history. Absent in what was written before there was this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Hash>,
    /// When that version came about, Unix milliseconds.
    pub at: UnixMillis,
    /// Its name, for people.
    pub name: String,
    /// Its licences.
    pub licences: Vec<LicenceStanding>,
    /// Its keys that are not revoked. What is not here is refused: tokens of a revoked key are cut by its absence.
    pub keys: Vec<KeyStanding>,
    /// Whether batches must be signed by one of the keys.
    pub signature_required: bool,
}

/// All that was decided before a moment is on `REGISTRY` before this message: how old a projection is, is told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The moment.
    pub at: UnixMillis,
}

/// What a reader of `REGISTRY` learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// How an operator stands.
    Operator(OperatorStanding),
    /// All decided before a moment was told.
    Beat(Beat),
    /// What was there when reading began has been read.
    Read,
}

/// A fact about a record that stands beside it, never in its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// A wager of a time in which the licence for its vertical was suspended.
    AfterSuspension,
    /// A wager whose vertical no licence of the operator covered at its time.
    OutsideLicence,
    /// A wager of a time in which its licence was active that came long after that time had ended: anybody can date a wager back.
    ReportedLate,
}

/// How long after a licence was suspended or ended a wager of before may still come without being flagged, in milliseconds.
pub const LATE_MS: i64 = 5 * 60 * 1_000;

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 3] = [Self::AfterSuspension, Self::OutsideLicence, Self::ReportedLate];

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AfterSuspension => "after-suspension",
            Self::OutsideLicence => "outside-licence",
            Self::ReportedLate => "reported-late",
        }
    }
}

impl OperatorStanding {
    /// What is to be said of a wager of a vertical at a time, received at another, if anything.
    pub fn flag(&self, vertical: Vertical, at: UnixMillis, received: UnixMillis) -> Option<Flag> {
        let (mut late, mut suspended) = (false, false);
        for licence in self.licences.iter().filter(|licence| licence.kind.verticals().contains(&vertical)) {
            if let Some(time) = licence.active.iter().find(|time| time.holds(at)) {
                if time.hears(received) {
                    return None;
                }
                late = true;
            }
            // Between two active times, or after the last and before the licence ended, it was suspended.
            let before = licence.active.iter().any(|time| time.until.is_some_and(|until| until <= at));
            let after = licence.active.iter().any(|time| time.from > at);
            // Those told before ends were have none: then its state now has to do.
            let lasted = licence.ends.map_or(licence.state == LicenceState::Suspended, |ends| at < ends);
            suspended |= before && (after || lasted);
        }
        Some(match (late, suspended) {
            (true, _) => Flag::ReportedLate,
            (false, true) => Flag::AfterSuspension,
            (false, false) => Flag::OutsideLicence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(licences: Vec<LicenceStanding>) -> OperatorStanding {
        OperatorStanding {
            operator: "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID"),
            version: 1,
            head: None,
            at: UnixMillis(0),
            name: "A".to_owned(),
            licences,
            keys: vec![],
            signature_required: false,
        }
    }

    fn licence(kind: LicenceKind, state: LicenceState, active: &[(i64, Option<i64>)]) -> LicenceStanding {
        let time =
            |(from, until): &(i64, Option<i64>)| ActiveTime { from: UnixMillis(*from), until: until.map(UnixMillis) };
        let active = active.iter().map(time).collect();
        LicenceStanding { licence: "L-1".to_owned(), kind, state, active, ends: None }
    }

    #[test]
    fn a_wager_is_flagged_by_its_own_time() {
        use Flag::{AfterSuspension, OutsideLicence};
        // Active 100-200, suspended 200-300, active again 300-400, suspended from 400 on.
        let betting = licence(LicenceKind::Betting, LicenceState::Suspended, &[(100, Some(200)), (300, Some(400))]);
        let now = standing(vec![betting]);
        for (at, expected) in [
            (99, Some(OutsideLicence)),
            (100, None),
            (199, None),
            (200, Some(AfterSuspension)),
            (299, Some(AfterSuspension)),
            (300, None),
            (400, Some(AfterSuspension)),
            (9_999, Some(AfterSuspension)),
        ] {
            assert_eq!(now.flag(Vertical::Betting, UnixMillis(at), UnixMillis(at)), expected, "at {at}");
            assert_eq!(now.flag(Vertical::Slots, UnixMillis(at), UnixMillis(at)), Some(OutsideLicence));
        }
        let revoked = licence(LicenceKind::Betting, LicenceState::Revoked, &[(100, Some(200))]);
        let revoked = standing(vec![revoked]);
        assert_eq!(revoked.flag(Vertical::Betting, UnixMillis(250), UnixMillis(250)), Some(OutsideLicence));
    }

    #[test]
    fn what_was_suspended_stays_so_when_the_licence_has_ended() {
        use Flag::{AfterSuspension, OutsideLicence};
        // Active 100-200, suspended 200-300, then taken away, given back or over.
        for state in [LicenceState::Revoked, LicenceState::Surrendered, LicenceState::Suspended] {
            let mut ended = licence(LicenceKind::Betting, state, &[(100, Some(200))]);
            ended.ends = Some(UnixMillis(300));
            let now = standing(vec![ended]);
            for (at, expected) in [
                (99, Some(OutsideLicence)),
                (100, None),
                (200, Some(AfterSuspension)),
                (299, Some(AfterSuspension)),
                (300, Some(OutsideLicence)),
            ] {
                assert_eq!(now.flag(Vertical::Betting, UnixMillis(at), UnixMillis(at)), expected, "{state:?} at {at}");
            }
        }
        // Taken away while it was active: there was no suspension.
        let mut taken = licence(LicenceKind::Betting, LicenceState::Revoked, &[(100, Some(200))]);
        taken.ends = Some(UnixMillis(200));
        let taken = standing(vec![taken]);
        assert_eq!(taken.flag(Vertical::Betting, UnixMillis(200), UnixMillis(200)), Some(OutsideLicence));
    }

    #[test]
    fn a_wager_of_before_a_suspension_that_comes_long_after_it_is_told_apart() {
        // Suspended 1,000-400,000, active again from then on; five minutes are 300,000.
        let held = licence(LicenceKind::Betting, LicenceState::Active, &[(100, Some(1_000)), (400_000, None)]);
        let now = standing(vec![held]);
        let flag = |at, received| now.flag(Vertical::Betting, UnixMillis(at), UnixMillis(received));
        for (at, received, expected) in [
            (999, 999, None),
            (999, 300_999, None),
            (999, 301_000, Some(Flag::ReportedLate)),
            (999, 900_000, Some(Flag::ReportedLate)),
            (1_000, 301_000, Some(Flag::AfterSuspension)),
            (400_000, i64::MAX, None),
        ] {
            assert_eq!(flag(at, received), expected, "of {at}, received at {received}");
        }
        // Another licence that still holds hears it.
        let other = licence(LicenceKind::OnlineCasino, LicenceState::Active, &[(1, None)]);
        let gone = licence(LicenceKind::Betting, LicenceState::Revoked, &[(1, Some(1_000))]);
        let both = standing(vec![gone, other]);
        assert_eq!(both.flag(Vertical::Virtual, UnixMillis(5), UnixMillis(900_000)), None);
        assert_eq!(both.flag(Vertical::Betting, UnixMillis(5), UnixMillis(900_000)), Some(Flag::ReportedLate));
    }

    #[test]
    fn a_standing_from_before_ends_were_told_is_read() {
        let old = r#"{"licence":"1","kind":"betting","state":"suspended","active":[{"from":1,"until":2}]}"#;
        let read: LicenceStanding = serde_json::from_str(old).expect("reads");
        assert_eq!(read.ends, None);
        assert_eq!(serde_json::to_string(&read).expect("writes"), old);
    }

    #[test]
    fn one_licence_that_covers_is_enough() {
        let gone = licence(LicenceKind::OnlineCasino, LicenceState::Revoked, &[(1, Some(2))]);
        let held = licence(LicenceKind::Betting, LicenceState::Active, &[(1, None)]);
        let now = standing(vec![gone, held]);
        assert_eq!(now.flag(Vertical::Virtual, UnixMillis(5), UnixMillis(5)), None);
        assert_eq!(now.flag(Vertical::Slots, UnixMillis(5), UnixMillis(5)), Some(Flag::OutsideLicence));
    }

    #[test]
    fn a_standing_of_before_heads_were_told_is_read() {
        let old = r#"{"operator":"13013f29-b9df-4b82-ad28-e51596b7e0b4","version":1,"at":0,"name":"A","licences":[],"keys":[],"signature_required":false}"#;
        assert_eq!(serde_json::from_str::<OperatorStanding>(old).expect("reads"), standing(vec![]));
        assert_eq!(serde_json::to_string(&standing(vec![])).expect("writes"), old);
    }

    #[test]
    fn every_vertical_can_be_licensed() {
        for vertical in Vertical::ALL {
            assert!(LicenceKind::ALL.iter().any(|kind| kind.verticals().contains(vertical)), "{vertical:?}");
        }
    }
}
