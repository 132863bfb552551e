//! What commands are looked at for one by one: their values, and whether an operator may go live.

use contracts::UnixMillis;
use contracts::registry::{Env, LicenceState};

use super::decide::{Refusal, conflict, invalid};
use super::fact::LegalEntity;
use super::keys::{self, BadKey, Key, PublicJwk};
use super::licence::{Licence, PLACES_MAX, Places};
use super::{Operator, Stage, certificate};
use crate::domain::text::Line;

/// Most brands of an operator.
pub const BRANDS_MAX: usize = 100;

impl Operator {
    /// Whether a licence may be entered in the register under a number, up to a moment. That another operator has the number is found
    /// when it is claimed.
    pub(super) fn check_entry(
        &self,
        licence: &Licence,
        number: &Line<40>,
        expires: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let id = licence.id;
        if licence.fee_paid_at.is_none() {
            return conflict(format!("the fee of licence {id} is not paid"));
        }
        if let Some(other) = self.licences.iter().find(|other| other.number.as_ref() == Some(number)) {
            return conflict(format!("the number {number} is that of licence {} of the operator", other.id));
        }
        if expires <= now {
            return conflict(format!("licence {id} would be over by now: propose it anew with a later end"));
        }
        Ok(())
    }

    /// Whether it may send records of the market: the checks were passed and not too long ago, and at this moment it has a licence to
    /// take wagers under and a key to send them with.
    pub(super) fn check_go_live(&self, now: UnixMillis) -> Result<(), Refusal> {
        let usable = |key: &Key| key.env == Env::Live && key.is_usable(now);
        let recent = |filed: &String| certificate::counts(filed, now);
        match self.stage() {
            Stage::Conformance if !self.has(LicenceState::Active, now) => {
                conflict("live needs a licence that is active")
            }
            Stage::Conformance if !self.keys.iter().any(usable) => {
                conflict("live needs a live key that may be used now")
            }
            Stage::Conformance if !self.certificate.iter().any(recent) => {
                conflict("the certificate of the checks is too old: file a new one")
            }
            Stage::Conformance => Ok(()),
            stage => conflict(format!("the operator is at the stage {stage:?}: live follows conformance")),
        }
    }
}

/// An entity whose values are as they must be.
pub(super) fn entity(entity: LegalEntity) -> Result<LegalEntity, Refusal> {
    if entity.brands.len() > BRANDS_MAX {
        return invalid("/brands", format!("has more than {BRANDS_MAX}"));
    }
    match entity.email.as_str().split_once('@') {
        Some((name, host)) if !name.is_empty() && host.contains('.') && !host.contains('@') => Ok(entity),
        _ => invalid("/email", "must be a mail address of the organisation"),
    }
}

/// Whether places are not too many.
pub(super) fn places(places: &Places, pointer: &str) -> Result<(), Refusal> {
    let sizes = [("venues", places.venues.len()), ("domains", places.domains.len()), ("apps", places.apps.len())];
    match sizes.into_iter().find(|(_, size)| *size > PLACES_MAX) {
        Some((name, _)) => invalid(&format!("{pointer}/{name}"), format!("has more than {PLACES_MAX}")),
        None => Ok(()),
    }
}

/// Whether a key is one, and may be used for such a time.
pub(super) fn key(
    jwk: &PublicJwk,
    (not_before, expires): (UnixMillis, UnixMillis),
    now: UnixMillis,
) -> Result<(), Refusal> {
    jwk.open().map_err(|error| bad_key("jwk", &error))?;
    if expires <= not_before.max(now) {
        return invalid("/decision/expires", "must be after not_before and in the future");
    }
    if expires.0.saturating_sub(not_before.0) > keys::KEY_LIFE_MS_MAX {
        return invalid("/decision/expires", "a key may be used for three years at most");
    }
    Ok(())
}

/// A refusal of a member of a decision about a key.
pub(super) fn bad_key(member: &str, error: &BadKey) -> Refusal {
    Refusal::Invalid { pointer: format!("/decision/{member}"), detail: error.to_string() }
}
