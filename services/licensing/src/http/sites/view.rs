//! How entries and proposals are shown.

use std::borrow::Cow;

use contracts::{Hash, OperatorId, UnixMillis};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::schemas::{self, history, sites};
use crate::domain::history::Author;
use crate::domain::operator::fact::Ground;
use crate::domain::sites::measure::{Block, Evidence, Lift, Measure};
use crate::domain::sites::proposal::{Answer, Proposal};
use crate::domain::sites::serial::Serial;
use crate::domain::sites::standing::{Entry, Lifting, Resolution, Standing};
use crate::domain::sites::subject::{SocialAccount, Subject};

/// How a subject stands, as everybody may see it; what was found is not among it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteStanding)]
pub struct StandingView<'a> {
    #[schema(value_type = sites::StandingWord)]
    standing: &'static str,
    /// Its entry; of what is `announced`, `blocked` or `lifted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    entry: Option<EntryView<'a>>,
    /// How its entry ended; of what is `lifted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    lifting: Option<LiftingView<'a>>,
    /// Whose domain it is; of what is `licensed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid", nullable = false)]
    operator: Option<OperatorId>,
}

/// An entry of the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteEntry)]
pub struct EntryView<'a> {
    /// The first day it is blocked, in the regulator's time zone.
    #[schema(format = "date")]
    blocked_from: String,
    evidence: FiledEvidence<'a>,
    decision: DecisionView<'a>,
}

/// Where the evidence of an entry is.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiledEvidence<'a> {
    /// Where the document is filed.
    reference: &'a str,
    /// SHA-256 of the document, base64.
    #[schema(value_type = String)]
    hash: Hash,
}

/// The end of an entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteLifting)]
pub struct LiftingView<'a> {
    /// Why.
    reason: &'a str,
    decision: DecisionView<'a>,
}

/// A confirmed decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteDecision)]
pub struct DecisionView<'a> {
    /// The proposal that was confirmed.
    proposal: Uuid,
    #[serde(flatten)]
    #[schema(value_type = schemas::Ground)]
    ground: &'a Ground,
    /// When it was confirmed.
    #[schema(format = "date-time")]
    at: String,
}

/// A site or a social account: one of the two is there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteSubject)]
pub struct SubjectView<'a> {
    /// A domain with its subdomains, as A-labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "xn--80aodfsg.xn--j1amh")]
    site: Option<&'a str>,
    /// The domain as people read it, where that is another text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, example = "казино.укр")]
    unicode: Option<Cow<'a, str>>,
    /// A social account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<sites::SocialAccount>)]
    account: Option<&'a SocialAccount>,
}

/// A proposal about the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteProposal)]
pub struct ProposalView<'a> {
    /// Its id.
    id: Uuid,
    #[schema(value_type = sites::Outcome)]
    outcome: &'static str,
    #[schema(value_type = history::Author)]
    by: &'a Author,
    /// When it was proposed.
    #[schema(format = "date-time")]
    at: String,
    /// From when on it may no longer be confirmed.
    #[schema(format = "date-time")]
    expires: String,
    #[schema(value_type = schemas::Ground)]
    ground: &'a Ground,
    /// How many subjects are to be blocked.
    blocks: usize,
    /// How many are to be lifted.
    lifts: usize,
    /// What it holds: while it is open, where it is asked for alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    measure: Option<MeasureView<'a>>,
    /// The answer of a second person; missing before there is one, and of what expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    answer: Option<AnswerView<'a>>,
}

/// A proposal about the list, and the list's serial.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteProposalAndSerial)]
pub struct ProposalAndSerial<'a> {
    #[serde(flatten)]
    pub proposal: ProposalView<'a>,
    /// The serial of the list now.
    #[schema(value_type = u32)]
    pub serial: Serial,
}

/// What is to be blocked, and what is to be lifted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteMeasure)]
pub struct MeasureView<'a> {
    /// To be blocked.
    blocks: Vec<BlockView<'a>>,
    /// To be lifted.
    lifts: Vec<LiftView<'a>>,
}

