//! How entries and proposals are shown.

use contracts::UnixMillis;
use serde_json::{Value, json};

use crate::domain::operator::fact::Ground;
use crate::domain::sites::measure::{Block, Lift, Measure};
use crate::domain::sites::proposal::{Answer, Proposal};
use crate::domain::sites::standing::{Entry, Lifting, Resolution, Standing};
use crate::domain::sites::subject::Subject;

/// A standing as everybody may see it; what was found is not among it.
pub fn standing(standing: &Standing<'_>) -> Value {
    let mut shown = json!({"standing": standing.as_str()});
    let mut put =
        |name: &str, value: Value| shown.as_object_mut().and_then(|shown| shown.insert(name.to_owned(), value));
    match standing {
        Standing::Unlisted => {}
        Standing::Announced(found) | Standing::Blocked(found) => drop(put("entry", entry(found))),
        Standing::Lifted(found, end) => {
            put("entry", entry(found));
            put("lifting", lifting(end));
        }
        Standing::Licensed(operator) => drop(put("operator", json!(operator))),
    }
    shown
}

/// A subject: `{"site": …}` or `{"account": …}`.
pub fn subject(subject: &Subject, in_unicode: Option<&str>) -> Value {
    let mut shown = json!(subject);
    if let (Some(text), Some(shown)) = (in_unicode, shown.as_object_mut()) {
        shown.insert("unicode".to_owned(), text.into());
    }
    shown
}

/// A proposal as it stood at a moment; what it holds is shown where that is asked for.
pub fn proposal(proposal: &Proposal, at: UnixMillis, held: Option<&Measure>) -> Value {
    let mut shown = json!({
        "id": proposal.id,
        "outcome": proposal.outcome(at),
        "by": proposal.by,
        "at": proposal.at.to_string(),
        "expires": proposal.expires.to_string(),
        "ground": proposal.ground,
        "blocks": proposal.blocks,
        "lifts": proposal.lifts,
    });
    let Some(members) = shown.as_object_mut() else { return shown };
    if let Some(measure) = held {
        let blocks: Vec<_> = measure.blocks().iter().map(block).collect();
        let lifts: Vec<_> = measure.lifts().iter().map(lift).collect();
        members.insert("measure".to_owned(), json!({"blocks": blocks, "lifts": lifts}));
    }
    if let Some(Answer { by, at, declined }) = proposal.answered(at) {
        let mut answer = json!({"by": by, "at": at.to_string()});
        if let (Some(reason), Some(answer)) = (declined, answer.as_object_mut()) {
            answer.insert("reason".to_owned(), json!(reason));
        }
        members.insert("answer".to_owned(), answer);
    }
    shown
}

fn block(block: &Block) -> Value {
    let in_unicode = block.subject.site().and_then(|site| site.in_unicode());
    let mut shown = subject(&block.subject, in_unicode.as_deref());
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("evidence".to_owned(), json!(block.evidence));
        shown.insert("blocked_from".to_owned(), block.blocked_from.to_string().into());
    }
    shown
}

fn lift(lift: &Lift) -> Value {
    let in_unicode = lift.subject.site().and_then(|site| site.in_unicode());
    let mut shown = subject(&lift.subject, in_unicode.as_deref());
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("reason".to_owned(), json!(lift.reason));
    }
    shown
}

fn entry(entry: &Entry) -> Value {
    json!({
        "blocked_from": entry.blocked_from.to_string(),
        "evidence": {"reference": entry.evidence.reference, "hash": entry.evidence.hash},
        "decision": decision(&entry.by),
    })
}

fn lifting(lifting: &Lifting) -> Value {
    json!({"reason": lifting.reason, "decision": decision(&lifting.by)})
}

fn decision(Resolution { proposal, ground, at }: &Resolution) -> Value {
    let Ground { law, document, document_hash } = ground;
    json!({
        "proposal": proposal, "law": law, "document": document, "document_hash": document_hash, "at": at.to_string(),
    })
}
