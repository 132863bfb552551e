//! Who calls: access tokens (RFC 9068 in the way of RFC 8725), checked with the issuer's public keys.
//!
//! A token is checked once; until it expires or the keys change, the same bytes are looked up. The algorithm is that of
//! the key, never the token's choice.

mod caller;
mod keys;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use contracts::OperatorId;
use tokio::sync::Mutex;

pub use caller::Caller;
pub use keys::KeysError;
use keys::{Keys, Source};
pub use token::TokenError;

/// Most tokens remembered: some 10 MB.
const CACHED_MAX: usize = 10_000;
/// A file of keys is looked at, an address asked this often.
const FILE_EVERY: Duration = Duration::from_secs(1);
const URL_EVERY: Duration = Duration::from_secs(300);
/// Unknown key ids make us ask the issuer, but not more often than this: anyone can make them up.
const UNKNOWN_EVERY: Duration = Duration::from_secs(10);

/// Whose tokens are taken.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct AuthConfig {
    /// The issuer's JWK Set: a path or an http(s) URL.
    pub jwks: String,
    /// Expected `iss`.
    pub token_issuer: String,
    /// Expected `aud`.
    pub token_audience: String,
}

/// Checks tokens.
pub struct Auth {
    issuer: String,
    audience: String,
    source: Source,
    keys: ArcSwap<Keys>,
    cache: RwLock<HashMap<Box<str>, Arc<Grant>>>,
    asked: Mutex<Option<Instant>>,
}

/// What a good token grants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    operator: OperatorId,
    scopes: Box<str>,
    /// When it ends, the allowed skew included, in Unix seconds.
    ends_s: u64,
}

impl Auth {
    /// Loads the keys and keeps them fresh for as long as the value lives. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When a file of keys can't be read or used. An address that does not answer yet is asked again: see [`Auth::ready`].
    pub async fn start(config: &AuthConfig) -> Result<Arc<Self>, KeysError> {
        let source = Source::new(&config.jwks)?;
        let (keys, every) = match (source.load().await, &source) {
            (Ok(keys), Source::File(_)) => (keys, FILE_EVERY),
            (Err(error), Source::File(_)) => return Err(error),
            (Ok(keys), Source::Url(..)) => (keys, URL_EVERY),
            (Err(error), Source::Url(..)) => {
                tracing::warn!(error = %crate::problem::chain(&error), "the issuer's keys are not known yet");
                (Keys::default(), URL_EVERY)
            }
        };
        let auth = Arc::new(Self {
            issuer: config.token_issuer.clone(),
            audience: config.token_audience.clone(),
            source,
            keys: ArcSwap::from_pointee(keys),
            cache: RwLock::default(),
            asked: Mutex::new(None),
        });
        let weak = Arc::downgrade(&auth);
        tokio::spawn(async move {
            loop {
                let pause = match weak.upgrade() {
                    Some(auth) if auth.keys.load().is_empty() => every.min(Duration::from_secs(1)),
                    Some(_) => every,
                    None => return,
                };
                tokio::time::sleep(pause).await;
                let Some(auth) = weak.upgrade() else { return };
                auth.reload().await;
            }
        });
        Ok(auth)
    }

    /// For readiness: whether there are keys to check with.
    ///
    /// # Errors
    /// Says that there are none.
    pub fn ready(&self) -> Result<(), String> {
        if self.keys.load().is_empty() { Err("the issuer's keys are not known".to_owned()) } else { Ok(()) }
    }

    /// Checks a token; one with an unknown key id makes the keys be loaded again, at most every 10 s.
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn check(&self, token: &str) -> Result<Caller, TokenError> {
        if let Some(caller) = self.remembered(token) {
            return Ok(caller);
        }
        match self.verify(token) {
            Err(TokenError::UnknownKey) => {
                self.ask_again().await;
                self.verify(token)
            }
            known => known,
        }
    }

    fn remembered(&self, token: &str) -> Option<Caller> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let grant = cache.get(token)?;
        (now_s() < grant.ends_s).then(|| Caller::new(Arc::clone(grant)))
    }

    fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let keys = self.keys.load_full();
        let grant = Arc::new(token::verify(token, &keys, &self.issuer, &self.audience)?);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock that a change of keys clears the cache under: no grant of a withdrawn key gets in behind it.
        if Arc::ptr_eq(&keys, &self.keys.load()) {
            if cache.len() >= CACHED_MAX {
                let now_s = now_s();
                cache.retain(|_, grant| now_s < grant.ends_s);
                if cache.len() >= CACHED_MAX {
                    cache.clear();
                }
            }
            cache.insert(token.into(), Arc::clone(&grant));
        }
        Ok(Caller::new(grant))
    }

    async fn ask_again(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|at| at.elapsed() >= UNKNOWN_EVERY) {
            *asked = Some(Instant::now());
            self.reload().await;
        }
    }

    async fn reload(&self) {
        match self.source.load().await {
            Ok(keys) if keys == **self.keys.load() => {}
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the issuer's keys changed");
                let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
                self.keys.store(Arc::new(keys));
                cache.clear();
            }
            Err(error) => {
                tracing::warn!(error = %crate::problem::chain(&error), "the issuer's keys can't be loaded; the old ones stay");
            }
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