/// A subject that is to be blocked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteBlock)]
pub struct BlockView<'a> {
    #[serde(flatten)]
    subject: SubjectView<'a>,
    #[schema(value_type = super::form::EvidenceForm)]
    evidence: &'a Evidence,
    /// The first day it is to be blocked, in the regulator's time zone.
    #[schema(format = "date")]
    blocked_from: String,
}

/// A subject whose entry is to end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteLift)]
pub struct LiftView<'a> {
    #[serde(flatten)]
    subject: SubjectView<'a>,
    /// Why.
    reason: &'a str,
}

/// What a second person said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteAnswer)]
pub struct AnswerView<'a> {
    #[schema(value_type = history::Author)]
    by: &'a Author,
    /// When.
    #[schema(format = "date-time")]
    at: String,
    /// Why it was refused or taken back; of what is `declined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'a str>,
}

impl<'a> StandingView<'a> {
    /// How a subject stands.
    pub fn new(standing: Standing<'a>) -> Self {
        let (found, lifting, operator) = match standing {
            Standing::Unlisted => (None, None, None),
            Standing::Announced(found) | Standing::Blocked(found) => (Some(found), None, None),
            Standing::Lifted(found, end) => (Some(found), Some(end), None),
            Standing::Licensed(operator) => (None, None, Some(operator)),
        };
        Self {
            standing: standing.as_str(),
            entry: found.map(EntryView::new),
            lifting: lifting.map(LiftingView::new),
            operator,
        }
    }
}

impl<'a> SubjectView<'a> {
    /// A subject, and how people read it where that is another text.
    pub fn new(subject: &'a Subject, in_unicode: Option<Cow<'a, str>>) -> Self {
        Self { site: subject.site().map(|domain| domain.as_str()), unicode: in_unicode, account: subject.account() }
    }

    fn read(subject: &'a Subject) -> Self {
        Self::new(subject, subject.site().and_then(|site| site.in_unicode()).map(Cow::Owned))
    }
}

impl<'a> ProposalView<'a> {
    /// A proposal as it stood at a moment; what it holds is shown where that is asked for.
    pub fn new(proposal: &'a Proposal, then: UnixMillis, held: Option<&'a Measure>) -> Self {
        let answer = proposal.answered(then).map(|Answer { by, at, declined }| AnswerView {
            by,
            at: at.to_string(),
            reason: declined.map(|reason| reason.as_str()),
        });
        Self {
            id: proposal.id,
            outcome: proposal.outcome(then),
            by: &proposal.by,
            at: proposal.at.to_string(),
            expires: proposal.expires.to_string(),
            ground: &proposal.ground,
            blocks: proposal.blocks,
            lifts: proposal.lifts,
            measure: held.map(MeasureView::new),
            answer,
        }
    }
}

impl<'a> MeasureView<'a> {
    fn new(measure: &'a Measure) -> Self {
        let block = |Block { subject, evidence, blocked_from }: &'a Block| BlockView {
            subject: SubjectView::read(subject),
            evidence,
            blocked_from: blocked_from.to_string(),
        };
        let lift = |Lift { subject, reason }: &'a Lift| LiftView {
            subject: SubjectView::read(subject),
            reason: reason.as_str(),
        };
        Self { blocks: measure.blocks().iter().map(block).collect(), lifts: measure.lifts().iter().map(lift).collect() }
    }
}

impl<'a> EntryView<'a> {
    fn new(entry: &'a Entry) -> Self {
        Self {
            blocked_from: entry.blocked_from.to_string(),
            evidence: FiledEvidence { reference: entry.evidence.reference.as_str(), hash: entry.evidence.hash },
            decision: DecisionView::new(&entry.by),
        }
    }
}

impl<'a> LiftingView<'a> {
    fn new(lifting: &'a Lifting) -> Self {
        Self { reason: lifting.reason.as_str(), decision: DecisionView::new(&lifting.by) }
    }
}

impl<'a> DecisionView<'a> {
    fn new(Resolution { proposal, ground, at }: &'a Resolution) -> Self {
        Self { proposal: *proposal, ground, at: at.to_string() }
    }
}
