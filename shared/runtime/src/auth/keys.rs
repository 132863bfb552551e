//! The issuer's public keys: a JWK Set (RFC 7517) from a file or an address.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// Largest JWK Set read.
const JWKS_BYTES_MAX: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file can't be read.
    #[error("the keys can't be read from {path}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address does not answer with them.
    #[error("the keys can't be fetched")]
    Fetch(#[from] reqwest::Error),
    /// More than a JWK Set needs.
    #[error("the JWK Set has more than {JWKS_BYTES_MAX} bytes")]
    TooBig,
    /// Not a JWK Set.
    #[error("this is not a JWK Set")]
    Json(#[from] serde_json::Error),
    /// Two keys of one id.
    #[error("two keys have the id {0}")]
    Twice(String),
    /// None that may sign tokens.
    #[error("the JWK Set has no Ed25519 or P-256 key with a kid for signatures")]
    None,
}

pub(super) enum Source {
    File(PathBuf),
    Url(String, reqwest::Client),
}

impl Source {
    pub(super) fn new(place: &str) -> Result<Self, KeysError> {
        if !(place.starts_with("http://") || place.starts_with("https://")) {
            return Ok(Self::File(place.into()));
        }
        let client =
            reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self::Url(place.to_owned(), client))
    }

    pub(super) async fn load(&self) -> Result<Keys, KeysError> {
        match self {
            Self::File(path) => {
                let read = tokio::fs::read(path).await;
                let text = read.map_err(|source| KeysError::Read { path: path.clone(), source })?;
                Keys::parse(&text)
            }
            Self::Url(url, client) => {
                let mut answer = client.get(url).send().await?.error_for_status()?;
                let mut text = Vec::new();
                while let Some(chunk) = answer.chunk().await? {
                    text.extend_from_slice(&chunk);
                    if text.len() > JWKS_BYTES_MAX {
                        return Err(KeysError::TooBig);
                    }
                }
                Keys::parse(&text)
            }
        }
    }
}

/// Keys by id, each with the one algorithm it is good for.
#[derive(Default)]
pub(super) struct Keys(HashMap<String, (Jwk, Algorithm, DecodingKey)>);

impl Keys {
    pub(super) fn parse(text: &[u8]) -> Result<Self, KeysError> {
        if text.len() > JWKS_BYTES_MAX {
            return Err(KeysError::TooBig);
        }
        let set: JwkSet = serde_json::from_slice(text)?;
        let mut keys = HashMap::new();
        for jwk in set.keys {
            // Keys of other kinds and for other uses are not ours to judge (RFC 7517 section 5).
            let (Some(kid), Some(algorithm)) = (jwk.common.key_id.clone(), algorithm(&jwk)) else { continue };
            let Ok(key) = DecodingKey::from_jwk(&jwk) else { continue };
            if keys.insert(kid.clone(), (jwk, algorithm, key)).is_some() {
                return Err(KeysError::Twice(kid));
            }
        }
        if keys.is_empty() { Err(KeysError::None) } else { Ok(Self(keys)) }
    }

    pub(super) fn get(&self, kid: &str) -> Option<(Algorithm, &DecodingKey)> {
        self.0.get(kid).map(|(_, algorithm, key)| (*algorithm, key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.0.iter().all(|(kid, (jwk, ..))| other.0.get(kid).is_some_and(|(theirs, ..)| theirs == jwk))
    }
}

/// The algorithm of a key for signatures, by its type and curve; what the key says of itself must agree.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let agrees = jwk.common.key_algorithm.as_ref().is_none_or(|said| *said == named);
    (for_signatures && agrees).then_some(algorithm)
}
