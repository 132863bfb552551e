//! What stands in histories, as it is answered.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Decision, Fee, Ground, Kind, LegalEntity, Places};

/// Who did something: never the name of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Author {
    /// `sub` of the token.
    sub: String,
    /// The role it was done in, such as `clerk`, or `operator`.
    role: String,
}

/// A member of an operator that a change made another.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// JSON pointer into the operator.
    pointer: String,
    /// What stood there; missing when nothing did.
    before: Option<Value>,
    /// What stands there; missing when nothing does.
    after: Option<Value>,
}

/// What happened to an operator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum OperatorFact {
    /// It came into the register.
    Registered {
        /// Who it is.
        entity: LegalEntity,
    },
    /// Its names, brands or contacts changed.
    Amended {
        /// Who it is now.
        entity: LegalEntity,
    },
    /// It applied for a licence, which gets the next number.
    Applied {
        /// What for.
        kind: Kind,
        /// Where.
        #[serde(default)]
        places: Places,
    },
    /// The application is looked at.
    ReviewBegan {
        /// Its number among the operator's applications, from 1.
        licence: u32,
    },
    /// The fee was asked for.
    Billed {
        /// Its number among the operator's applications, from 1.
        licence: u32,
        /// How much.
        fee: Fee,
    },
    /// The fee was paid.
    Paid {
        /// Its number among the operator's applications, from 1.
        licence: u32,
        /// When the money came.
        #[schema(format = "date-time")]
        paid_at: String,
        /// The number of the payment.
        document: String,
    },
    /// One proposed a decision.
    Proposed {
        /// Its id.
        #[schema(format = "uuid")]
        proposal: String,
        /// Up to when it may be confirmed.
        #[schema(format = "date-time")]
        expires: String,
        /// What is to be decided.
        decision: Decision,
        /// What it rests on.
        ground: Ground,
    },
    /// The operator asked for a key of its own to be registered or revoked.
    Requested {
        /// Its id.
        #[schema(format = "uuid")]
        proposal: String,
        /// Up to when a clerk may take it up.
        #[schema(format = "date-time")]
        expires: String,
        /// What is to be decided: `add_key` or `revoke_key`.
        decision: Decision,
    },
    /// A clerk took up what the operator asked for, as a proposal of its own.
    Endorsed {
        /// Which.
        #[schema(format = "uuid")]
        proposal: String,
        /// Up to when it may be confirmed.
        #[schema(format = "date-time")]
        expires: String,
        /// What it rests on.
        ground: Ground,
    },
    /// Another confirmed it: it is decided.
    Confirmed {
        /// Which proposal.
        #[schema(format = "uuid")]
        proposal: String,
    },
    /// It was refused, or taken back by who proposed it.
    Declined {
        /// Which proposal.
        #[schema(format = "uuid")]
        proposal: String,
        /// Why.
        reason: String,
    },
    /// The published checks were passed in the sandbox.
    Certified {
        /// The signed certificate: a compact JWS.
        certificate: String,
    },
}

/// What happened to the list of blocked sites; the whole of it is in the bytes of the change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum SitesFact {
    /// One proposed a decision.
    Proposed,
    /// Another confirmed it: it is decided.
    Confirmed,
    /// It was refused, or taken back by who proposed it.
    Declined,
    /// A day came: what was announced for it is in force.
    Began,
    /// The policy zone was set otherwise: its records are others.
    ZoneSet,
}
