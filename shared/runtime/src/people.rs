//! People of the regulator and its partners: tokens of an OpenID Connect issuer, and the roles they give.
//!
//! The issuer, its audience and how its roles are called are configuration (`DSOM_OIDC_*`), the same for every service. A person is
//! known by `sub` alone: names and mail addresses in a token are not looked at.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::problems::Code;
use figment::Figment;
use figment::providers::Env;
use futures::future::{Either, LocalBoxFuture};
use serde::Deserialize;
use serde_json::Value;

use crate::ApiError;
use crate::auth::caller::bearer;
use crate::auth::checker::{Checker, Lasting};
use crate::auth::keys::{Keys, Kinds, Source};
use crate::auth::token;
use crate::auth::{KeysError, TokenError};
use crate::config::{self, ConfigError};

/// Longest `sub` that is taken, in bytes.
const SUB_BYTES_MAX: usize = 255;

/// What a person may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Keeps the register.
    Clerk,
    /// Keeps it, and answers for it.
    ChiefClerk,
    /// Looks into operators.
    Inspector,
    /// Looks at taxes.
    Tax,
    /// Reads reports.
    Analyst,
    /// Checks everything, changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Clerk, Self::ChiefClerk, Self::Inspector, Self::Tax, Self::Analyst, Self::Auditor];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clerk => "clerk",
            Self::ChiefClerk => "chief_clerk",
            Self::Inspector => "inspector",
            Self::Tax => "tax",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
        }
    }
}

impl FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// Where people's tokens come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// `iss` of the tokens. Its description is fetched from `<issuer>/.well-known/openid-configuration`.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// The issuer's JWK Set, a path or an address, where its description is not to be asked for.
    pub jwks: Option<String>,
    /// The claim that holds the roles, an array or a text with spaces; parts of a path are separated by dots, as in
    /// `realm_access.roles`.
    #[serde(default = "OidcConfig::roles_claim")]
    pub roles_claim: String,
    /// What the issuer calls our roles: `clerk=registry-clerk,auditor=audit-office`. A role that is not named is called as here.
    #[serde(default)]
    pub roles: String,
}

impl OidcConfig {
    /// From `DSOM_OIDC_ISSUER`, `…_AUDIENCE`, `…_JWKS`, `…_ROLES_CLAIM` and `…_ROLES`: the same for every service that knows people.
    ///
    /// # Errors
    /// One is missing or not of its form.
    pub fn of_environment() -> Result<Self, ConfigError> {
        config::checked("oidc", Figment::from(Env::prefixed("DSOM_OIDC_")))
    }

    /// As [`Self::of_environment`]; nothing where no `DSOM_OIDC_…` is set.
    ///
    /// # Errors
    /// As [`Self::of_environment`].
    pub fn if_any() -> Result<Option<Self>, ConfigError> {
        let any = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("DSOM_OIDC_"));
        any.then(Self::of_environment).transpose()
    }

    fn roles_claim() -> String {
        "roles".to_owned()
    }

    /// Our roles by the issuer's names.
    fn names(&self) -> Result<BTreeMap<String, Role>, PeopleError> {
        let mut names: BTreeMap<String, Role> = Role::ALL.map(|role| (role.as_str().to_owned(), role)).into();
        for pair in self.roles.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (ours, theirs) = pair.split_once('=').ok_or_else(|| PeopleError::Roles(pair.to_owned()))?;
            let role = ours.trim().parse().map_err(|()| PeopleError::Roles(pair.to_owned()))?;
            names.retain(|_, known| *known != role);
            names.insert(theirs.trim().to_owned(), role);
        }
        Ok(names)
    }
}

/// Why people's tokens can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The keys.
    #[error("the keys of the OpenID Connect issuer can't be used")]
    Keys(#[from] KeysError),
    /// The map of roles.
    #[error("{0:?} is not of the form clerk=name-at-the-issuer")]
    Roles(String),
}

/// Checks the tokens of people.
pub struct People {
    issuer: String,
    checker: Arc<Checker<Who>>,
}

#[derive(Debug)]
struct Who {
    sub: Box<str>,
    roles: Vec<Role>,
    ends_s: u64,
}

