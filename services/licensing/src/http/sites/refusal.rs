//! Every way to refuse something about the list, as a problem of the catalogue.

use contracts::problems::Code;
use runtime::ApiError;
use serde_json::json;

use super::feeds;
use super::form::PROBLEMS_MAX;
use crate::actors::sites::{Failure, FeedError, NotDecided, Unanswered};
use crate::domain::sites::decide::Refusal;
use crate::domain::sites::list::{Conflict, Obstacle};
use crate::domain::sites::measure::Place;

/// An order that was not carried out.
pub fn order(error: Unanswered) -> ApiError {
    let detail = error.to_string();
    match error {
        Unanswered::Busy => ApiError::new(Code::Unavailable, detail),
        Unanswered::NotDecided(NotDecided::Refused(refusal)) => refused(refusal),
        Unanswered::NotDecided(NotDecided::Failed(Failure::Store(error))) => super::super::refusal::store(&error),
        Unanswered::NotDecided(NotDecided::Failed(failure)) => ApiError::internal(&failure),
    }
}

/// There is no such feed.
pub fn feed(error: FeedError, since: Option<u32>) -> ApiError {
    match (error, since) {
        (FeedError::NoDelta(why), Some(since)) => feeds::gone(since, &why.to_string()),
        (error @ FeedError::TooMany, _) => ApiError::new(Code::Unavailable, error.to_string()),
        (error, _) => ApiError::internal(&error),
    }
}

fn refused(refusal: Refusal) -> ApiError {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Stale { version } => ApiError::new(Code::Stale, detail).with("version", version),
        Refusal::NoProposal(_) => ApiError::new(Code::NotFound, detail),
        Refusal::OtherProposal(_) | Refusal::TooManyWait | Refusal::NothingDue => ApiError::new(Code::Conflict, detail),
        Refusal::OwnProposal => ApiError::new(Code::OwnProposal, detail),
        Refusal::ProposalOver(_) => ApiError::new(Code::ProposalOver, detail),
        Refusal::TooLarge(_) => ApiError::new(Code::TooBig, detail),
        Refusal::Conflicts(conflicts) => {
            let errors: Vec<_> = conflicts.iter().take(PROBLEMS_MAX).map(conflict).collect();
            ApiError::new(Code::Conflict, detail).with("errors", errors)
        }
    }
}

fn conflict(Conflict { place, subject, reason }: &Conflict) -> serde_json::Value {
    let pointer = match place {
        Place::Block(n) => format!("/blocks/{n}"),
        Place::Lift(n) => format!("/lifts/{n}"),
    };
    let code = match reason {
        Obstacle::AlreadyListed => "already-listed",
        Obstacle::PublicSuffix => "public-suffix",
        Obstacle::NotListed => "not-listed",
        Obstacle::Licensed { .. } => "licensed",
    };
    json!({"pointer": pointer, "code": code, "detail": format!("{subject}: {reason}")})
}
