//! Every way to refuse, as a problem of the catalogue.

use contracts::problems::Code;
use runtime::ApiError;

use super::form;
use crate::actors::desk::DecideError;
use crate::domain::operator::decide::Refusal;
use crate::storage::StoreError;

/// Something that was not done to an operator.
pub fn decide(error: DecideError) -> ApiError {
    let detail = error.to_string();
    match error {
        DecideError::Stale { version } => ApiError::new(Code::Stale, detail).with("version", version),
        DecideError::Claimed { .. } => ApiError::new(Code::Conflict, detail),
        DecideError::TooLarge(_) => ApiError::new(Code::TooBig, detail),
        DecideError::Load(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the register can't be read or written");
            ApiError::new(Code::Unavailable, "the register can't be read or written")
        }
        DecideError::Held(_) | DecideError::Away => ApiError::new(Code::Unavailable, detail),
        DecideError::Refused(refusal) => match refusal {
            Refusal::NotFound(_) => ApiError::new(Code::NotFound, detail),
            Refusal::Conflict(_) => ApiError::new(Code::Conflict, detail),
            Refusal::OwnProposal => ApiError::new(Code::OwnProposal, detail),
            Refusal::ProposalOver(_) => ApiError::new(Code::ProposalOver, detail),
            Refusal::Invalid { pointer, detail } => form::invalid(&pointer, &detail),
        },
    }
}

/// The register could not be read.
pub fn store(error: &StoreError) -> ApiError {
    tracing::warn!(error = error as &dyn std::error::Error, "the register can't be read");
    ApiError::new(Code::Unavailable, error.to_string())
}
