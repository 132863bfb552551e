//! An operator as it is shown: the same members in the register, in histories and to clerks.

use std::sync::Arc;

use contracts::UnixMillis;
use contracts::registry::{Env, LicenceKind, LicenceState};
use serde::Serialize;
use serde_json::{Value, json};

use super::certificate::CertificateView;
use super::fact::{Decision, Ground, LegalEntity};
use super::keys::Key;
use super::licence::{Fee, Licence, Places};
use super::{Operator, Proposal, Stage};
use crate::domain::calendar::Calendar;

/// Months from the register to the market.
pub const INTEGRATION_MONTHS: i32 = 6;

/// An operator as it is shown to clerks.
#[derive(Debug, Clone, Serialize)]
pub struct OperatorView<'a> {
    /// Its id.
    pub id: String,
    /// The version of its history; also the entity tag.
    pub version: u64,
    /// Hash of the last change of its history.
    pub head: String,
    /// When it changed last.
    pub changed_at: String,
    /// Who it is.
    #[serde(flatten)]
    pub entity: Option<&'a LegalEntity>,
    /// How far it has come.
    pub stage: Stage,
    /// Since when it is in the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<String>,
    /// The clock of its integration, once it is in the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<Clock>,
    /// The certificate of the published checks, once one is filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateView>,
    /// Since when it sends records of the market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_since: Option<String>,
    /// Its licences.
    pub licences: Vec<LicenceView<'a>>,
    /// Its keys.
    pub keys: Vec<KeyView<'a>>,
    /// Whether batches must be signed.
    pub signature_required: bool,
    /// Decisions that wait for a second person.
    pub proposals: Vec<ProposalView<'a>>,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// The end of the last day it may be done on.
    #[serde(serialize_with = "as_text")]
    pub due: UnixMillis,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_some_text")]
    pub done: Option<UnixMillis>,
    /// Whether it was not done in time.
    pub overdue: bool,
}

impl Clock {
    fn new(due: UnixMillis, done: Option<UnixMillis>, now: UnixMillis) -> Self {
        Self { due, done, overdue: done.unwrap_or(now) >= due }
    }
}

/// A licence as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct LicenceView<'a> {
    /// Its number among the operator's applications.
    pub id: u32,
    /// What it is for.
    pub kind: LicenceKind,
    /// Its state now.
    pub state: LicenceState,
    /// Since when.
    pub since: String,
    /// Its number in the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<&'a str>,
    /// Up to when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What is to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<&'a Fee>,
    /// When it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_paid_at: Option<String>,
    /// The number of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_document: Option<&'a str>,
    /// The clock of the entry in the register, once the fee is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_entry: Option<Clock>,
    /// Venues, domains and apps.
    #[serde(flatten)]
    pub places: &'a Places,
}

/// The keys of an operator as it is shown them itself.
#[derive(Debug, Clone, Serialize)]
pub struct OwnKeys<'a> {
    /// The version of its history; also the entity tag.
    pub version: u64,
    /// Its keys, the revoked ones too.
    pub keys: Vec<KeyView<'a>>,
    /// What it asked for and waits for a clerk.
    pub requests: Vec<ProposalView<'a>>,
}

/// A key as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView<'a> {
    /// Its thumbprint.
    pub kid: &'a str,
    /// The public key.
    pub jwk: Value,
    /// Live or test.
    pub env: Env,
    /// From when.
    pub not_before: String,
    /// Up to when.
    pub expires: String,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// A proposal as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ProposalView<'a> {
    /// Its id.
    pub id: String,
    /// Who proposed it, or asked for it.
    pub by: &'a str,
    /// The clerk who took up what the operator asked for; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endorsed_by: Option<&'a str>,
    /// When.
    pub at: String,
    /// Up to when it may be confirmed.
    pub expires: String,
    /// What is to be decided.
    pub decision: &'a Decision,
    /// What it rests on; absent when the operator asked for it and no clerk has taken it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<&'a Ground>,
}

fn as_text<S: serde::Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn as_some_text<S: serde::Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// The clock of a licence's entry in the register, once its fee is paid. Of an application that was refused no entry is due, whatever was
/// paid.
fn register_entry(licence: &Licence, calendar: &Calendar, now: UnixMillis) -> Option<Clock> {
    let entered = licence.active.first().map(|time| time.from);
    let paid_at = licence.fee_paid_at.filter(|_| licence.state_at(now) != LicenceState::Refused)?;
    Some(Clock::new(calendar.within_one_business_day(paid_at), entered, now))
}

impl<'a> LicenceView<'a> {
    /// Without its clock.
    fn new(licence: &'a Licence, now: UnixMillis) -> Self {
        let state = licence.state_at(now);
        let since = if state == licence.state { licence.since } else { licence.expires.unwrap_or(licence.since) };
        Self {
            id: licence.id,
            kind: licence.kind,
            state,
            since: since.to_string(),
            number: licence.number.as_ref().map(|number| number.as_str()),
            expires: licence.expires.map(|at| at.to_string()),
            fee: licence.fee.as_ref(),
            fee_paid_at: licence.fee_paid_at.map(|at| at.to_string()),
            fee_document: licence.fee_document.as_ref().map(|document| document.as_str()),
            register_entry: None,
            places: &licence.places,
        }
    }
}

