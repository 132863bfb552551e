//! Access tokens: asked for with a signed assertion (RFC 7523), and renewed before they end.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::json;

use crate::pause::Pause;

/// How long an assertion is good for, in seconds: it is used at once.
const ASSERTION_S: u64 = 60;
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How tokens are asked for.
#[derive(Clone)]
pub struct TokenConfig {
    /// Address of the token endpoint.
    pub endpoint: String,
    /// The issuer: audience of assertions.
    pub issuer: String,
    /// `dsom_live_…` or `dsom_test_…`.
    pub client_id: String,
    /// Names the key: its RFC 7638 thumbprint.
    pub kid: String,
    /// The Ed25519 key of the client, PKCS#8 DER.
    pub key_der: Vec<u8>,
    /// What is asked for, separated by spaces; empty: all that may be had.
    pub scope: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key signs nothing.
    #[error("the assertion could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The issuer does not answer.
    #[error("could not reach {endpoint}")]
    Unreachable {
        /// Where.
        endpoint: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The issuer refuses (RFC 6749 section 5.2).
    #[error("no token: {error}: {description}")]
    Refused {
        /// Its code.
        error: String,
        /// What is wrong.
        description: String,
    },
}

impl TokenError {
    /// Whether asking again may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Sign(_) => false,
            Self::Unreachable { .. } => true,
            Self::Refused { error, .. } => error == "temporarily_unavailable",
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

/// A token that is renewed for as long as somebody holds this.
pub struct Tokens {
    current: RwLock<String>,
}

impl Tokens {
    /// Asks for a first token, and goes on to renew it when four fifths of its time have passed. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`TokenError`]: the issuer refuses. One that does not answer is asked again, for ever.
    pub async fn start(config: TokenConfig) -> Result<Arc<Self>, TokenError> {
        let http = reqwest::Client::builder().timeout(TRY_TIMEOUT).build();
        let http = http.map_err(|source| TokenError::Unreachable { endpoint: config.endpoint.clone(), source })?;
        let first = wait(&http, &config).await?;
        let tokens = Arc::new(Self { current: RwLock::new(first.access_token) });
        let (weak, mut life_s) = (Arc::downgrade(&tokens), first.expires_in);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(life_s * 4 / 5)).await;
                if weak.strong_count() == 0 {
                    return;
                }
                match wait(&http, &config).await {
                    Ok(granted) => {
                        let Some(tokens) = weak.upgrade() else { return };
                        *tokens.current.write().unwrap_or_else(PoisonError::into_inner) = granted.access_token;
                        life_s = granted.expires_in;
                    }
                    Err(error) => {
                        // The old one is good for a while; then requests are refused, which says why.
                        tracing::error!(error = &error as &dyn std::error::Error, "the token could not be renewed");
                        return;
                    }
                }
            }
        });
        Ok(tokens)
    }

    /// The token now.
    pub fn token(&self) -> String {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn wait(http: &reqwest::Client, config: &TokenConfig) -> Result<Granted, TokenError> {
    let mut pause = Pause::new(PAUSE_MAX);
    loop {
        match ask(http, config).await {
            Err(error) if error.is_passing() => {
                tracing::debug!(error = &error as &dyn std::error::Error, "asking for a token again");
                tokio::time::sleep(pause.next(None)).await;
            }
            known => return known,
        }
    }
}

async fn ask(http: &reqwest::Client, config: &TokenConfig) -> Result<Granted, TokenError> {
    let body = form(config)?;
    let unreachable = |source| TokenError::Unreachable { endpoint: config.endpoint.clone(), source };
    let request = http.post(&config.endpoint).header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.map_err(unreachable)?;
    if answer.status().is_success() {
        return answer.json().await.map_err(unreachable);
    }
    let status = answer.status();
    let Refused { error, error_description } = answer.json().await.unwrap_or_default();
    let passing = status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS;
    let error = if passing { "temporarily_unavailable".to_owned() } else { error };
    Err(TokenError::Refused { error, description: error_description })
}

/// The form of a request: all but the scope is made of characters that need no escape.
fn form(config: &TokenConfig) -> Result<String, TokenError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({
        "iss": config.client_id, "sub": config.client_id, "aud": config.issuer,
        "iat": now, "exp": now + ASSERTION_S, "jti": format!("{:032x}", rand::random::<u128>()),
    });
    let header = Header { kid: Some(config.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    let key = EncodingKey::from_ed_der(&config.key_der);
    let assertion = jsonwebtoken::encode(&header, &claims, &key).map_err(TokenError::Sign)?;
    let scope = match config.scope.as_str() {
        "" => String::new(),
        scope => format!("&scope={}", scope.replace(' ', "+").replace(':', "%3A")),
    };
    Ok(format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={assertion}{scope}"
    ))
}
