//! What commands are looked at for one by one: their values, and whether an operator may go live.

use std::collections::BTreeSet;

use contracts::UnixMillis;
use contracts::registry::{Env, LicenceState};

use super::decide::{Refusal, conflict, invalid, word};
use super::fact::LegalEntity;
use super::keys::{self, BadKey, Key, PublicJwk};
use super::licence::{Licence, PLACES_MAX, Places};
use super::{Operator, Stage, certificate};
use crate::domain::sites::domain_name::DomainName;
use crate::domain::text::{self, Line};

/// Most brands of an operator.
pub const BRANDS_MAX: usize = 100;
/// Longest time that a licence may be entered for: twice the five years of the law, so that only a slip of the pen is refused.
pub const LICENCE_YEARS_MAX: i64 = 10;
/// Longest part of a mail address before the `@`, in characters (RFC 5321 section 4.5.3.1.1).
const LOCAL_PART_CHARS_MAX: usize = 64;

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
        if let Some(other) = self.licences.iter().find(|other| other.has_number(number.as_str())) {
            return conflict(format!("the number {number} is that of licence {} of the operator", other.id));
        }
        if expires <= now {
            return conflict(format!("licence {id} would be over by now: propose it anew with a later end"));
        }
        end_of_licence(expires, now).or_else(|why| conflict(format!("the end of licence {id} {why}")))?;
        own_domains(&licence.places)
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
            stage => conflict(format!("the operator is at the stage {}: live follows conformance", word(&stage))),
        }
    }
}

/// Whether a licence may be entered up to a moment.
///
/// # Errors
/// Why not, to be put behind the name of the end.
pub(super) fn end_of_licence(expires: UnixMillis, now: UnixMillis) -> Result<(), String> {
    let latest = now.0.saturating_add(LICENCE_YEARS_MAX * 366 * 86_400_000);
    match expires {
        expires if expires <= now => Err("lies in the past".to_owned()),
        UnixMillis(expires) if expires > latest => {
            Err(format!("lies more than {LICENCE_YEARS_MAX} years ahead: a licence is for five"))
        }
        _ => Ok(()),
    }
}

/// An entity whose values are as they must be.
pub(super) fn entity(entity: LegalEntity) -> Result<LegalEntity, Refusal> {
    if entity.edrpou.to_string() == "00000000" {
        return invalid("/edrpou", "no legal entity has this code");
    }
    if entity.brands.len() > BRANDS_MAX {
        return invalid("/brands", format!("has more than {BRANDS_MAX}"));
    }
    each_once(entity.brands.iter().map(|brand| text::folded(brand.as_str())), "/brands")?;
    if is_mail_address(entity.email.as_str()) {
        return Ok(entity);
    }
    invalid("/email", "must be a mail address of the organisation, such as office@example.ua")
}

/// A dot-atom, `@`, a domain (RFC 5322 section 3.4.1; letters of any script, RFC 6531).
fn is_mail_address(text: &str) -> bool {
    let atom =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c));
    let is_local = |local: &str| local.chars().count() <= LOCAL_PART_CHARS_MAX && local.split('.').all(atom);
    let is_domain = |domain: &str| !domain.contains(char::is_whitespace) && domain.parse::<DomainName>().is_ok();
    text.split_once('@').is_some_and(|(local, domain)| is_local(local) && is_domain(domain))
}

fn each_once<T: Ord>(all: impl Iterator<Item = T>, pointer: &str) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match all.enumerate().find_map(|(n, one)| (!seen.insert(one)).then_some(n)) {
        Some(n) => invalid(&format!("{pointer}/{n}"), "is named before"),
        None => Ok(()),
    }
}

/// Whether places are not too many, each is named once, and the domains may be an operator's own.
pub(super) fn places(places: &Places, pointer: &str) -> Result<(), Refusal> {
    let sizes = [("venues", places.venues.len()), ("domains", places.domains.len()), ("apps", places.apps.len())];
    if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size > PLACES_MAX) {
        return invalid(&format!("{pointer}/{name}"), format!("has more than {PLACES_MAX}"));
    }
    each_once(places.venues.iter(), &format!("{pointer}/venues"))?;
    each_once(places.domains.iter(), &format!("{pointer}/domains"))?;
    each_once(places.apps.iter(), &format!("{pointer}/apps"))?;
    match places.domains.iter().position(|domain| domain.public_suffix().is_some()) {
        Some(n) => invalid(&format!("{pointer}/domains/{n}"), "is a public suffix: others have their domains under it"),
        None => Ok(()),
    }
}

/// Whether no domain of them is one that others have theirs under: with it, none of those could be blocked. Places of long ago may hold one.
pub(super) fn own_domains(places: &Places) -> Result<(), Refusal> {
    match places.domains.iter().find(|domain| domain.public_suffix().is_some()) {
        Some(domain) => conflict(format!("{domain} is a public suffix, no domain of the operator: put other places")),
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
