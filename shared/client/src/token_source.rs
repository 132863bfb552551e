//! Where bearer tokens come from, and what is done when one is refused.

use std::pin::Pin;
use std::sync::Arc;

use crate::TokenError;

/// The outcome of asking for another token, when it is there.
pub type Renewal<'a> = Pin<Box<dyn Future<Output = Result<(), Arc<TokenError>>> + Send + 'a>>;

/// Gives the bearer token of each request. [`crate::Tokens`] is one; who gets tokens otherwise writes another.
pub trait TokenSource: Send + Sync {
    /// The token now.
    fn token(&self) -> String;

    /// A server has refused a token. Ends well when [`TokenSource::token`] gives another; otherwise says why there is none: a
    /// [passing](TokenError::is_passing) reason has this asked again after a pause, any other ends sending.
    fn renew<'a>(&'a self, refused: &'a str) -> Renewal<'a>;
}

/// A token that stays as it is.
pub(crate) struct FixedToken(pub(crate) String);

impl TokenSource for FixedToken {
    fn token(&self) -> String {
        self.0.clone()
    }

    fn renew<'a>(&'a self, _refused: &'a str) -> Renewal<'a> {
        Box::pin(async { Err(Arc::new(TokenError::Fixed)) })
    }
}
