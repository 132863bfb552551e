//! What happens to an operator, as it is stored: the facts of its history, and the decisions among them.

use contracts::registry::{Env, LicenceKind};
use contracts::{Hash, UnixMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::PublicJwk;
use super::licence::{Fee, Places};
use crate::domain::edrpou::Edrpou;
use crate::domain::tagged::tagged;
use crate::domain::text::Line;

/// Who an operator is. Contacts are of the organisation, never of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalEntity {
    /// Its code in the Unified State Register.
    pub edrpou: Edrpou,
    /// Its full name.
    pub name: Line<300>,
    /// Its name in Latin letters, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_latin: Option<Line<300>>,
    /// Its brands, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brands: Vec<Line<100>>,
    /// Its seat.
    pub address: Line<300>,
    /// The organisation's mail box, such as `compliance@example.ua`.
    pub email: Line<200>,
    /// The organisation's telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Line<40>>,
}

/// What a decision rests on. The document itself is elsewhere; its hash pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// The rule of law.
    pub law: Line<500>,
    /// The number of the document.
    pub document: Line<200>,
    /// SHA-256 of the document, base64.
    pub document_hash: Hash,
}

tagged! {
    /// What takes two people: one proposes it, another confirms it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Decision {
        /// Grant a licence.
        Approve {
            /// Which application.
            licence: u32,
        },
        /// Do not grant it, or take the grant back because the fee was not paid.
        Refuse {
            /// Which application.
            licence: u32,
            /// Why.
            reason: Line<1000>,
        },
        /// Enter it in the register: from now on the operator may take wagers.
        Activate {
            /// Which licence.
            licence: u32,
            /// Its number in the register.
            number: Line<40>,
            /// Up to when it holds.
            expires: Moment,
        },
        /// Wagers must stop.
        Suspend {
            /// Which licence.
            licence: u32,
            /// Why.
            reason: Line<1000>,
        },
        /// Wagers may go on.
        Resume {
            /// Which licence.
            licence: u32,
        },
        /// Take it away.
        Revoke {
            /// Which licence.
            licence: u32,
            /// Why.
            reason: Line<1000>,
        },
        /// Take note that it is given back.
        Surrender {
            /// Which licence.
            licence: u32,
        },
        /// Take other venues, domains or apps into a licence.
        Place {
            /// Which licence.
            licence: u32,
            /// All of them, the ones that stay included.
            places: Places,
        },
        /// Let a key sign.
        AddKey {
            /// The public key.
            jwk: PublicJwk,
            /// Live or test.
            env: Env,
            /// From when.
            not_before: Moment,
            /// Up to when.
            expires: Moment,
            /// A compact JWS by the key about itself.
            proof: String,
        },
        /// A key must not sign any more, and tokens given for it end.
        RevokeKey {
            /// Its thumbprint.
            kid: String,
            /// Why.
            reason: Line<1000>,
        },
        /// Whether batches must be signed by one of the keys.
        RequireSignature {
            /// Whether.
            required: bool,
        },
        /// Let the operator send records of the market.
        GoLive {},
    }
}

/// A moment: RFC 3339 UTC with milliseconds on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub UnixMillis);

impl TryFrom<String> for Moment {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let read = contracts::time::UnixNanos::parse(&text).map(|at| Self(UnixMillis(at.0.div_euclid(1_000_000))));
        read.ok_or("a moment is RFC 3339 in UTC, up to the year 2261, such as 2026-11-23T09:00:00Z")
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0.to_string()
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
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
        kind: LicenceKind,
        /// Where.
        #[serde(default)]
        places: Places,
    },
    /// The application is looked at.
    ReviewBegan {
        /// Which.
        licence: u32,
    },
    /// The fee was asked for.
    Billed {
        /// Which licence.
        licence: u32,
        /// How much.
        fee: Fee,
    },
    /// The fee was paid.
    Paid {
        /// Which licence.
        licence: u32,
        /// When the money came.
        paid_at: Moment,
        /// The number of the payment.
        document: Line<200>,
    },
    /// One proposed a decision.
    Proposed {
        /// Its id.
        proposal: Uuid,
        /// Up to when it may be confirmed.
        expires: Moment,
        /// What is to be decided.
        decision: Decision,
        /// What it rests on.
        ground: Ground,
    },
    /// The operator asked for a key of its own to be registered or revoked. It is evidence, and no clerk's proposal yet.
    Requested {
        /// Its id: from here on a proposal like any other.
        proposal: Uuid,
        /// Up to when a clerk may take it up.
        expires: Moment,
        /// What is to be decided.
        decision: Decision,
    },
    /// A clerk took up what the operator asked for, as a proposal of its own on this ground; another clerk must confirm it.
    Endorsed {
        /// Which.
        proposal: Uuid,
        /// Up to when it may be confirmed.
        expires: Moment,
        /// What it rests on.
        ground: Ground,
    },
    /// Another confirmed it: it is decided.
    Confirmed {
        /// Which proposal.
        proposal: Uuid,
    },
    /// It was refused, or taken back by who proposed it.
    Declined {
        /// Which proposal.
        proposal: Uuid,
        /// Why.
        reason: Line<1000>,
    },
    /// The published checks were passed in the sandbox.
    Certified {
        /// The signed certificate: a compact JWS.
        certificate: String,
    },
}
