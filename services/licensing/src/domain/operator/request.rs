//! What an operator asks for itself: keys of its own. That it asks is evidence and decides nothing: one clerk takes it up on a ground,
//! which makes it that clerk's proposal, and another clerk confirms it. Whoever stole a key can ask, too.

use contracts::UnixMillis;
use contracts::registry::Env;
use uuid::Uuid;

use super::Operator;
use super::decide::{Refusal, Rules, conflict, invalid};
use super::fact::{Decision, Fact, Ground, Moment};
use crate::domain::client::ClientId;
use crate::domain::history::Author;

/// Most requests of an operator that wait.
pub const REQUESTS_MAX: usize = 10;
/// The roles of those who decide about operators, as they stand in histories.
pub const CLERK_ROLES: [&str; 2] = ["clerk", "chief_clerk"];
/// The role of an operator in its history.
pub const OPERATOR_ROLE: &str = "operator";

/// An operator as the author of its request: `operator:<client id>`.
pub fn author(client: ClientId) -> Author {
    Author { sub: format!("{OPERATOR_ROLE}:{client}"), role: OPERATOR_ROLE.to_owned() }
}

/// Whether a fact that is read is of those that its author's role makes: requests are made by operators alone, all else by clerks.
pub(super) fn check_author(by: &Author, fact: &Fact) -> Result<(), &'static str> {
    let (is_operator, is_request) = (by.role == OPERATOR_ROLE, matches!(fact, Fact::Requested { .. }));
    match (is_operator, is_request) {
        (true, true) => Ok(()),
        (true, false) => Err("an operator did what clerks do"),
        (false, true) => Err("another than an operator asked for it"),
        (false, false) if CLERK_ROLES.contains(&by.role.as_str()) => Ok(()),
        (false, false) => Err("who is no clerk did what clerks do"),
    }
}

impl Operator {
    /// The fact a request becomes. A client asks for keys of its own world alone: who has a key of the sandbox must get no further.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(super) fn request(
        &self,
        proposal: Uuid,
        decision: Decision,
        env: Env,
        now: UnixMillis,
        rules: Rules<'_>,
    ) -> Result<Fact, Refusal> {
        self.check_own(&decision, env)?;
        self.check_room(proposal, true, REQUESTS_MAX, now)?;
        let same = |decided: &Decision| match (decided, &decision) {
            (Decision::AddKey { jwk: one, .. }, Decision::AddKey { jwk: other, .. }) => one == other,
            (Decision::RevokeKey { kid: one, .. }, Decision::RevokeKey { kid: other, .. }) => one == other,
            _ => false,
        };
        if self.proposals.values().any(|one| one.is_request() && one.waits(now) && same(&one.decision)) {
            return conflict("this was asked for and waits");
        }
        self.check(&decision, now, rules.issuer)?;
        let expires = Moment(UnixMillis(now.0.saturating_add(rules.proposal_life_ms)));
        Ok(Fact::Requested { proposal, expires, decision })
    }

    /// Whether a decision is about a key that a client of this world may ask about.
    fn check_own(&self, decision: &Decision, env: Env) -> Result<(), Refusal> {
        match decision {
            Decision::AddKey { env: asked, .. } if *asked != env => {
                invalid("/decision/env", "must be that of the token: a live client asks for live keys")
            }
            Decision::RevokeKey { kid, .. } if !self.keys.iter().any(|key| key.kid == *kid && key.env == env) => {
                Err(Refusal::NotFound(format!("key {kid}")))
            }
            Decision::AddKey { .. } | Decision::RevokeKey { .. } => Ok(()),
            _ => invalid("/decision/type", "an operator asks for add_key or revoke_key"),
        }
    }

    /// Whether a request that is read was this operator's to make: by one of its own clients, about keys of that client's world.
    pub(super) fn check_request(&self, decision: &Decision, by: &Author) -> Result<(), &'static str> {
        let own = |env: &Env| author(ClientId { operator: self.id, env: *env }) == *by;
        let env = [Env::Live, Env::Test].into_iter().find(own).ok_or("another than its own client asked for it")?;
        self.check_own(decision, env).map_err(|_| "its client could not ask for it")
    }

    /// What a clerk's word makes of a proposal: of another clerk's it is the decision; what the operator asked for it makes the clerk's
    /// own proposal, and so needs a ground.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(super) fn confirm(
        &self,
        proposal: Uuid,
        ground: Option<Ground>,
        by: &Author,
        now: UnixMillis,
        rules: Rules<'_>,
    ) -> Result<Fact, Refusal> {
        let waiting = self.waiting(proposal, now)?;
        match (waiting.clerk(), &ground) {
            (None, None) => return invalid("/ground", "the operator asked for this: say what you propose it on"),
            (Some(_), Some(_)) => return invalid("/ground", "the proposal has its ground: confirm it as it is"),
            (Some(clerk), None) if clerk.sub == by.sub => return Err(Refusal::OwnProposal),
            _ => {}
        }
        // Much may have happened since it was proposed.
        self.check_now(&waiting.decision, now)?;
        let expires = Moment(UnixMillis(now.0.saturating_add(rules.proposal_life_ms)));
        Ok(match ground {
            Some(ground) => Fact::Endorsed { proposal, expires, ground },
            None => Fact::Confirmed { proposal },
        })
    }
}
