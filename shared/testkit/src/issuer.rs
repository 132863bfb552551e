//! An issuer of access tokens as the services expect them, with a key of the test's own.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::OperatorId;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// `iss` of the tokens.
pub const ISSUER: &str = "https://issuer.dsom.test";
/// `aud` of the tokens.
pub const AUDIENCE: &str = "dsom";

/// Signs tokens with an Ed25519 key that it makes up.
pub struct Issuer {
    key: SigningKey,
    kid: String,
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

impl Issuer {
    /// One with a new key.
    pub fn new() -> Self {
        let key = SigningKey::from_bytes(&rand::random());
        let kid = URL_SAFE_NO_PAD.encode(&key.verifying_key().as_bytes()[..8]);
        Self { key, kid }
    }

    /// Its public key, as a JWK Set.
    pub fn jwks(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x}]})
    }

    /// Writes the JWK Set to a file.
    pub fn write_jwks(&self, path: &Path) {
        std::fs::write(path, self.jwks().to_string()).unwrap();
    }

    /// A token of an operator, good for an hour; `scopes` are separated by spaces.
    pub fn token(&self, operator: OperatorId, scopes: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.sign(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": operator.to_string(), "scope": scopes,
            "iat": now, "nbf": now - 5, "exp": now + 3600,
        }))
    }

    /// A token with any claims: for what must be refused.
    pub fn sign(&self, claims: &Value) -> String {
        let (kid, typ) = (Some(self.kid.clone()), Some("at+jwt".to_owned()));
        let header = Header { kid, typ, ..Header::new(Algorithm::EdDSA) };
        let der = self.key.to_pkcs8_der().unwrap();
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_bytes())).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_tokens_verify_with_its_jwks() {
        let issuer = Issuer::new();
        let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().unwrap();
        let token = issuer.token(operator, "records:write");
        let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(issuer.jwks()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwks.keys[0]).unwrap();
        let mut rules = jsonwebtoken::Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap().claims;
        assert_eq!(claims["sub"], operator.to_string());
    }
}
