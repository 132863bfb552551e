//! The form of a proposal: read field by field, so that all that is wrong with it is told at once.

use std::fmt::Display;
use std::str::FromStr;

use contracts::problems::Code;
use runtime::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::schemas;
use crate::domain::operator::fact::Ground;
use crate::domain::sites::measure::{BLOCKED_FROM, BadMeasure, Block, Evidence, Lift, Measure, Place, read_day};
use crate::domain::sites::subject::{SocialAccount, Subject};
use crate::domain::text::Line;

/// Most errors told of one form.
pub const PROBLEMS_MAX: usize = 100;

/// A proposal about 1 to 2,000 subjects, each named once.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SiteProposalForm)]
#[serde(deny_unknown_fields)]
pub struct ProposalForm {
    /// Chosen by the caller: the same request again does not propose twice.
    pub id: Uuid,
    #[schema(value_type = schemas::Ground)]
    ground: GroundForm,
    /// What is to be blocked.
    #[serde(default)]
    #[schema(max_items = 2_000)]
    blocks: Vec<BlockForm>,
    /// What is to be lifted.
    #[serde(default)]
    #[schema(max_items = 2_000)]
    lifts: Vec<LiftForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroundForm {
    law: String,
    document: String,
    document_hash: String,
}

/// A subject that is to be blocked: either `site` or `account` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SiteBlockForm)]
#[serde(deny_unknown_fields)]
struct BlockForm {
    /// A domain alone: any case, IDN or A-labels.
    #[schema(example = "казино.укр")]
    site: Option<String>,
    /// A social account.
    account: Option<AccountForm>,
    evidence: EvidenceForm,
    /// The first day it is blocked, in the regulator's time zone. A day gone by is as good as today.
    #[schema(format = "date", example = "2026-11-23")]
    blocked_from: String,
}

/// A subject whose entry is to end: either `site` or `account` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SiteLiftForm)]
#[serde(deny_unknown_fields)]
struct LiftForm {
    /// A domain alone: any case, IDN or A-labels.
    #[schema(example = "казино.укр")]
    site: Option<String>,
    /// A social account.
    account: Option<AccountForm>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// An account on a platform.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SocialAccountForm)]
#[serde(deny_unknown_fields)]
struct AccountForm {
    /// `discord`, `facebook`, `instagram`, `telegram`, `threads`, `tiktok`, `twitch`, `x` or `youtube`, in any case.
    platform: String,
    /// The handle alone, with or without `@`.
    #[schema(example = "@Casino_UA")]
    handle: String,
}

/// What an entry rests on. The document itself is elsewhere; its hash pins it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SiteEvidence)]
#[serde(deny_unknown_fields)]
pub struct EvidenceForm {
    /// What was found. Not for the public.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
    /// Where the document is filed.
    #[schema(min_length = 1, max_length = 200)]
    reference: String,
    /// SHA-256 of the document, base64.
    #[schema(pattern = "^[A-Za-z0-9+/]{43}=$")]
    hash: String,
}

/// Why a proposal is refused or taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalForm {
    /// Why.
    pub reason: Line<1000>,
}

/// One thing that is wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer into the body.
    pub pointer: String,
    /// Stable word for what is wrong.
    pub code: &'static str,
    /// The same for people.
    pub detail: String,
}

