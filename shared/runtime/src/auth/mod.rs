//! Who calls: access tokens (RFC 9068 in the way of RFC 8725), checked with the issuer's public keys.
//!
//! A token is checked once; until it expires or the keys change, the same bytes are looked up. The algorithm is that of
//! the key, never the token's choice. How the operator stands in the register, and the certificate that a token is bound to, are looked
//! at with every request.

pub(crate) mod caller;
mod certificate;
pub(crate) mod checker;
pub(crate) mod keys;
mod standings;
pub(crate) mod token;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpRequest;
use contracts::OperatorId;

pub use caller::Caller;
use certificate::Binding;
pub use certificate::{BadClientCert, ClientCert, Thumbprint};
use checker::{Checker, Lasting};
pub use keys::KeysError;
use keys::{Kinds, Source};
pub use standings::{NotKnown, Stale, Standings};
pub use token::TokenError;

/// Whose tokens are taken.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct AuthConfig {
    /// The issuer's JWK Set: a path or an http(s) URL.
    pub jwks: String,
    /// Expected `iss`.
    pub token_issuer: String,
    /// Expected `aud`.
    pub token_audience: String,
    /// Where the client's certificate is read from.
    #[serde(default)]
    pub client_cert: ClientCert,
}

/// Why an operator with a good token is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The register does not know it.
    UnknownOperator,
    /// The key that the token was asked for with is no longer registered.
    KeyRevoked,
    /// The token is younger than what is known of the register: it can't be said yet.
    Behind,
}

/// What a service knows of the register. Asked with every request: it must not wait.
pub trait Register: Send + Sync {
    /// Whether an operator may come in with a token of a time (Unix seconds) that was asked for with a key (none: the issuer does not
    /// say).
    ///
    /// # Errors
    /// [`Unfit`]
    fn admits(&self, operator: OperatorId, client_key: Option<&str>, issued_s: u64) -> Result<(), Unfit>;
}

/// Checks the tokens of operators.
pub struct Auth {
    checker: Arc<Checker<Grant>>,
    register: Option<Arc<dyn Register>>,
    client_cert: ClientCert,
}

/// What a good token grants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    operator: OperatorId,
    scopes: Box<str>,
    client_key: Option<Box<str>>,
    client_id: Option<Box<str>>,
    /// When it was issued, in Unix seconds; 0 where the issuer does not say.
    issued_s: u64,
    /// When it ends, the allowed skew included, in Unix seconds.
    ends_s: u64,
    /// The certificate that must come with it.
    bound: Option<Binding>,
}

impl Lasting for Grant {
    fn ends_s(&self) -> u64 {
        self.ends_s
    }
}

impl Auth {
    /// Loads the keys and keeps them fresh for as long as the value lives. Call it inside a tokio runtime. With a register, every
    /// request is held against it, too.
    ///
    /// # Errors
    /// When a file of keys can't be read or used. An address that does not answer yet is asked again: see [`Auth::ready`].
    pub async fn start(config: &AuthConfig, register: Option<Arc<dyn Register>>) -> Result<Arc<Self>, KeysError> {
        Self::start_with(Source::new(&config.jwks)?, config, register).await
    }

    /// As [`Auth::start`], with the JWK Set itself: for the issuer's own routes. `config.jwks` is not looked at.
    ///
    /// # Errors
    /// [`KeysError`]: no JWK Set with a key of ours.
    pub async fn of_keys(
        jwks: &serde_json::Value,
        config: &AuthConfig,
        register: Option<Arc<dyn Register>>,
    ) -> Result<Arc<Self>, KeysError> {
        let source = Source::Given(jwks.to_string().into_bytes());
        // For it can't be had later, either.
        source.load(Kinds::Ours).await?;
        Self::start_with(source, config, register).await
    }

    async fn start_with(
        source: Source,
        config: &AuthConfig,
        register: Option<Arc<dyn Register>>,
    ) -> Result<Arc<Self>, KeysError> {
        let (issuer, audience) = (config.token_issuer.clone(), config.token_audience.clone());
        let read = move |token: &str, keys: &keys::Keys| token::verify(token, keys, &issuer, &audience);
        let checker = Checker::start(source, Kinds::Ours, Box::new(read)).await?;
        Ok(Arc::new(Self { checker, register, client_cert: config.client_cert }))
    }

    /// Whether the token of a request names a key of this issuer; whether it is good is not known yet.
    pub fn is_issuer_of(&self, request: &HttpRequest) -> bool {
        let header = caller::bearer(request.headers()).and_then(|token| jsonwebtoken::decode_header(token).ok());
        header.and_then(|header| header.kid).is_some_and(|kid| self.checker.keys.load().get(&kid).is_some())
    }

    /// For readiness: whether there are keys to check with.
    ///
    /// # Errors
    /// Says that there are none.
    pub fn ready(&self) -> Result<(), String> {
        self.checker.ready()
    }

    /// Checks a token; one with an unknown key id makes the keys be loaded again, at most every 10 s. What must come with the token, and the
    /// register, are not looked at: a handler takes [`Caller`].
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn check(&self, token: &str) -> Result<Caller, TokenError> {
        self.checker.check(token).await.map(Caller::new)
    }

    fn remembered(&self, token: &str) -> Option<Caller> {
        self.checker.remembered(token).map(Caller::new)
    }

    /// Holds a caller against the register.
    fn admits(&self, caller: &Caller) -> Result<(), Unfit> {
        let Some(register) = &self.register else { return Ok(()) };
        register.admits(caller.operator(), caller.client_key(), caller.issued_s())
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
