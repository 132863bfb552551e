//! A licence: the one table of its states, and what it holds.

use contracts::UnixMillis;
use contracts::registry::{ActiveTime, LicenceKind, LicenceStanding, LicenceState};
use serde::{Deserialize, Serialize};

use crate::domain::sites::domain_name::DomainName;
use crate::domain::text::{self, Line};

/// What can happen to a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The application is looked at.
    Review,
    /// The licence is granted.
    Approve,
    /// It is not granted, or the grant falls because the fee was not paid.
    Refuse,
    /// The fee is asked for.
    Bill,
    /// It is entered in the register.
    Activate,
    /// Wagers must stop.
    Suspend,
    /// Wagers may go on.
    Resume,
    /// It is taken away.
    Revoke,
    /// It is given back.
    Surrender,
    /// Its time is over.
    Expire,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 10] = [
        Self::Review,
        Self::Approve,
        Self::Refuse,
        Self::Bill,
        Self::Activate,
        Self::Suspend,
        Self::Resume,
        Self::Revoke,
        Self::Surrender,
        Self::Expire,
    ];
}

/// The state after a step; `None` where the step is forbidden. There is no other way from state to state.
pub fn after(state: LicenceState, step: Step) -> Option<LicenceState> {
    use LicenceState as S;
    Some(match (state, step) {
        (S::Applied, Step::Review) => S::UnderReview,
        (S::UnderReview, Step::Approve) => S::Approved,
        (S::Approved, Step::Bill) => S::FeeDue,
        (S::FeeDue, Step::Activate) | (S::Suspended, Step::Resume) => S::Active,
        (S::Active, Step::Suspend) => S::Suspended,
        (S::Applied | S::UnderReview | S::Approved | S::FeeDue, Step::Refuse) => S::Refused,
        (S::Active | S::Suspended, Step::Revoke) => S::Revoked,
        (S::Active | S::Suspended, Step::Surrender) => S::Surrendered,
        (S::Active | S::Suspended, Step::Expire) => S::Expired,
        _ => return None,
    })
}

/// Whether nothing can happen to a licence any more.
pub fn is_over(state: LicenceState) -> bool {
    use LicenceState as S;
    matches!(state, S::Refused | S::Revoked | S::Surrendered | S::Expired)
}

/// An amount in whole minor units with its ISO 4217 currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Minor units, 1 to 10^15.
    pub amount: u64,
    /// ISO 4217 code in force.
    pub currency: String,
}

/// Where a licence is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Addresses of venues, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub venues: Vec<Line<300>>,
    /// Domains with their subdomains, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainName>,
    /// Ids of apps in their shops, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<Line<300>>,
}

/// A domain that a licence keeps from being blocked, and up to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDomain {
    /// The domain, with its subdomains.
    pub domain: DomainName,
    /// When the licence's time is over.
    pub until: UnixMillis,
}

/// Most venues, domains or apps of one licence.
pub const PLACES_MAX: usize = 1_000;

/// A licence of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// Its number among the operator's applications, from 1.
    pub id: u32,
    /// What it is for.
    pub kind: LicenceKind,
    /// Where it is used.
    pub places: Places,
    /// Its number in the register, once it is entered there.
    pub number: Option<Line<40>>,
    /// The state it was brought to last; see [`Licence::state_at`].
    pub state: LicenceState,
    /// When it was brought there.
    pub since: UnixMillis,
    /// What is to be paid, once it is asked for.
    pub fee: Option<Fee>,
    /// When it was paid, as was said last.
    pub fee_paid_at: Option<UnixMillis>,
    /// The number of that payment.
    pub fee_document: Option<Line<200>>,
    /// Up to when the licence holds, once it is entered in the register.
    pub expires: Option<UnixMillis>,
    /// When it was active, the last time open while it is.
    pub active: Vec<ActiveTime>,
}

impl Licence {
    /// An application.
    pub fn applied(id: u32, kind: LicenceKind, places: Places, at: UnixMillis) -> Self {
        Self {
            id,
            kind,
            places,
            number: None,
            state: LicenceState::Applied,
            since: at,
            fee: None,
            fee_paid_at: None,
            fee_document: None,
            expires: None,
            active: Vec::new(),
        }
    }

    /// Its state at a moment: time alone brings it to its end.
    pub fn state_at(&self, now: UnixMillis) -> LicenceState {
        let over = self.expires.is_some_and(|expires| expires <= now);
        after(self.state, Step::Expire).filter(|_| over).unwrap_or(self.state)
    }

    /// Whether it was ever in the register.
    pub fn was_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// Whether its number in the register is this one, however it is written.
    pub fn has_number(&self, number: &str) -> bool {
        self.number.as_ref().is_some_and(|own| text::folded(own.as_str()) == text::folded(number))
    }

