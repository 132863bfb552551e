//! Access tokens: asked for with a signed assertion (RFC 7523), and renewed before they end.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ledger::batch_signature::{Alg, SigningKey};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::pause::Pause;
use crate::token_source::{Renewal, TokenSource};

/// How long an assertion is good for, in seconds: it is used at once.
const ASSERTION_S: u64 = 60;
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Pause after the issuer has refused: a person must do something first, and may.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// Pause after the issuer has granted the token that there was.
const SAME_PAUSE: Duration = Duration::from_secs(1);
/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
    /// The Ed25519 or P-256 key of the client, PKCS#8 DER.
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
    /// There never is another.
    #[error("the token stays as it is")]
    Fixed,
}

impl TokenError {
    /// Whether asking again helps, with nobody doing anything about it.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Sign(_) | Self::Fixed => false,
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
    state: watch::Receiver<State>,
    // The last token that a server did not take.
    refused: watch::Sender<String>,
    renewing: AbortHandle,
}

/// What there is now.
struct State {
    token: String,
    /// Why the last try to renew it failed; `None` while none is needed.
    failure: Option<Arc<TokenError>>,
}

impl Tokens {
    /// Asks for a first token, and goes on to renew it when four fifths of its time have passed, or when it is refused. A renewal that
    /// fails is tried again for ever. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`TokenError`]: the issuer refuses. One that does not answer is asked again, for ever.
    pub async fn start(config: TokenConfig) -> Result<Arc<Self>, TokenError> {
        let http = reqwest::Client::builder().timeout(TRY_TIMEOUT).build();
        let http = http.map_err(|source| TokenError::Unreachable { endpoint: config.endpoint.clone(), source })?;
        let first = wait(&http, &config).await?;
        let due = Due::after(first.expires_in);
        let (told, state) = watch::channel(State { token: first.access_token, failure: None });
        let (refused, hears) = watch::channel(String::new());
        let renewing = tokio::spawn(renew(http, config, due, told, hears)).abort_handle();
        Ok(Arc::new(Self { state, refused, renewing }))
    }

    /// The token now.
    pub fn token(&self) -> String {
        self.state.borrow().token.clone()
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl TokenSource for Tokens {
    fn token(&self) -> String {
        self.token()
    }

    fn renew<'a>(&'a self, refused: &'a str) -> Renewal<'a> {
        Box::pin(async move {
            let mut state = self.state.clone();
            if state.borrow().token == refused {
                self.refused.send_replace(refused.to_owned());
            }
            let known = state.wait_for(|state| state.token != refused || state.failure.is_some()).await;
            match known.ok().and_then(|state| state.failure.clone().filter(|_| state.token == refused)) {
                Some(failure) => Err(failure),
                None => Ok(()),
            }
        })
    }
}

/// Renews the token when it is time, or when it was refused; tells of each try.
async fn renew(
    http: reqwest::Client,
    config: TokenConfig,
    mut due: Due,
    state: watch::Sender<State>,
    mut refused: watch::Receiver<String>,
) {
    loop {
        let token = state.borrow().token.clone();
        tokio::select! {
            () = due.wait() => {}
            _ = refused.wait_for(|refused| *refused == token) => {}
        }
        let mut pause = Pause::new(PAUSE_MAX);
        loop {
            match ask(&http, &config).await {
                Ok(granted) => {
                    due = Due::after(granted.expires_in);
                    let is_same = granted.access_token == token;
                    state.send_replace(State { token: granted.access_token, failure: None });
                    if is_same {
                        sleep(SAME_PAUSE).await;
                    }
                    break;
                }
                Err(error) => {
                    // The old one is good for a while; who is refused with it learns why.
                    let wait = pause.next((!error.is_passing()).then_some(REFUSED_PAUSE));
                    tracing::warn!(error = &error as &dyn std::error::Error, "the token could not be renewed yet");
                    let failure = Some(Arc::new(error));
                    state.send_modify(|state| state.failure = failure);
                    sleep(wait).await;
                }
            }
        }
    }
}

/// When a token is to be renewed: by the clock on the wall, since a timer stands still while the machine is suspended, or by the timer,
/// since a clock may be set back.
struct Due {
    wall: SystemTime,
    timer: Instant,
}

impl Due {
    /// After four fifths of a life.
    fn after(life_s: u64) -> Self {
        let passed = Duration::from_secs((life_s * 4 / 5).max(1));
        Self { wall: SystemTime::now() + passed, timer: Instant::now() + passed }
    }

    fn is_over(&self, wall: SystemTime, timer: Instant) -> bool {
        wall >= self.wall || timer >= self.timer
    }

    async fn wait(&self) {
        while !self.is_over(SystemTime::now(), Instant::now()) {
            sleep(LOOK_EVERY.min(self.timer.saturating_duration_since(Instant::now()))).await;
        }
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
    let (algorithm, key) = signer(&config.key_der);
    let header = Header { kid: Some(config.kid.clone()), ..Header::new(algorithm) };
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

/// The one algorithm of a key. What is no key at all is refused when it is to sign.
fn signer(der: &[u8]) -> (Algorithm, EncodingKey) {
    match SigningKey::from_pkcs8_der(der).map(|key| key.verifying_key().kind()) {
        Ok(Alg::EcdsaP256Sha256) => (Algorithm::ES256, EncodingKey::from_ec_der(der)),
        _ => (Algorithm::EdDSA, EncodingKey::from_ed_der(der)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_signed_with_the_algorithm_of_the_key() {
        let vectors = include_str!("../../../contracts/vectors/batch-signatures.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
        for (name, algorithm) in [("ed25519", Algorithm::EdDSA), ("p256", Algorithm::ES256)] {
            let key = &vectors["keys"][name];
            let der = data_encoding::BASE64.decode(key["pkcs8"].as_str().expect("a key").as_bytes()).expect("base64");
            let config = TokenConfig {
                endpoint: String::new(),
                issuer: "https://issuer.test".into(),
                client_id: "dsom_live_test".into(),
                kid: "k1".into(),
                key_der: der,
                scope: String::new(),
            };
            let form = form(&config).expect("signed");
            let (_, assertion) = form.split_once("&client_assertion=").expect("an assertion");
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key["jwk"].clone()).expect("a JWK");
            let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a public key");
            let mut rules = jsonwebtoken::Validation::new(algorithm);
            rules.set_audience(&["https://issuer.test"]);
            let read = jsonwebtoken::decode::<serde_json::Value>(assertion, &public, &rules).expect("verifies");
            assert_eq!((read.claims["sub"].as_str(), read.header.kid.as_deref()), (Some("dsom_live_test"), Some("k1")));
        }
    }

    #[test]
    fn a_token_is_renewed_by_whichever_clock_is_first() {
        let due = Due::after(600);
        let (wall, timer) = (due.wall, due.timer);
        let second = Duration::from_secs(1);
        assert!(!due.is_over(wall - second, timer - second));
        // The machine was suspended: the timer did not go on.
        assert!(due.is_over(wall, timer - 479 * second));
        // The clock was set back.
        assert!(due.is_over(wall - 3_600 * second, timer));
        let began = Instant::now();
        assert!(Due::after(600).timer >= began + 480 * second, "four fifths of ten minutes");
    }
}
