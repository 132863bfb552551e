//! The caller of a request, for handlers.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpRequest};
use contracts::OperatorId;
use contracts::problems::Code;
use futures::future::{Either, LocalBoxFuture};

use super::{Auth, Grant, TokenError, Unfit};
use crate::ApiError;

/// Whose token came with the request, and what it allows. Take it as an argument of a handler.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Grant>);

impl Caller {
    pub(super) fn new(grant: Arc<Grant>) -> Self {
        Self(grant)
    }

    /// The operator: `sub` of the token.
    pub fn operator(&self) -> OperatorId {
        self.0.operator
    }

    /// The operator's key that the token was asked for with; an issuer of another kind does not say.
    pub fn client_key(&self) -> Option<&str> {
        self.0.client_key.as_deref()
    }

    /// The client that the token was given to; an issuer of another kind does not say.
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }

    /// When the token was issued, in Unix seconds; 0 where the issuer does not say.
    pub fn issued_s(&self) -> u64 {
        self.0.issued_s
    }

    /// Whether the token has a scope.
    pub fn has(&self, scope: &str) -> bool {
        self.0.scopes.split(' ').any(|granted| granted == scope)
    }

    /// Refuses a token without a scope.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn require(&self, scope: &str) -> Result<(), ApiError> {
        if self.has(scope) {
            return Ok(());
        }
        Err(ApiError::new(Code::Forbidden, format!("scope {scope} is needed")))
    }

    /// Refuses the data of another operator.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn require_own(&self, operator: OperatorId) -> Result<(), ApiError> {
        if operator == self.0.operator {
            return Ok(());
        }
        Err(ApiError::new(Code::Forbidden, "this is another operator's"))
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(Code::Unauthorized, error.to_string())
    }
}

impl Unfit {
    fn refusal(self, operator: OperatorId) -> ApiError {
        match self {
            Self::UnknownOperator => {
                ApiError::new(Code::UnknownOperator, format!("operator {operator} is not in the register"))
            }
            Self::Behind => {
                ApiError::new(Code::Unavailable, "what the register decided last has not arrived yet").retry_after(1)
            }
            Self::KeyRevoked => {
                ApiError::new(Code::Unauthorized, "the key that the token was asked for with is revoked")
            }
        }
    }
}

fn admitted(auth: &Auth, caller: Caller, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if let Some(bound) = &caller.0.bound {
        bound.check(auth.client_cert, headers)?;
    }
    auth.admits(&caller).map_err(|unfit| unfit.refusal(caller.operator()))?;
    Ok(caller)
}

/// At once for a token that was seen before: nothing is boxed on the warm path.
pub type CallerFuture = Either<Ready<Result<Caller, ApiError>>, LocalBoxFuture<'static, Result<Caller, ApiError>>>;

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = CallerFuture;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(auth) = request.app_data::<Arc<Auth>>() else {
            tracing::error!("a route takes a caller, but its service was started without auth");
            return Either::Left(ready(Err(ApiError::new(Code::Internal, "see request_id"))));
        };
        auth.caller(request)
    }
}

impl Auth {
    /// The caller of a request, for a service that has more than one issuer; else a handler takes [`Caller`].
    ///
    /// # Errors
    /// 401 `unauthorized`, 400 `bad-request`, 403 `unknown-operator`, 503 `unavailable`.
    pub fn caller(self: &Arc<Self>, request: &HttpRequest) -> CallerFuture {
        let Some(token) = bearer(request.headers()) else {
            return Either::Left(ready(Err(TokenError::Missing.into())));
        };
        if let Some(caller) = self.remembered(token) {
            return Either::Left(ready(admitted(self, caller, request.headers())));
        }
        let (auth, token, request) = (Arc::clone(self), token.to_owned(), request.clone());
        Either::Right(Box::pin(async move {
            let checked = auth.check(&token).await;
            if matches!(checked, Err(TokenError::UnknownKey)) && auth.ready().is_err() {
                return Err(ApiError::new(Code::Unavailable, "the issuer's keys are not known yet"));
            }
            admitted(&auth, checked?, request.headers())
        }))
    }
}

/// The token of the one Authorization header (RFC 6750 section 2.1); two headers are none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut headers = headers.get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
