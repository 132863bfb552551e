//! What paths name.

use utoipa::IntoParams;

/// Names an operator.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub struct OfOperator {
    /// The operator's id, a UUID.
    #[param(format = "uuid")]
    operator: String,
}

/// Names a licence of an operator.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub struct OfLicence {
    /// The operator's id, a UUID.
    #[param(format = "uuid")]
    operator: String,
    /// The number of the licence among the operator's applications, from 1.
    licence: u32,
}

/// Names a proposal about an operator.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub struct OfProposal {
    /// The operator's id, a UUID.
    #[param(format = "uuid")]
    operator: String,
    /// The proposal's id, a UUID.
    #[param(format = "uuid")]
    proposal: String,
}
