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
    #[error("the JWK Set has no key with a kid for signatures of a kind that is taken")]
    None,
    /// The issuer describes itself as another one.
    #[error("the issuer at {asked} says that it is {found}")]
    OtherIssuer {
        /// Who was asked.
        asked: String,
        /// Who answered.
        found: String,
    },
}

/// Which kinds of key are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Ed25519 and P-256: what this system signs with.
    Ours,
    /// RSA and P-384 beside them: what OpenID Connect issuers sign with.
    OpenId,
}

pub(crate) enum Source {
    /// The keys themselves: they never change.
    Given(Vec<u8>),
    File(PathBuf),
    Url(String, reqwest::Client),
    /// An OpenID Connect issuer, whose description says where its keys are (OpenID Connect Discovery 1.0 section 4).
    Issuer(String, reqwest::Client),
}

/// What an OpenID Connect issuer says of itself, as far as it matters here.
#[derive(serde::Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(crate) fn new(place: &str) -> Result<Self, KeysError> {
        if !(place.starts_with("http://") || place.starts_with("https://")) {
            return Ok(Self::File(place.into()));
        }
        Ok(Self::Url(place.to_owned(), client()?))
    }

    /// The keys of an OpenID Connect issuer.
    pub(crate) fn discovered(issuer: &str) -> Result<Self, KeysError> {
        Ok(Self::Issuer(issuer.to_owned(), client()?))
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    pub(crate) async fn load(&self, kinds: Kinds) -> Result<Keys, KeysError> {
        match self {
            Self::Given(text) => Keys::parse(text, kinds),
            Self::File(path) => {
                let read = tokio::fs::read(path).await;
                let text = read.map_err(|source| KeysError::Read { path: path.clone(), source })?;
                Keys::parse(&text, kinds)
            }
            Self::Url(url, client) => Keys::parse(&fetch(client, url).await?, kinds),
            Self::Issuer(issuer, client) => {
                let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let description: Description = serde_json::from_slice(&fetch(client, &place).await?)?;
                if description.issuer != *issuer {
                    return Err(KeysError::OtherIssuer { asked: issuer.clone(), found: description.issuer });
                }
                Keys::parse(&fetch(client, &description.jwks_uri).await?, kinds)
            }
        }
    }
}

fn client() -> Result<reqwest::Client, KeysError> {
    Ok(reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?)
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, KeysError> {
    let mut answer = client.get(url).send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > JWKS_BYTES_MAX {
            return Err(KeysError::TooBig);
        }
    }
    Ok(text)
}

/// Keys by id, each with the one algorithm it is good for.
#[derive(Default)]
pub(crate) struct Keys(HashMap<String, (Jwk, Algorithm, DecodingKey)>);

impl Keys {
    pub(crate) fn parse(text: &[u8], kinds: Kinds) -> Result<Self, KeysError> {
        if text.len() > JWKS_BYTES_MAX {
            return Err(KeysError::TooBig);
        }
        let set: JwkSet = serde_json::from_slice(text)?;
        let mut keys = HashMap::new();
        for jwk in set.keys {
            // Keys of other kinds and for other uses are not ours to judge (RFC 7517 section 5).
            let (Some(kid), Some(algorithm)) = (jwk.common.key_id.clone(), algorithm(&jwk, kinds)) else { continue };
            let Ok(key) = DecodingKey::from_jwk(&jwk) else { continue };
            if keys.insert(kid.clone(), (jwk, algorithm, key)).is_some() {
                return Err(KeysError::Twice(kid));
            }
        }
        if keys.is_empty() { Err(KeysError::None) } else { Ok(Self(keys)) }
    }

    pub(crate) fn get(&self, kid: &str) -> Option<(Algorithm, &DecodingKey)> {
        self.0.get(kid).map(|(_, algorithm, key)| (*algorithm, key))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
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
fn algorithm(jwk: &Jwk, kinds: Kinds) -> Option<Algorithm> {
    let said = jwk.common.key_algorithm.as_ref();
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P384 && kinds == Kinds::OpenId => {
            (Algorithm::ES384, KeyAlgorithm::ES384)
        }
        // An RSA key is good for what it says, and for the one that OpenID Connect makes everybody know when it says nothing.
        AlgorithmParameters::RSA(_) if kinds == Kinds::OpenId => match said {
            Some(KeyAlgorithm::PS256) => (Algorithm::PS256, KeyAlgorithm::PS256),
            _ => (Algorithm::RS256, KeyAlgorithm::RS256),
        },
        _ => return None,
    };
    let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let agrees = said.is_none_or(|said| *said == named);
    (for_signatures && agrees).then_some(algorithm)
}
