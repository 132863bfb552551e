//! Who may touch the register, as extractors of handlers.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::problems::Code;
use futures::future::LocalBoxFuture;
use runtime::rates::Rates;
use runtime::{ApiError, Person, Role};

use crate::actors::now;
use crate::domain::history::Author;

/// Roles that may change the register.
pub(super) const CLERKS: &[Role] = &[Role::Clerk, Role::ChiefClerk];
/// Roles that may look into it.
pub(super) const READERS: &[Role] =
    &[Role::Clerk, Role::ChiefClerk, Role::Inspector, Role::Auditor, Role::Tax, Role::Analyst];

/// How fast each author may change the register, by `sub`.
pub type WriteRates = Arc<Rates<String>>;

/// Lets an author change something at its rate.
///
/// # Errors
/// 429 `too-many-requests`.
pub fn at_rate(request: &HttpRequest, author: &Author) -> Result<(), ApiError> {
    let Some(rates) = request.app_data::<WriteRates>() else {
        tracing::error!("a route takes changes, but its service was started without rates");
        return Err(ApiError::new(Code::Internal, "see request_id"));
    };
    Ok(rates.take(author.sub.clone(), 1, now())?)
}

/// A person who may change the register, and is not too fast.
#[derive(Debug, Clone)]
pub struct Clerk(pub Author);

/// A person who may look into the register.
#[derive(Debug, Clone)]
pub struct Reader(pub Author);

fn author(person: &Person, roles: &[Role]) -> Result<Author, ApiError> {
    let role = person.one_of(roles)?;
    Ok(Author { sub: person.sub().to_owned(), role: role.as_str().to_owned() })
}

impl FromRequest for Clerk {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (person, request) = (Person::from_request(request, payload), request.clone());
        Box::pin(async move {
            let author = author(&person.await?, CLERKS)?;
            at_rate(&request, &author)?;
            Ok(Self(author))
        })
    }
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let person = Person::from_request(request, payload);
        Box::pin(async move { author(&person.await?, READERS).map(Self) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operator::request::CLERK_ROLES;

    #[test]
    fn who_may_change_the_register_is_whose_changes_are_read() {
        assert_eq!(CLERKS.iter().map(|role| role.as_str()).collect::<Vec<_>>(), CLERK_ROLES);
    }
}
