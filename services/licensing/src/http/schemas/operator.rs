//! Operators, their licences, keys and proposals as they are answered.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Decision, Fee, Ground, Jwk, Kind, LegalEntity, Places, World};

/// An operator as it is shown to who may look into the register.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operator {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// The number of changes of its history; also the ETag.
    version: u64,
    /// The hash of the last change of its history: base64 of 32 bytes.
    head: String,
    /// When it changed last.
    #[schema(format = "date-time")]
    changed_at: String,
    #[serde(flatten)]
    entity: LegalEntity,
    stage: Stage,
    /// Since when a licence of it is in the register.
    #[schema(format = "date-time", nullable = false)]
    registered_at: Option<String>,
    /// Its way into the market, once it is in the register: six months.
    #[schema(nullable = false)]
    integration: Option<Clock>,
    /// The certificate of the published checks that is on file.
    #[schema(nullable = false)]
    certificate: Option<OperatorCertificate>,
    /// Since when it sends records of the market.
    #[schema(format = "date-time", nullable = false)]
    live_since: Option<String>,
    /// Its licences, by number.
    licences: Vec<OperatorLicence>,
    /// Its keys, the revoked ones too.
    keys: Vec<OperatorKey>,
    /// Whether its batches must be signed.
    signature_required: bool,
    /// What waits for a second person.
    proposals: Vec<OperatorProposal>,
}

/// How far an operator has come on its way into the market.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
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

/// A certificate of the published checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorCertificate {
    /// Who certified: `iss`.
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// The list of checks that was passed.
    #[schema(nullable = false)]
    checklist: Option<String>,
    /// When it was issued.
    #[schema(format = "date-time")]
    issued_at: String,
    /// Up to when it opens the way into the market.
    #[schema(format = "date-time", nullable = false)]
    counts_until: Option<String>,
}

/// Something that is due.
#[derive(Debug, Serialize, ToSchema)]
pub struct Clock {
    /// The end of the last day it may be done on.
    #[schema(format = "date-time")]
    due: String,
    /// When it was done; missing before.
    #[schema(format = "date-time", nullable = false)]
    done: Option<String>,
    /// Whether it was not done in time.
    overdue: bool,
}

/// A licence of an operator, or its application for one.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorLicence {
    /// Its number among the operator's applications, from 1.
    id: u32,
    kind: Kind,
    state: LicenceState,
    /// Since when it is in this state.
    #[schema(format = "date-time")]
    since: String,
    /// Its number in the register, once it is entered there.
    #[schema(nullable = false)]
    number: Option<String>,
    /// Up to when it holds, once it is entered in the register.
    #[schema(format = "date-time", nullable = false)]
    expires: Option<String>,
    /// What is to be paid, once it is asked for.
    #[schema(nullable = false)]
    fee: Option<Fee>,
    /// When it was paid.
    #[schema(format = "date-time", nullable = false)]
    fee_paid_at: Option<String>,
    /// The number of the payment.
    #[schema(nullable = false)]
    fee_document: Option<String>,
    /// Its entry in the register, once the fee is paid: one business day.
    #[schema(nullable = false)]
    register_entry: Option<Clock>,
    #[serde(flatten)]
    places: Places,
}

/// Where a licence is in its life.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum LicenceState {
    /// The application is filed.
    Applied,
    /// It is looked at.
    UnderReview,
    /// The licence is granted, and not paid.
    Approved,
    /// The fee is asked for.
    FeeDue,
    /// In the register: the operator may take wagers.
    Active,
    /// No wagers for now.
    Suspended,
    /// Taken away for good.
    Revoked,
    /// Given back.
    Surrendered,
    /// Its time is over.
    Expired,
    /// The application was refused.
    Refused,
}

/// A key of an operator.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorKey {
    /// Its RFC 7638 thumbprint.
    kid: String,
    jwk: Jwk,
    env: World,
    /// From when it may be used.
    #[schema(format = "date-time")]
    not_before: String,
    /// Up to when.
    #[schema(format = "date-time")]
    expires: String,
    /// When it was revoked.
    #[schema(format = "date-time", nullable = false)]
    revoked_at: Option<String>,
}

/// A decision that waits for a second person.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorProposal {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// Who proposed it: `sub` of its token, or `operator:<client id>` of who asked for a key of its own.
    by: String,
    /// The clerk who took up what the operator asked for; missing before, and of what a clerk proposed.
    #[schema(nullable = false)]
    endorsed_by: Option<String>,
    /// When it was proposed.
    #[schema(format = "date-time")]
    at: String,
    /// Up to when it may be confirmed.
    #[schema(format = "date-time")]
    expires: String,
    decision: Decision,
    /// What it rests on; missing while the operator asks for it and no clerk has taken it up.
    #[schema(nullable = false)]
    ground: Option<Ground>,
}

/// The keys of an operator as it is shown them itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnKeys {
    /// The number of changes of its history; also the ETag.
    version: u64,
    /// Its keys, the revoked ones too.
    keys: Vec<OperatorKey>,
    /// What it asked for and waits for a clerk.
    requests: Vec<OperatorProposal>,
}
