//! Who reads what an operator sent: the operator itself, or people of the regulator and its partners.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::OperatorId;
use futures::future::LocalBoxFuture;

use crate::auth::caller::bearer;
use crate::{ApiError, Caller, People, Person, Role};

/// Take it as an argument of a handler. A token that names people's issuer is checked as a person's, any other as an operator's.
#[derive(Debug, Clone)]
pub enum Reader {
    /// An operator.
    Operator(Caller),
    /// A person.
    Person(Person),
}

impl Reader {
    /// Refuses who may not read what this operator sent: operators need a scope and read their own, people one of some roles.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn require(&self, operator: OperatorId, scope: &str, roles: &[Role]) -> Result<(), ApiError> {
        match self {
            Self::Operator(caller) => caller.require(scope).and_then(|()| caller.require_own(operator)),
            Self::Person(person) => person.one_of(roles).map(|_| ()),
        }
    }
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let people = request.app_data::<Arc<People>>();
        let token = bearer(request.headers());
        if people.zip(token).is_some_and(|(people, token)| people.are_named_by(token)) {
            let person = Person::from_request(request, payload);
            return Box::pin(async move { person.await.map(Self::Person) });
        }
        let caller = Caller::from_request(request, payload);
        Box::pin(async move { caller.await.map(Self::Operator) })
    }
}
