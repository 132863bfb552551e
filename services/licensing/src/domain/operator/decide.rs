//! From a command to the fact it becomes, or to its refusal. Nothing is changed here.

use contracts::money::{Currency, Minor};
use contracts::registry::{Env, LicenceKind, LicenceState};
use contracts::{OperatorId, UnixMillis};
use serde::Serialize;
use uuid::Uuid;

use super::fact::{Decision, Fact, Ground, LegalEntity, Moment};
use super::licence::{self, Fee, Places, Step};
use super::{Operator, Over, Proposal, Stage, certificate, check, keys};
use crate::domain::history::Author;
use crate::domain::text::{self, Line};

/// Most licences an operator may apply for, refused ones included.
pub const LICENCES_MAX: usize = 200;
/// Most keys of an operator that are not revoked.
pub const KEYS_MAX: usize = 20;
/// Most proposals about an operator that wait, those it made itself aside.
pub const WAITING_MAX: usize = 50;
/// Bytes that proposals which wait may hold before no more are taken, in either room: all of them are in memory.
pub const WAITING_BYTES_MAX: usize = 4 << 20;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take it into the register.
    Register(LegalEntity),
    /// Change its names, brands or contacts.
    Amend(LegalEntity),
    /// File an application.
    Apply {
        /// What for.
        kind: LicenceKind,
        /// Where.
        places: Places,
    },
    /// Begin to look at an application.
    Review {
        /// Which.
        licence: u32,
    },
    /// Ask for the fee.
    Bill {
        /// For which licence.
        licence: u32,
        /// How much.
        fee: Fee,
    },
    /// Take note that the fee was paid.
    Pay {
        /// For which licence.
        licence: u32,
        /// When.
        paid_at: Moment,
        /// The number of the payment.
        document: Line<200>,
    },
    /// Propose a decision.
    Propose {
        /// Its id, chosen by who proposes: repeating the request does not propose twice.
        proposal: Uuid,
        /// What.
        decision: Decision,
        /// What it rests on.
        ground: Ground,
    },
    /// What the operator asks for itself: keys of the world that its token is of.
    Request {
        /// Its id, chosen by who asks.
        proposal: Uuid,
        /// What.
        decision: Decision,
        /// The world of the token.
        env: Env,
    },
    /// Confirm another's proposal, or take up what the operator asked for.
    Confirm {
        /// Which.
        proposal: Uuid,
        /// What it rests on, of what the operator asked for and no clerk has taken up.
        ground: Option<Ground>,
    },
    /// Refuse a proposal, or take one's own back.
    Decline {
        /// Which.
        proposal: Uuid,
        /// Why.
        reason: Line<1000>,
    },
    /// File a certificate that was verified.
    Certify {
        /// The compact JWS.
        certificate: String,
    },
}

/// What commands are held against, beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// How long a proposal may wait, in milliseconds.
    pub proposal_life_ms: i64,
    /// The issuer: audience of proofs of possession.
    pub issuer: &'a str,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What it is about does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// The state forbids it.
    #[error("{0}")]
    Conflict(String),
    /// Who proposed it can't confirm it.
    #[error("who proposed a decision can't confirm it: another must")]
    OwnProposal,
    /// It was answered, or has expired.
    #[error("the proposal {0}")]
    ProposalOver(String),
    /// A value is not as it must be.
    #[error("{pointer}: {detail}")]
    Invalid {
        /// JSON pointer into the body.
        pointer: String,
        /// What is wrong.
        detail: String,
    },
}

/// A state or a step as the API names it.
pub(super) fn word(named: &impl Serialize) -> String {
    serde_json::to_value(named).ok().and_then(|named| named.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn conflict<T>(detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Conflict(detail.into()))
}

pub(super) fn invalid<T>(pointer: &str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid { pointer: pointer.to_owned(), detail: detail.into() })
}

