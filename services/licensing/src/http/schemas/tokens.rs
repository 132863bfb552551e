//! The form that asks for a token, and the words of its refusals.

use serde::Serialize;
use utoipa::ToSchema;

/// A request for an access token (RFC 6749 section 4.4, RFC 7523). Other members are ignored.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenForm {
    /// `client_credentials`.
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: String,
    /// A JWT by one of the client's registered keys.
    client_assertion: String,
    /// The client's id, if it is to be said twice: `dsom_live_<operator>` or `dsom_test_<operator>`.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Scopes with spaces between, when others than the usual ones are wanted.
    #[schema(nullable = false)]
    scope: Option<String>,
}

/// Codes of RFC 6749 section 5.2, and two more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum TokenErrorCode {
    /// A parameter is missing, is there twice, or is not of its form.
    InvalidRequest,
    /// The assertion does not prove the client.
    InvalidClient,
    /// The client may have no token now.
    UnauthorizedClient,
    /// There is `client_credentials` alone.
    UnsupportedGrantType,
    /// The client may not have this scope.
    InvalidScope,
    /// The client asks too fast (the code of RFC 8628 section 3.5).
    SlowDown,
    /// Ask again with a new assertion.
    TemporarilyUnavailable,
}
