//! Who may touch the register, as extractors of handlers.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use runtime::{ApiError, Person, Role};

use crate::domain::history::Author;

/// Roles that may change the register.
const CLERKS: &[Role] = &[Role::Clerk, Role::ChiefClerk];
/// Roles that may look into it.
const READERS: &[Role] = &[Role::Clerk, Role::ChiefClerk, Role::Inspector, Role::Auditor, Role::Tax, Role::Analyst];

/// A person who may change the register.
#[derive(Debug, Clone)]
pub struct Clerk(pub Author);

/// A person who may look into the register.
#[derive(Debug, Clone)]
pub struct Reader(pub Author);

fn author(person: &Person, roles: &[Role]) -> Result<Author, ApiError> {
    let role = person.one_of(roles)?;
    Ok(Author { sub: person.sub().to_owned(), role: role.as_str().to_owned() })
}

macro_rules! extracted {
    ($name:ident, $roles:expr) => {
        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

            fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
                let person = Person::from_request(request, payload);
                Box::pin(async move { author(&person.await?, $roles).map(Self) })
            }
        }
    };
}

extracted!(Clerk, CLERKS);
extracted!(Reader, READERS);