/// What is wrong so far.
#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, pointer: String, code: &'static str, detail: impl Display) {
        self.0.push(FieldError { pointer, code, detail: detail.to_string() });
    }

    /// The value of a field; without one its error is kept.
    fn read<T: FromStr<Err: Display>>(&mut self, pointer: String, code: &'static str, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.add(pointer, code, error)).ok()
    }

    fn subject(&mut self, pointer: &str, site: Option<&str>, account: Option<&AccountForm>) -> Option<Subject> {
        match (site, account) {
            (Some(site), None) => self.read(format!("{pointer}/site"), "bad-domain", site).map(Subject::Site),
            (None, Some(AccountForm { platform, handle })) => match self::account(platform, handle) {
                Ok(account) => Some(Subject::Account(account)),
                Err(FieldError { pointer: member, code, detail }) => {
                    self.add(format!("{pointer}/account{member}"), code, detail);
                    None
                }
            },
            _ => {
                self.add(pointer.to_owned(), "one-subject", "give either site or account");
                None
            }
        }
    }

    fn ground(&mut self, form: &GroundForm) -> Option<Ground> {
        let law = self.read("/ground/law".to_owned(), "bad-text", &form.law);
        let document = self.read("/ground/document".to_owned(), "bad-text", &form.document);
        let hash = self.read("/ground/document_hash".to_owned(), "bad-hash", &form.document_hash);
        Some(Ground { law: law?, document: document?, document_hash: hash? })
    }

    fn block(&mut self, n: usize, form: &BlockForm) -> Option<Block> {
        let at = format!("/blocks/{n}");
        let subject = self.subject(&at, form.site.as_deref(), form.account.as_ref());
        let text = self.read(format!("{at}/evidence/text"), "bad-text", &form.evidence.text);
        let reference = self.read(format!("{at}/evidence/reference"), "bad-text", &form.evidence.reference);
        let hash = self.read(format!("{at}/evidence/hash"), "bad-hash", &form.evidence.hash);
        let blocked_from = read_day(&form.blocked_from).filter(|day| BLOCKED_FROM.contains(day));
        if blocked_from.is_none() {
            let days = format!("from {} to {}", BLOCKED_FROM.start(), BLOCKED_FROM.end());
            self.add(format!("{at}/blocked_from"), "bad-date", format!("must be a date such as 2026-11-23, {days}"));
        }
        let evidence = Evidence { text: text?, reference: reference?, hash: hash? };
        Some(Block { subject: subject?, evidence, blocked_from: blocked_from? })
    }

    fn lift(&mut self, n: usize, form: &LiftForm) -> Option<Lift> {
        let at = format!("/lifts/{n}");
        let subject = self.subject(&at, form.site.as_deref(), form.account.as_ref());
        let reason = self.read(format!("{at}/reason"), "bad-text", &form.reason);
        Some(Lift { subject: subject?, reason: reason? })
    }

    fn measure(&mut self, error: &BadMeasure) {
        match error {
            BadMeasure::Number { .. } => self.add(String::new(), "subjects", error),
            BadMeasure::Repeated(places) => {
                for place in places {
                    let pointer = match place {
                        Place::Block(n) => format!("/blocks/{n}"),
                        Place::Lift(n) => format!("/lifts/{n}"),
                    };
                    self.add(pointer, "repeated", "the subject is named before");
                }
            }
        }
    }

    fn refuse(mut self) -> ApiError {
        let count = self.0.len();
        self.0.truncate(PROBLEMS_MAX);
        let first = self.0.first().map(|error| format!("{}: {}", error.pointer, error.detail)).unwrap_or_default();
        let detail = if count > 1 { format!("{first} (and {} more)", count - 1) } else { first };
        ApiError::new(Code::InvalidForm, detail).with("errors", json!(self.0))
    }
}

impl ProposalForm {
    /// The measure and what it rests on.
    ///
    /// # Errors
    /// 422 `invalid-form` with every error, up to [`PROBLEMS_MAX`].
    pub fn checked(self) -> Result<(Measure, Ground), ApiError> {
        let mut errors = Errors::default();
        let ground = errors.ground(&self.ground);
        let blocks: Vec<_> = self.blocks.iter().enumerate().filter_map(|(n, form)| errors.block(n, form)).collect();
        let lifts: Vec<_> = self.lifts.iter().enumerate().filter_map(|(n, form)| errors.lift(n, form)).collect();
        let Some(ground) = ground.filter(|_| errors.0.is_empty()) else { return Err(errors.refuse()) };
        Measure::new(blocks, lifts).map(|measure| (measure, ground)).map_err(|error| {
            errors.measure(&error);
            errors.refuse()
        })
    }
}

/// Reads a social account; the pointer of an error is to the member of it.
pub fn account(platform: &str, handle: &str) -> Result<SocialAccount, FieldError> {
    let wrong = |member: &str, code, detail| FieldError { pointer: member.to_owned(), code, detail };
    let platform = platform.parse();
    let platform = platform.map_err(|error: crate::domain::sites::subject::UnknownPlatform| {
        wrong("/platform", "unknown-platform", error.to_string())
    })?;
    let handle = handle.parse();
    let handle = handle
        .map_err(|error: crate::domain::sites::subject::BadHandle| wrong("/handle", "bad-handle", error.to_string()))?;
    Ok(SocialAccount { platform, handle })
}