impl<'a> KeyView<'a> {
    fn new(key: &'a Key) -> Self {
        Self {
            kid: &key.kid,
            jwk: json!(key.jwk),
            env: key.env,
            not_before: key.not_before.to_string(),
            expires: key.expires.to_string(),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

impl<'a> ProposalView<'a> {
    /// A proposal with its id.
    pub fn new(id: &uuid::Uuid, proposal: &'a Proposal) -> Self {
        Self {
            id: id.to_string(),
            by: &proposal.by.sub,
            endorsed_by: proposal.endorsed_by.as_ref().map(|clerk| clerk.sub.as_str()),
            at: proposal.at.to_string(),
            expires: proposal.expires.to_string(),
            decision: &proposal.decision,
            ground: proposal.ground.as_ref(),
        }
    }

    /// A request as it is shown to who made it: the same before and after a clerk has taken it up.
    fn asked(id: &uuid::Uuid, request: &'a Proposal) -> Self {
        let expires = request.asked_until.to_string();
        Self { endorsed_by: None, ground: None, expires, ..Self::new(id, request) }
    }
}

impl Operator {
    /// As it is shown to clerks at a moment, with what is due by this calendar.
    pub fn view(&self, calendar: &Calendar, now: UnixMillis) -> OperatorView<'_> {
        let mut view = self.recorded(now);
        view.integration = self.integration(calendar, now);
        view.certificate = self.certificate_shown(true);
        for (shown, licence) in view.licences.iter_mut().zip(&self.licences) {
            shown.register_entry = register_entry(licence, calendar, now);
        }
        view
    }

    /// What its history alone says of it at a moment, whatever holidays are set today.
    pub(super) fn recorded(&self, now: UnixMillis) -> OperatorView<'_> {
        OperatorView {
            id: self.id.to_string(),
            version: self.head.version,
            head: self.head.hash.to_string(),
            changed_at: self.head.at.to_string(),
            entity: self.entity.as_ref(),
            stage: self.stage(),
            registered_at: self.registered_at().map(|at| at.to_string()),
            integration: None,
            // How long it counts is a rule of today, as clocks are.
            certificate: self.certificate_shown(false),
            live_since: self.live_since.map(|at| at.to_string()),
            licences: self.licences.iter().map(|licence| LicenceView::new(licence, now)).collect(),
            keys: self.keys.iter().map(KeyView::new).collect(),
            signature_required: self.signature_required,
            proposals: self
                .proposals
                .iter()
                .filter(|(_, proposal)| proposal.waits(now))
                .map(|(id, proposal)| ProposalView::new(id, proposal))
                .collect(),
        }
    }

    fn certificate_shown(&self, with_end: bool) -> Option<CertificateView> {
        CertificateView::new(self.certificate.as_deref()?, with_end)
    }

    /// Its keys, and what it asked for itself and waits, as it is shown to the operator; what clerks propose, and how far they are with
    /// what it asked for, is not its to see yet.
    pub fn own_keys(&self, now: UnixMillis) -> OwnKeys<'_> {
        let own = |(_, proposal): &(&uuid::Uuid, &Arc<Proposal>)| {
            proposal.is_request() && proposal.waits(now) && proposal.asked_until > now
        };
        OwnKeys {
            version: self.head.version,
            keys: self.keys.iter().map(KeyView::new).collect(),
            requests: self.proposals.iter().filter(own).map(|(id, one)| ProposalView::asked(id, one)).collect(),
        }
    }

    /// The clock of its way into the market, once it is in the register. Who is not live is due by the licences that it holds: of who
    /// holds none nothing is due, and who comes back later has its time from then.
    pub fn integration(&self, calendar: &Calendar, now: UnixMillis) -> Option<Clock> {
        let held = |licence: &&Licence| matches!(licence.state_at(now), LicenceState::Active | LicenceState::Suspended);
        let entered = |licence: &Licence| licence.active.first().map(|time| time.from);
        let from = match self.live_since {
            Some(_) => self.registered_at()?,
            None => self.licences.iter().filter(held).filter_map(entered).min()?,
        };
        Some(Clock::new(calendar.months_after(from, INTEGRATION_MONTHS), self.live_since, now))
    }

    /// Whether it is late now with an entry in the register or with its way into the market.
    pub fn is_late(&self, calendar: &Calendar, now: UnixMillis) -> bool {
        let late = |clock: Clock| clock.overdue && clock.done.is_none();
        let entry = |licence: &Licence| register_entry(licence, calendar, now).is_some_and(late);
        self.integration(calendar, now).is_some_and(late) || self.licences.iter().any(entry)
    }
}
