//! An operator: a legal entity, its licences and keys. Its state is what its facts make of it; commands are held against the state and
//! become facts, or are refused.

pub mod certificate;
mod check;
pub mod decide;
pub mod difference;
mod domains;
pub mod fact;
pub mod keys;
pub mod licence;
pub mod request;
pub mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::registry::{Env, LicenceState, OperatorStanding};
use contracts::{OperatorId, UnixMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::history::{Author, BadHistory, EntityId, Event, Head, Kind};
use fact::{Decision, Fact, Ground, LegalEntity};
use keys::Key;
use licence::{HeldDomain, Licence, Step, after};
use request::check_author;

/// A scope of an access token: send records.
pub const RECORDS_WRITE: &str = "records:write";
/// A scope of an access token: read what was sent, with its proofs.
pub const RECORDS_READ: &str = "records:read";
/// A scope of an access token: ask for keys of its own to be registered or revoked. Given only to who asks for it by name, since what
/// sends records needs it not.
pub const KEYS_PROPOSE: &str = "keys:propose";
/// The scopes that a client may have.
pub const SCOPES: &[&str] = &[RECORDS_WRITE, RECORDS_READ, KEYS_PROPOSE];
/// Those that it gets when it asks for none.
pub const USUAL_SCOPES: &[&str] = &[RECORDS_WRITE, RECORDS_READ];

/// A decision that waits for another's confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is to be decided.
    pub decision: Decision,
    /// What it rests on; `None`: the operator asked for it, and no clerk has taken it up.
    pub ground: Option<Ground>,
    /// Who proposed it, or asked for it.
    pub by: Author,
    /// The clerk who took up what the operator asked for.
    pub endorsed_by: Option<Author>,
    /// When.
    pub at: UnixMillis,
    /// Up to when it may be confirmed.
    pub expires: UnixMillis,
    /// Up to when it might be answered when it was put: a clerk who takes up what the operator asked for moves `expires` alone.
    pub asked_until: UnixMillis,
    /// Bytes of the change that proposed it.
    pub bytes: usize,
}

/// What became of a proposal that no longer waits. What it held is in the history alone: it may be a megabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Another confirmed it.
    Confirmed,
    /// It was refused or taken back.
    Declined,
    /// Nobody answered up to then.
    Expired(UnixMillis),
}

/// How far an operator has come on its way into the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// No licence of it was ever in the register.
    Applying,
    /// A licence is in the register: six months begin.
    Registered,
    /// It has a live key.
    Keys,
    /// It has a test key, too: the sandbox is open to it.
    Sandbox,
    /// It has passed the published checks.
    Conformance,
    /// It sends records of the market.
    Live,
}

/// An operator as its history makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Who.
    pub id: OperatorId,
    /// Where its history ends.
    pub head: Head,
    /// Who it is; `None` before its first fact.
    pub entity: Option<LegalEntity>,
    /// Its licences, by id: the n-th has id n + 1.
    pub licences: Vec<Licence>,
    /// Its keys, the revoked ones too.
    pub keys: Vec<Key>,
    /// Its proposals that nobody has answered; those whose time is over are let go of with the next change.
    pub proposals: BTreeMap<Uuid, Arc<Proposal>>,
    /// What became of the others.
    pub over: BTreeMap<Uuid, Over>,
    /// The certificate of the published checks.
    pub certificate: Option<String>,
    /// Since when it sends records of the market.
    pub live_since: Option<UnixMillis>,
    /// Whether batches must be signed.
    pub signature_required: bool,
}

impl Proposal {
    /// Whether it waits for an answer at a moment.
    pub fn waits(&self, now: UnixMillis) -> bool {
        self.expires > now
    }

    /// Whether the operator itself asked for it.
    pub fn is_request(&self) -> bool {
        self.ground.is_none() || self.endorsed_by.is_some()
    }

    /// The clerk whose proposal it is; `None`: the operator asked for it, and no clerk has taken it up.
    pub fn clerk(&self) -> Option<&Author> {
        if self.is_request() { self.endorsed_by.as_ref() } else { Some(&self.by) }
    }
}

impl Operator {
    /// Before its first fact.
    pub fn unknown(id: OperatorId) -> Self {
        Self {
            id,
            head: Head::EMPTY,
            entity: None,
            licences: Vec::new(),
            keys: Vec::new(),
            proposals: BTreeMap::new(),
            over: BTreeMap::new(),
            certificate: None,
            live_since: None,
            signature_required: false,
        }
    }

    /// Names its history.
    pub fn entity_id(id: OperatorId) -> EntityId {
        EntityId { kind: Kind::Operator, id: id.uuid() }
    }