impl Lasting for Who {
    fn ends_s(&self) -> u64 {
        self.ends_s
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: Box<str>,
    exp: f64,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl People {
    /// Loads the issuer's keys and keeps them fresh. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`PeopleError`]. An issuer that does not answer yet is asked again.
    pub async fn start(config: &OidcConfig) -> Result<Arc<Self>, PeopleError> {
        let source = match &config.jwks {
            Some(place) => Source::new(place)?,
            None => Source::discovered(&config.issuer)?,
        };
        let (names, config, issuer) = (config.names()?, config.clone(), config.issuer.clone());
        let read = move |text: &str, keys: &Keys| {
            let Claims { sub, exp, more } = token::claims(text, token::PEOPLE, keys, &config.issuer, &config.audience)?;
            if sub.is_empty() || sub.len() > SUB_BYTES_MAX {
                return Err(TokenError::Claim("sub"));
            }
            let roles = roles(&config.roles_claim, &more, &names);
            Ok(Who { sub, roles, ends_s: token::ends_s(exp) })
        };
        let checker = Checker::start(source, Kinds::OpenId, Box::new(read)).await?;
        Ok(Arc::new(Self { issuer, checker }))
    }

    /// Whether a token says that it is of people's issuer; whether it is, its check tells.
    pub(crate) fn are_named_by(&self, token: &str) -> bool {
        token::named_issuer(token).is_some_and(|named| *named == *self.issuer)
    }

    /// For readiness: whether there are keys to check with.
    ///
    /// # Errors
    /// Says that there are none.
    pub fn ready(&self) -> Result<(), String> {
        self.checker.ready()
    }

    async fn check(&self, token: &str) -> Result<Person, TokenError> {
        self.checker.check(token).await.map(Person)
    }
}

/// The roles that a token gives, by the issuer's names for them.
fn roles(path: &str, claims: &BTreeMap<String, Value>, names: &BTreeMap<String, Role>) -> Vec<Role> {
    let mut parts = path.split('.');
    let first = parts.next().and_then(|name| claims.get(name));
    let found = parts.try_fold(first, |value, name| Some(value?.get(name))).flatten();
    let mut roles: Vec<Role> = match found {
        Some(Value::Array(all)) => {
            all.iter().filter_map(|one| one.as_str()).filter_map(|one| names.get(one)).copied().collect()
        }
        Some(Value::String(all)) => all.split(' ').filter_map(|one| names.get(one)).copied().collect(),
        _ => Vec::new(),
    };
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// A person with a good token. Take it as an argument of a handler.
#[derive(Debug, Clone)]
pub struct Person(Arc<Who>);

impl Person {
    /// `sub` of the token.
    pub fn sub(&self) -> &str {
        &self.0.sub
    }

    /// The first of these roles that the person has.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn one_of(&self, roles: &[Role]) -> Result<Role, ApiError> {
        roles.iter().copied().find(|role| self.0.roles.contains(role)).ok_or_else(|| {
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            ApiError::new(Code::Forbidden, format!("one of these roles is needed: {}", names.join(", ")))
        })
    }
}

impl FromRequest for Person {
    type Error = ApiError;
    type Future = Either<Ready<Result<Self, ApiError>>, LocalBoxFuture<'static, Result<Self, ApiError>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(people) = request.app_data::<Arc<People>>() else {
            tracing::error!("a route takes a person, but its service was started without people");
            return Either::Left(ready(Err(ApiError::new(Code::Internal, "see request_id"))));
        };
        let Some(token) = bearer(request.headers()) else {
            return Either::Left(ready(Err(TokenError::Missing.into())));
        };
        if let Some(who) = people.checker.remembered(token) {
            return Either::Left(ready(Ok(Self(who))));
        }
        let (people, token) = (Arc::clone(people), token.to_owned());
        Either::Right(Box::pin(async move {
            let checked = people.check(&token).await;
            if matches!(checked, Err(TokenError::UnknownKey)) && people.ready().is_err() {
                return Err(ApiError::new(Code::Unavailable, "the issuer's keys are not known yet"));
            }
            Ok(checked?)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(roles: &str) -> OidcConfig {
        OidcConfig {
            issuer: "https://id.example".into(),
            audience: "dsom".into(),
            jwks: None,
            roles_claim: "realm_access.roles".into(),
            roles: roles.into(),
        }
    }

    fn given(config: &OidcConfig, claims: Value) -> Vec<Role> {
        let claims: BTreeMap<String, Value> = serde_json::from_value(claims).unwrap();
        roles(&config.roles_claim, &claims, &config.names().unwrap())
    }

    #[test]
    fn roles_come_from_the_configured_claim_under_the_issuers_names() {
        let ours = config("");
        let theirs = config("clerk=registry-clerk, auditor=audit office");
        let in_realm = |roles: Value| json!({"realm_access": {"roles": roles}, "roles": ["chief_clerk"]});
        assert_eq!(given(&ours, in_realm(json!(["clerk", "tax", "clerk", "admin"]))), [Role::Clerk, Role::Tax]);
        assert_eq!(given(&ours, in_realm(json!("auditor clerk"))), [Role::Clerk, Role::Auditor]);
        assert_eq!(given(&theirs, in_realm(json!(["registry-clerk", "audit office"]))), [Role::Clerk, Role::Auditor]);
        // Our own name gives nothing once the issuer has another.
        assert_eq!(given(&theirs, in_realm(json!(["clerk"]))), []);
        for none in
            [json!({}), json!({"realm_access": 7}), in_realm(json!({"clerk": true})), in_realm(json!([7, null]))]
        {
            assert_eq!(given(&ours, none), []);
        }
    }

    #[test]
    fn a_map_of_roles_that_is_none_is_refused() {
        for bad in ["clerk", "owner=x", "=x"] {
            assert!(matches!(config(bad).names(), Err(PeopleError::Roles(_))), "{bad}");
        }
    }
}
