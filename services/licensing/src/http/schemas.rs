//! Bodies and answers as the OpenAPI document has them, where they are types of the domain, which know nothing of documents. The bodies
//! of writes stand here; a test reads one of each with what reads them. Answers stand beside them, a subject a file; what
//! every test of the routes is answered is held against them.

pub mod history;
pub mod operator;
mod params;
pub mod sites;
pub mod tokens;

use serde::Serialize;
use utoipa::ToSchema;

pub use params::{OfLicence, OfOperator, OfProposal};

/// Who an operator is. Contacts are of the organisation, never of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegalEntity {
    /// Its code in the Unified State Register: eight digits, the last one a check digit.
    #[schema(pattern = "^[0-9]{8}$", example = "14360570")]
    edrpou: String,
    /// Its full name.
    #[schema(min_length = 1, max_length = 300)]
    name: String,
    /// Its name in Latin letters, where it has one.
    #[schema(min_length = 1, max_length = 300)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name_latin: Option<String>,
    /// Its brands.
    #[schema(max_items = 100)]
    #[serde(default)]
    brands: Vec<String>,
    /// Its seat.
    #[schema(min_length = 1, max_length = 300)]
    address: String,
    /// The organisation's mail box.
    #[schema(max_length = 200, example = "compliance@example.ua")]
    email: String,
    /// The organisation's telephone.
    #[schema(max_length = 40)]
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// Where a licence is used.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Places {
    /// Addresses of venues.
    #[schema(max_items = 1000)]
    #[serde(default)]
    venues: Vec<String>,
    /// Domains with their subdomains.
    #[schema(max_items = 1000)]
    #[serde(default)]
    domains: Vec<String>,
    /// Ids of apps in their shops.
    #[schema(max_items = 1000)]
    #[serde(default)]
    apps: Vec<String>,
}

/// What a licence is for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(test), expect(dead_code, reason = "only its schema is used"))]
pub enum Kind {
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

/// An application for a licence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Application {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    places: Option<Places>,
}

/// An amount in whole minor units.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fee {
    /// Minor units.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    amount: u64,
    /// ISO 4217 code in force.
    #[schema(pattern = "^[A-Z]{3}$", example = "UAH")]
    currency: String,
}

/// What becomes of a licence without a second person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(not(test), expect(dead_code, reason = "only its schema is used"))]
pub enum LicenceStep {
    /// Begin to look at it.
    Review {},
    /// Ask for the fee.
    Bill {
        /// How much.
        fee: Fee,
    },
    /// Take note that the fee was paid.
    Pay {
        /// When the money came: RFC 3339 UTC.
        #[schema(format = "date-time")]
        paid_at: String,
        /// The number of the payment.
        #[schema(min_length = 1, max_length = 200)]
        document: String,
    },
}

/// What a decision rests on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Ground {
    /// The rule of law.
    #[schema(min_length = 1, max_length = 500)]
    law: String,
    /// The number of the document.
    #[schema(min_length = 1, max_length = 200)]
    document: String,
    /// SHA-256 of the document, base64.
    #[schema(pattern = "^[A-Za-z0-9+/]{43}=$")]
    document_hash: String,
}

/// Live or test: never both.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(test), expect(dead_code, reason = "only its schema is used"))]
pub enum World {
    /// The market.
    Live,
    /// The sandbox.
    Test,
}

/// A public key: Ed25519 (RFC 8037) or P-256 (RFC 7518 section 6.2.1), coordinates in base64url without padding.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Jwk {
    /// `OKP` or `EC`.
    kty: String,
    /// `Ed25519` or `P-256`.
    crv: String,
    /// 32 bytes.
    x: String,
    /// 32 bytes; of P-256 alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// A key to be registered, with the proof that its holder wants it: a compact JWS by the key, `typ: dsom-pop+jwt`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewKey {
    jwk: Jwk,
    env: World,
    /// From when it may be used: RFC 3339 UTC.
    #[schema(format = "date-time")]
    not_before: String,
    /// Up to when, three years later at most.
    #[schema(format = "date-time")]
    expires: String,
    /// The proof.
    proof: String,
}

/// A key that must not sign any more.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OldKey {
    /// Its RFC 7638 thumbprint.
    kid: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// A licence, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct LicenceAndReason {
    /// The number of the licence among the operator's applications, from 1.
    licence: u32,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// A licence.
#[derive(Debug, Serialize, ToSchema)]
pub struct LicenceAlone {
    /// Its number among the operator's applications, from 1.
    licence: u32,
}

/// What takes two people.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(not(test), expect(dead_code, reason = "only its schema is used"))]
pub enum Decision {
    /// Grant a licence.
    Approve(LicenceAlone),
    /// Do not grant it, or take the grant back because the fee was not paid.
    Refuse(LicenceAndReason),
    /// Enter it in the register.
    Activate {
        /// Its number among the operator's applications, from 1.
        licence: u32,
        /// Its number in the register.
        #[schema(min_length = 1, max_length = 40)]
        number: String,
        /// Up to when it holds: RFC 3339 UTC.
        #[schema(format = "date-time")]
        expires: String,
    },
    /// Wagers must stop.
    Suspend(LicenceAndReason),
    /// Wagers may go on.
    Resume(LicenceAlone),
    /// Take it away.
    Revoke(LicenceAndReason),
    /// Take note that it is given back.
    Surrender(LicenceAlone),
    /// Take other venues, domains or apps into a licence: all of them, the ones that stay included.
    Place {
        /// Its number among the operator's applications, from 1.
        licence: u32,
        /// All of them.
        places: Places,
    },
    /// Let a key sign.
    AddKey(NewKey),
    /// A key must not sign any more, and tokens given for it end.
    RevokeKey(OldKey),
    /// Whether batches must be signed by one of the keys.
    RequireSignature {
        /// Whether.
        required: bool,
    },
    /// Let the operator send records of the market.
    GoLive {},
}

/// Of all decisions, those that an operator may ask for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(not(test), expect(dead_code, reason = "only its schema is used"))]
pub enum KeyDecision {
    /// Let a key sign.
    AddKey(NewKey),
    /// A key must not sign any more.
    RevokeKey(OldKey),
}

/// A decision and what it rests on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Proposal {
    /// Chosen by the caller: the same request again does not propose twice.
    #[schema(format = "uuid")]
    id: String,
    decision: Decision,
    ground: Ground,
}

/// What a clerk takes up an operator's request on. Of a clerk's proposal the body is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmation {
    ground: Ground,
}

/// Why a proposal is refused or taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// A signed certificate of the published checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Certificate {
    /// A compact JWS, `typ: dsom-conformance+jwt`.
    certificate: String,
}

/// What an operator asks for itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyRequest {
    /// Chosen by the caller: the same request again does not ask twice.
    #[schema(format = "uuid")]
    id: String,
    decision: KeyDecision,
}

#[cfg(test)]
mod tests;