impl Operator {
    /// The fact a command becomes.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn decide(&self, command: Command, by: &Author, now: UnixMillis, rules: Rules<'_>) -> Result<Fact, Refusal> {
        if let Command::Register(entity) = command {
            return match &self.entity {
                Some(_) => conflict("the operator is in the register"),
                None => check::entity(entity).map(|entity| Fact::Registered { entity }),
            };
        }
        let Some(known) = &self.entity else { return Err(Refusal::NotFound(format!("operator {}", self.id))) };
        match command {
            Command::Register(_) => conflict("the operator is in the register"),
            Command::Amend(entity) if entity.edrpou != known.edrpou => {
                invalid("/edrpou", "another code is another operator: register it")
            }
            Command::Amend(entity) if entity == *known => conflict("nothing would change"),
            Command::Amend(entity) => check::entity(entity).map(|entity| Fact::Amended { entity }),
            Command::Apply { .. } if self.licences.len() >= LICENCES_MAX => conflict("too many applications"),
            Command::Apply { kind, places } => {
                check::places(&places, "/places")?;
                Ok(Fact::Applied { kind, places })
            }
            Command::Review { licence } => {
                self.check_step(licence, Step::Review, now)?;
                Ok(Fact::ReviewBegan { licence })
            }
            Command::Bill { licence, fee } => {
                self.check_step(licence, Step::Bill, now)?;
                if fee.amount == 0 || Minor::new(fee.amount).is_none() {
                    return invalid("/fee/amount", "must be from 1 to 1000000000000000 minor units");
                }
                if Currency::read(&fee.currency).is_none() {
                    return invalid("/fee/currency", "must be an ISO 4217 code in force");
                }
                Ok(Fact::Billed { licence, fee })
            }
            Command::Pay { licence, paid_at, document } => self.pay(licence, paid_at, document, now),
            Command::Propose { proposal, decision, ground } => {
                self.check_room(proposal, false, WAITING_MAX, now)?;
                self.check(&decision, now, rules.issuer)?;
                let expires = Moment(UnixMillis(now.0.saturating_add(rules.proposal_life_ms)));
                Ok(Fact::Proposed { proposal, expires, decision, ground })
            }
            Command::Request { proposal, decision, env } => self.request(proposal, decision, env, now, rules),
            Command::Confirm { proposal, ground } => self.confirm(proposal, ground, by, now, rules),
            Command::Decline { proposal, reason } => {
                self.waiting(proposal, now)?;
                Ok(Fact::Declined { proposal, reason })
            }
            Command::Certify { .. } if self.stage() == Stage::Live => conflict("the operator is live"),
            Command::Certify { certificate }
                if self.certificate.as_ref().is_some_and(|on_file| certificate::is_older(&certificate, on_file)) =>
            {
                conflict("the certificate on file is newer")
            }
            Command::Certify { certificate } => Ok(Fact::Certified { certificate }),
        }
    }

    /// Whether what a command would do is done, so that nothing is left to write: the certificate is the one on file.
    pub fn has_done(&self, command: &Command) -> bool {
        matches!(command, Command::Certify { certificate } if self.certificate.as_ref() == Some(certificate))
    }

    /// Whether a command is the same proposal or request again, while it waits: whoever does not know what became of theirs repeats it.
    pub fn repeats(&self, command: &Command, by: &Author, now: UnixMillis) -> bool {
        let (proposal, wanted, on) = match command {
            Command::Propose { proposal, decision, ground } => (proposal, decision, Some(ground)),
            Command::Request { proposal, decision, .. } => (proposal, decision, None),
            _ => return false,
        };
        let same = |known: &Proposal| {
            known.waits(now)
                && known.by == *by
                && known.decision == *wanted
                && on.is_none_or(|ground| known.ground.as_ref() == Some(ground))
        };
        self.proposals.get(proposal).is_some_and(|known| same(known))
    }

    /// Names that a fact needs for its operator alone, as (scope, name).
    pub fn claims(&self, fact: &Fact) -> Vec<(&'static str, String)> {
        match fact {
            Fact::Registered { entity } => vec![("edrpou", entity.edrpou.to_string())],
            Fact::Confirmed { proposal } => match self.proposals.get(proposal).map(|waiting| &waiting.decision) {
                // As it is written, too: processes of an earlier version compare that alone.
                Some(Decision::Activate { number, .. }) => {
                    vec![("licence", text::folded(number.as_str())), ("licence", number.to_string())]
                }
                Some(Decision::AddKey { jwk, .. }) => vec![("key", jwk.thumbprint())],
                _ => vec![],
            },
            _ => vec![],
        }
    }

    fn pay(&self, licence: u32, paid_at: Moment, document: Line<200>, now: UnixMillis) -> Result<Fact, Refusal> {
        let found = self.known(licence)?;
        let state = found.state_at(now);
        if state != LicenceState::FeeDue {
            return conflict(format!("no fee is due for licence {licence}: it is {}", word(&state)));
        }
        // Said again it corrects what was said before, up to the entry in the register: the clock of the entry runs from it.
        if found.fee_paid_at == Some(paid_at.0) && found.fee_document.as_ref() == Some(&document) {
            return conflict(format!("the fee of licence {licence} is paid: nothing would change"));
        }
        if paid_at.0.0 > now.0.saturating_add(keys::SKEW_MS) {
            return invalid("/paid_at", "lies in the future");
        }
        // In this state since it was billed.
        if paid_at.0.0 < found.since.0.saturating_sub(keys::SKEW_MS) {
            return invalid("/paid_at", format!("lies before {}, when the fee was asked for", found.since));
        }
        Ok(Fact::Paid { licence, paid_at, document })
    }

    fn known(&self, licence: u32) -> Result<&licence::Licence, Refusal> {
        self.licence(licence).ok_or_else(|| Refusal::NotFound(format!("licence {licence}")))
    }

    fn check_step(&self, licence: u32, step: Step, now: UnixMillis) -> Result<(), Refusal> {
        let state = self.known(licence)?.state_at(now);
        match licence::after(state, step) {
            Some(_) => Ok(()),
            None => conflict(format!("licence {licence} is {}: it can't take the step {}", word(&state), word(&step))),
        }
    }

    /// Whether a proposal is new and one more may wait, among those of clerks or those of the operator: neither takes the other's room.
    pub(super) fn check_room(
        &self,
        proposal: Uuid,
        request: bool,
        most: usize,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        if self.knows(proposal) {
            return conflict(format!("proposal {proposal} exists"));
        }
        let waiting = || self.proposals.values().filter(|one| one.waits(now) && one.is_request() == request);
        if waiting().count() >= most {
            return conflict("too many proposals wait: answer some first");
        }
        if waiting().map(|one| one.bytes).sum::<usize>() >= WAITING_BYTES_MAX {
            return conflict("the proposals that wait are too large together: answer some first");
        }
        Ok(())
    }

    pub(super) fn waiting(&self, proposal: Uuid, now: UnixMillis) -> Result<&Proposal, Refusal> {
        let over = match (self.proposals.get(&proposal).map(|found| &**found), self.over.get(&proposal)) {
            (Some(found), _) if found.waits(now) => return Ok(found),
            (Some(Proposal { expires, .. }), _) | (None, Some(Over::Expired(expires))) => {
                format!("expired at {expires}")
            }
            (None, Some(Over::Confirmed)) => "was answered: confirmed".to_owned(),
            (None, Some(Over::Declined)) => "was answered: declined".to_owned(),
            (None, None) => return Err(Refusal::NotFound(format!("proposal {proposal}"))),
        };
        Err(Refusal::ProposalOver(over))
    }

    /// Whether a decision may be proposed: its values, and the state.
    pub(super) fn check(&self, decision: &Decision, now: UnixMillis, issuer: &str) -> Result<(), Refusal> {
        match decision {
            Decision::Activate { expires, .. } => {
                check::end_of_licence(expires.0, now).or_else(|why| invalid("/decision/expires", why))?
            }
            Decision::Place { places, .. } => check::places(places, "/decision/places")?,
            Decision::AddKey { jwk, env, not_before, expires, proof } => {
                check::key(jwk, (not_before.0, expires.0), now)?;
                keys::check_proof(proof, jwk, *env, self.id, issuer, now)
                    .map_err(|error| check::bad_key("proof", &error))?;
            }
            _ => {}
        }
        self.check_now(decision, now)
    }

    /// Whether the state allows a decision.
    pub(super) fn check_now(&self, decision: &Decision, now: UnixMillis) -> Result<(), Refusal> {
        let step = |licence: &u32, step| self.check_step(*licence, step, now);
        match decision {
            Decision::Approve { licence } => step(licence, Step::Approve),
            Decision::Refuse { licence, .. } => step(licence, Step::Refuse),
            Decision::Activate { licence, number, expires } => {
                step(licence, Step::Activate)?;
                self.check_entry(self.known(*licence)?, number, expires.0, now)
            }
            Decision::Suspend { licence, .. } => step(licence, Step::Suspend),
            Decision::Resume { licence } => step(licence, Step::Resume),
            Decision::Revoke { licence, .. } => step(licence, Step::Revoke),
            Decision::Surrender { licence } => step(licence, Step::Surrender),
            Decision::Place { licence, places } => match self.known(*licence)?.state_at(now) {
                state if licence::is_over(state) => conflict(format!("licence {licence} is {}", word(&state))),
                _ => check::own_domains(places),
            },
            Decision::AddKey { expires, .. } if expires.0 <= now => {
                conflict("the key would be over by now: propose it anew with a later end")
            }
            Decision::AddKey { jwk, .. } => {
                let kid = jwk.thumbprint();
                if self.keys.iter().any(|key| key.kid == kid) {
                    return conflict("the key is or was registered: make a new one");
                }
                if self.keys.iter().filter(|key| key.revoked_at.is_none()).count() >= KEYS_MAX {
                    return conflict(format!("the operator has {KEYS_MAX} keys: revoke one first"));
                }
                Ok(())
            }
            Decision::RevokeKey { kid, .. } => match self.keys.iter().find(|key| key.kid == *kid) {
                None => Err(Refusal::NotFound(format!("key {kid}"))),
                Some(key) if key.revoked_at.is_some() => conflict("the key is revoked"),
                Some(_) => Ok(()),
            },
            Decision::RequireSignature { required } if *required == self.signature_required => {
                conflict("nothing would change")
            }
            Decision::RequireSignature { .. } => Ok(()),
            Decision::GoLive {} => self.check_go_live(now),
        }
    }
}

/// Who an operator is before it is in the register.
pub fn unknown(id: OperatorId) -> Refusal {
    Refusal::NotFound(format!("operator {id}"))
}