    /// Its domains, while it is in the register. Time ends that without a fact, so each has its end with it.
    pub fn held_domains(&self) -> impl Iterator<Item = HeldDomain> + '_ {
        let held = matches!(self.state, LicenceState::Active | LicenceState::Suspended);
        let until = self.expires.filter(|_| held);
        let domains =
            until.into_iter().flat_map(move |until| self.places.domains.iter().map(move |domain| (domain, until)));
        domains.map(|(domain, until)| HeldDomain { domain: domain.clone(), until })
    }

    /// Takes a step that was checked, and keeps the times in which it was active.
    pub(super) fn take(&mut self, step: Step, at: UnixMillis) {
        let Some(state) = after(self.state, step) else { return };
        if let Some(open) = self.active.last_mut().filter(|time| time.until.is_none()) {
            let ended = self.expires.map_or(at, |expires| at.min(expires));
            open.until = (state != LicenceState::Active).then_some(ended);
        }
        if state == LicenceState::Active {
            self.active.push(ActiveTime { from: at, until: None });
        }
        (self.state, self.since) = (state, at);
    }

    /// As the other services are told.
    pub fn standing(&self) -> LicenceStanding {
        let bounded = |time: &ActiveTime| ActiveTime { until: time.until.or(self.expires), ..*time };
        LicenceStanding {
            licence: self.id.to_string(),
            kind: self.kind,
            state: self.state,
            active: self.active.iter().map(bounded).collect(),
            ends: self.ends(),
        }
    }

    /// When it was taken away or given back, or else when its time is over.
    fn ends(&self) -> Option<UnixMillis> {
        match self.state {
            LicenceState::Revoked | LicenceState::Surrendered => Some(self.since),
            _ => self.expires,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The allowed paths, written out from the law's order and not from the code.
    const PATHS: &[(LicenceState, Step, LicenceState)] = {
        use LicenceState as S;
        &[
            (S::Applied, Step::Review, S::UnderReview),
            (S::UnderReview, Step::Approve, S::Approved),
            (S::Approved, Step::Bill, S::FeeDue),
            (S::FeeDue, Step::Activate, S::Active),
            (S::Active, Step::Suspend, S::Suspended),
            (S::Suspended, Step::Resume, S::Active),
            (S::Active, Step::Revoke, S::Revoked),
            (S::Suspended, Step::Revoke, S::Revoked),
            (S::Active, Step::Surrender, S::Surrendered),
            (S::Suspended, Step::Surrender, S::Surrendered),
            (S::Active, Step::Expire, S::Expired),
            (S::Suspended, Step::Expire, S::Expired),
            (S::Applied, Step::Refuse, S::Refused),
            (S::UnderReview, Step::Refuse, S::Refused),
            (S::Approved, Step::Refuse, S::Refused),
            (S::FeeDue, Step::Refuse, S::Refused),
        ]
    };

    const STATES: [LicenceState; 10] = {
        use LicenceState as S;
        [
            S::Applied,
            S::UnderReview,
            S::Approved,
            S::FeeDue,
            S::Active,
            S::Suspended,
            S::Revoked,
            S::Surrendered,
            S::Expired,
            S::Refused,
        ]
    };

    #[test]
    fn the_table_has_these_paths_and_no_other() {
        for state in STATES {
            for step in Step::ALL {
                let expected = PATHS.iter().find(|(from, by, _)| (*from, *by) == (state, step)).map(|(.., to)| *to);
                assert_eq!(after(state, step), expected, "{state:?} {step:?}");
            }
        }
    }

    #[test]
    fn time_alone_ends_a_licence() {
        let mut licence = Licence::applied(1, LicenceKind::Betting, Places::default(), UnixMillis(1));
        for (step, at) in [(Step::Review, 2), (Step::Approve, 3), (Step::Bill, 4), (Step::Activate, 5)] {
            licence.take(step, UnixMillis(at));
        }
        licence.expires = Some(UnixMillis(100));
        assert_eq!(licence.state_at(UnixMillis(99)), LicenceState::Active);
        assert_eq!(licence.state_at(UnixMillis(100)), LicenceState::Expired);
        let times = licence.standing().active;
        assert_eq!(times, [ActiveTime { from: UnixMillis(5), until: Some(UnixMillis(100)) }]);
        assert_eq!(licence.standing().ends, Some(UnixMillis(100)));
        licence.take(Step::Suspend, UnixMillis(50));
        licence.take(Step::Revoke, UnixMillis(60));
        assert_eq!(licence.standing().ends, Some(UnixMillis(60)));
    }

    proptest! {
        #[test]
        fn active_times_are_exactly_the_times_spent_active(steps in prop::collection::vec(0_usize..10, 0..60)) {
            let mut licence = Licence::applied(1, LicenceKind::Betting, Places::default(), UnixMillis(0));
            let mut expected = Vec::new();
            for (n, step) in steps.into_iter().enumerate() {
                let at = UnixMillis(n as i64 + 1);
                let before = licence.state;
                licence.take(Step::ALL[step], at);
                if before != licence.state && before == LicenceState::Active {
                    expected.last_mut().map(|time: &mut ActiveTime| time.until = Some(at)).expect("one is open");
                }
                if before != licence.state && licence.state == LicenceState::Active {
                    expected.push(ActiveTime { from: at, until: None });
                }
            }
            prop_assert_eq!(licence.active, expected);
        }
    }
}