    /// Takes in the next change of its history, as stored. What the rules of four eyes and the table of states forbid is no change of it,
    /// however well it is linked: who can write to the store can link, too.
    ///
    /// # Errors
    /// [`BadHistory`]; it is as before.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<(), BadHistory> {
        let mut head = self.head;
        let event = head.follow::<Fact>(Self::entity_id(self.id), bytes)?;
        let taken = self.take(event, head.at, bytes.len());
        taken.map_err(|reason| BadHistory::Impossible { version: head.version, reason })?;
        self.head = head;
        // At a time that the history fixes, not at one that its reader has.
        let over = self.proposals.extract_if(.., |_, proposal| !proposal.waits(head.at));
        self.over.extend(over.map(|(id, proposal)| (id, Over::Expired(proposal.expires))));
        Ok(())
    }

    /// Checks before it changes anything.
    fn take(&mut self, Event { by, fact, .. }: Event<Fact>, at: UnixMillis, bytes: usize) -> Result<(), &'static str> {
        match (&self.entity, &fact) {
            (None, Fact::Registered { .. }) => {}
            (None, _) => return Err("it was not registered"),
            (Some(_), Fact::Registered { .. }) => return Err("it was registered before"),
            (Some(known), Fact::Amended { entity }) if known.edrpou != entity.edrpou => {
                return Err("it got another code");
            }
            (Some(_), _) => {}
        }
        check_author(&by, &fact)?;
        match fact {
            Fact::Registered { entity } | Fact::Amended { entity } => self.entity = Some(entity),
            Fact::Applied { kind, places } => {
                let id = u32::try_from(self.licences.len()).unwrap_or(u32::MAX).saturating_add(1);
                self.licences.push(Licence::applied(id, kind, places, at));
            }
            Fact::ReviewBegan { licence } => self.step(licence, Step::Review, at).map(drop)?,
            Fact::Billed { licence, fee } => self.step(licence, Step::Bill, at)?.fee = Some(fee),
            Fact::Paid { licence, paid_at, document } => {
                let licence = self.licence_mut(licence)?;
                if licence.state != LicenceState::FeeDue {
                    return Err("no fee was due");
                }
                (licence.fee_paid_at, licence.fee_document) = (Some(paid_at.0), Some(document));
            }
            Fact::Proposed { proposal, expires, decision, ground } => {
                let (ground, expires) = (Some(ground), expires.0);
                let waiting =
                    Proposal { decision, ground, by, endorsed_by: None, at, expires, asked_until: expires, bytes };
                self.propose(proposal, waiting)?;
            }
            Fact::Requested { proposal, expires, decision } => {
                self.check_request(&decision, &by)?;
                let expires = expires.0;
                let (ground, asked_until) = (None, expires);
                let waiting = Proposal { decision, ground, by, endorsed_by: None, at, expires, asked_until, bytes };
                self.propose(proposal, waiting)?;
            }
            Fact::Endorsed { proposal, expires, ground } => {
                let waiting = self.proposals.get_mut(&proposal).filter(|proposal| proposal.waits(at));
                let asked = waiting.ok_or("no such proposal waited")?;
                if asked.clerk().is_some() {
                    return Err("it was a clerk's already");
                }
                if asked.by.sub == by.sub {
                    return Err("who asked for it took it up");
                }
                let asked = Arc::make_mut(asked);
                (asked.ground, asked.endorsed_by, asked.expires) = (Some(ground), Some(by), expires.0);
                asked.bytes = asked.bytes.saturating_add(bytes);
            }
            Fact::Confirmed { proposal } => {
                let waiting = self.open(proposal, at)?;
                if waiting.clerk().ok_or("no clerk had taken it up")?.sub == by.sub {
                    return Err("who proposed it confirmed it");
                }
                self.carry_out(&waiting.decision, at)?;
                self.close(proposal, Over::Confirmed);
            }
            Fact::Declined { proposal, .. } => {
                self.open(proposal, at)?;
                self.close(proposal, Over::Declined);
            }
            Fact::Certified { certificate } => self.certificate = Some(certificate),
        }
        Ok(())
    }

    fn propose(&mut self, id: Uuid, proposal: Proposal) -> Result<(), &'static str> {
        if self.knows(id) {
            return Err("it was proposed before");
        }
        self.proposals.insert(id, Arc::new(proposal));
        Ok(())
    }

    fn open(&self, id: Uuid, at: UnixMillis) -> Result<Arc<Proposal>, &'static str> {
        let found = self.proposals.get(&id).filter(|proposal| proposal.waits(at));
        found.cloned().ok_or("no such proposal waited")
    }

    fn close(&mut self, id: Uuid, over: Over) {
        self.proposals.remove(&id);
        self.over.insert(id, over);
    }

    /// Whether an id names one of its proposals.
    pub(super) fn knows(&self, proposal: Uuid) -> bool {
        self.proposals.contains_key(&proposal) || self.over.contains_key(&proposal)
    }

    fn carry_out(&mut self, decision: &Decision, at: UnixMillis) -> Result<(), &'static str> {
        match decision {
            Decision::Approve { licence } => self.step(*licence, Step::Approve, at).map(drop)?,
            Decision::Refuse { licence, .. } => self.step(*licence, Step::Refuse, at).map(drop)?,
            Decision::Activate { licence, number, expires } => {
                if self.licence_mut(*licence)?.fee_paid_at.is_none() {
                    return Err("its fee was not paid");
                }
                if expires.0 <= at {
                    return Err("its licence would have been over");
                }
                let licence = self.step(*licence, Step::Activate, at)?;
                (licence.number, licence.expires) = (Some(number.clone()), Some(expires.0));
            }
            Decision::Suspend { licence, .. } => self.step(*licence, Step::Suspend, at).map(drop)?,
            Decision::Resume { licence } => self.step(*licence, Step::Resume, at).map(drop)?,
            Decision::Revoke { licence, .. } => self.step(*licence, Step::Revoke, at).map(drop)?,
            Decision::Surrender { licence } => self.step(*licence, Step::Surrender, at).map(drop)?,
            Decision::Place { licence, places } => {
                let licence = self.licence_mut(*licence)?;
                if licence::is_over(licence.state_at(at)) {
                    return Err("its licence was over");
                }
                licence.places = places.clone();
            }
            Decision::AddKey { jwk, env, not_before, expires, .. } => {
                let (kid, jwk, env) = (jwk.thumbprint(), jwk.clone(), *env);
                if self.keys.iter().any(|key| key.kid == kid) {
                    return Err("the key was registered before");
                }
                if expires.0 <= at {
                    return Err("the key would have been over");
                }
                self.keys.push(Key { kid, jwk, env, not_before: not_before.0, expires: expires.0, revoked_at: None });
            }
            Decision::RevokeKey { kid, .. } => {
                let mut keys = self.keys.iter_mut();
                let key = keys.find(|key| key.kid == *kid && key.revoked_at.is_none());
                key.ok_or("there was no such key")?.revoked_at = Some(at);
            }
            Decision::RequireSignature { required } => self.signature_required = *required,
            Decision::GoLive {} if self.certificate.is_none() => return Err("it had passed no checks"),
            Decision::GoLive {} if !self.has(LicenceState::Active, at) => return Err("it had no active licence"),
            Decision::GoLive {} => self.live_since = Some(at),
        }
        Ok(())
    }

    /// Held against the state at the moment of the change: time alone may have ended the licence since its last step.
    fn step(&mut self, licence: u32, step: Step, at: UnixMillis) -> Result<&mut Licence, &'static str> {
        let licence = self.licence_mut(licence)?;
        after(licence.state_at(at), step).ok_or("its licence could not take this step")?;
        licence.take(step, at);
        Ok(licence)
    }

    fn licence_mut(&mut self, id: u32) -> Result<&mut Licence, &'static str> {
        self.licences.iter_mut().find(|licence| licence.id == id).ok_or("it had no such licence")
    }

    /// One of its licences.
    pub fn licence(&self, id: u32) -> Option<&Licence> {
        self.licences.iter().find(|licence| licence.id == id)
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        let has_key = |env: Env| self.keys.iter().any(|key| key.env == env && key.revoked_at.is_none());
        if !self.licences.iter().any(Licence::was_active) {
            Stage::Applying
        } else if self.live_since.is_some() {
            Stage::Live
        } else if self.certificate.is_some() {
            Stage::Conformance
        } else if has_key(Env::Test) && has_key(Env::Live) {
            Stage::Sandbox
        } else if has_key(Env::Live) {
            Stage::Keys
        } else {
            Stage::Registered
        }
    }

    /// When its first licence came into the register.
    pub fn registered_at(&self) -> Option<UnixMillis> {
        self.licences.iter().filter_map(|licence| licence.active.first()).map(|time| time.from).min()
    }

    /// What a token for one of its keys may allow. Who is not live has nothing to send. Who is live keeps it whatever becomes of its
    /// licences: open wagers are still to be settled, and a wager that was taken without a licence is a fact that the regulator wants
    /// more than any other; it is recorded with its flag. What ends sending is that the keys are revoked, or over.
    pub fn scopes(&self, env: Env) -> &'static [&'static str] {
        match env {
            Env::Test if self.entity.is_some() => SCOPES,
            Env::Live if self.stage() == Stage::Live => SCOPES,
            _ => &[],
        }
    }

    /// The domains of its licences that are in the register, each up to when.
    pub fn licensed_domains(&self) -> Vec<HeldDomain> {
        self.licences.iter().flat_map(Licence::held_domains).collect()
    }

    /// As the other services are told.
    pub fn standing(&self) -> OperatorStanding {
        OperatorStanding {
            operator: self.id,
            version: self.head.version,
            head: Some(self.head.hash),
            at: self.head.at,
            name: self.entity.as_ref().map(|entity| entity.name.as_str().to_owned()).unwrap_or_default(),
            licences: self.licences.iter().map(Licence::standing).collect(),
            keys: self.keys.iter().filter_map(Key::standing).collect(),
            signature_required: self.signature_required,
        }
    }

    /// Whether a licence of it is in a state now.
    pub fn has(&self, state: LicenceState, now: UnixMillis) -> bool {
        self.licences.iter().any(|licence| licence.state_at(now) == state)
    }
}
