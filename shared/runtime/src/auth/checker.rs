//! Checks tokens of one issuer: keys kept fresh, and what was found remembered.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::keys::{Keys, KeysError, Kinds, Source};
use super::now_s;
use super::token::TokenError;

/// Most tokens remembered: some 10 MB.
pub(super) const CACHED_MAX: usize = 10_000;
/// A file of keys is looked at, an address asked this often.
const FILE_EVERY: Duration = Duration::from_secs(1);
const URL_EVERY: Duration = Duration::from_secs(300);
/// Unknown key ids make us ask the issuer, but not more often than this: anyone can make them up.
const UNKNOWN_EVERY: Duration = Duration::from_secs(10);

/// What ends at some time.
pub(crate) trait Lasting: Send + Sync + 'static {
    /// When, in Unix seconds.
    fn ends_s(&self) -> u64;
}

/// Reads one token with the keys there are.
pub(crate) type ReadToken<G> = Box<dyn Fn(&str, &Keys) -> Result<G, TokenError> + Send + Sync>;

/// Checks tokens and remembers what they grant.
pub(crate) struct Checker<G> {
    read: ReadToken<G>,
    kinds: Kinds,
    source: Source,
    pub(super) keys: ArcSwap<Keys>,
    pub(super) cache: RwLock<HashMap<Box<str>, Arc<G>>>,
    asked: Mutex<Option<Instant>>,
}

impl<G: Lasting> Checker<G> {
    /// Loads the keys and keeps them fresh for as long as the value lives.
    pub(crate) async fn start(source: Source, kinds: Kinds, read: ReadToken<G>) -> Result<Arc<Self>, KeysError> {
        let every = if source.is_file() { FILE_EVERY } else { URL_EVERY };
        let keys = match source.load(kinds).await {
            Ok(keys) => keys,
            Err(error) if source.is_file() => return Err(error),
            Err(error) => {
                tracing::warn!(error = %crate::problem::chain(&error), "the issuer's keys are not known yet");
                Keys::default()
            }
        };
        let checker = Arc::new(Self {
            read,
            kinds,
            source,
            keys: ArcSwap::from_pointee(keys),
            cache: RwLock::default(),
            asked: Mutex::new(None),
        });
        let weak = Arc::downgrade(&checker);
        tokio::spawn(async move {
            loop {
                let pause = match weak.upgrade() {
                    Some(checker) if checker.keys.load().is_empty() => every.min(Duration::from_secs(1)),
                    Some(_) => every,
                    None => return,
                };
                tokio::time::sleep(pause).await;
                let Some(checker) = weak.upgrade() else { return };
                checker.reload().await;
            }
        });
        Ok(checker)
    }

    pub(crate) fn ready(&self) -> Result<(), String> {
        if self.keys.load().is_empty() { Err("the issuer's keys are not known".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn check(&self, token: &str) -> Result<Arc<G>, TokenError> {
        if let Some(grant) = self.remembered(token) {
            return Ok(grant);
        }
        match self.verify(token) {
            Err(TokenError::UnknownKey) => {
                self.ask_again().await;
                self.verify(token)
            }
            known => known,
        }
    }

    pub(crate) fn remembered(&self, token: &str) -> Option<Arc<G>> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let grant = cache.get(token)?;
        (now_s() < grant.ends_s()).then(|| Arc::clone(grant))
    }

    pub(super) fn verify(&self, token: &str) -> Result<Arc<G>, TokenError> {
        let keys = self.keys.load_full();
        let grant = Arc::new((self.read)(token, &keys)?);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock that a change of keys clears the cache under: no grant of a withdrawn key gets in behind it.
        if Arc::ptr_eq(&keys, &self.keys.load()) {
            if cache.len() >= CACHED_MAX {
                let now_s = now_s();
                cache.retain(|_, grant| now_s < grant.ends_s());
                if cache.len() >= CACHED_MAX {
                    cache.clear();
                }
            }
            cache.insert(token.into(), Arc::clone(&grant));
        }
        Ok(grant)
    }

    async fn ask_again(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|at| at.elapsed() >= UNKNOWN_EVERY) {
            *asked = Some(Instant::now());
            self.reload().await;
        }
    }

    pub(super) async fn reload(&self) {
        match self.source.load(self.kinds).await {
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
