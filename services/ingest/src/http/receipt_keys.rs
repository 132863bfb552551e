//! The key that signs receipts, and the JWK Set that verifies them.

use std::path::Path;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::receipt::{Claims, RECEIPT_TYP};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The JWK Set (RFC 7517) that verifies receipts. No token is needed.
#[utoipa::path(
    get,
    path = "/v1/receipt-keys",
    tag = "receipts",
    security(()),
    responses((status = 200, description = "The JWK Set", content_type = "application/jwk-set+json", body = Object))
)]
pub async fn get(service: web::Data<Arc<super::Service>>) -> HttpResponse {
    let keys = service.receipt_key.jwks().to_string();
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header(("Cache-Control", "max-age=300"))
        .body(keys)
}

/// Why receipts can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum BadReceiptKey {
    /// The file can't be read.
    #[error("the receipt key {path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no Ed25519 key in PKCS#8 PEM.
    #[error("the receipt key {path} is no Ed25519 key in PKCS#8 PEM: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Signs receipts with one Ed25519 key.
pub struct ReceiptKey {
    key: Ed25519KeyPair,
    kid: String,
    /// The JWS header, encoded, with its dot.
    header: String,
}

impl ReceiptKey {
    /// Reads a key from a PKCS#8 PEM file.
    ///
    /// # Errors
    /// [`BadReceiptKey`]
    pub fn load(file: &Path) -> Result<Self, BadReceiptKey> {
        let path = file.display().to_string();
        let pem = match std::fs::read(file) {
            Ok(pem) => pem,
            Err(source) => return Err(BadReceiptKey::Read { path, source }),
        };
        let der = match PrivatePkcs8KeyDer::from_pem_slice(&pem) {
            Ok(der) => der,
            Err(error) => return Err(BadReceiptKey::Parse { path, reason: error.to_string() }),
        };
        // A key that was written without its public half (RFC 8410) is as good.
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()) {
            Ok(key) => Ok(Self::new(key)),
            Err(error) => Err(BadReceiptKey::Parse { path, reason: error.to_string() }),
        }
    }

    fn new(key: Ed25519KeyPair) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.public_key());
        // RFC 7638: the members a key of this kind must have, in order, hashed.
        let thumbprint = ledger::block_hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint.0);
        let header = format!(r#"{{"alg":"EdDSA","typ":"{RECEIPT_TYP}","kid":"{kid}"}}"#);
        let header = URL_SAFE_NO_PAD.encode(header) + ".";
        Self { key, kid, header }
    }

    /// The public key as a JWK Set (RFC 8037).
    pub fn jwks(&self) -> serde_json::Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        serde_json::json!({
            "keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x}]
        })
    }

    /// The JSON of a [`contracts::receipt::Receipt`] with these claims.
    ///
    /// # Errors
    /// The claims have no JSON form, which their type rules out.
    pub fn receipt(&self, claims: &Claims) -> Result<Vec<u8>, serde_json::Error> {
        let claims = serde_json::to_vec(claims)?;
        let mut jws = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96);
        jws.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(&claims, &mut jws);
        let signature = self.key.sign(jws.as_bytes());
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
        let mut out = Vec::with_capacity(jws.len() + claims.len() + 32);
        out.extend_from_slice(br#"{"receipt":""#);
        out.extend_from_slice(jws.as_bytes());
        out.extend_from_slice(br#"","claims":"#);
        out.extend_from_slice(&claims);
        out.push(b'}');
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::receipt::{Env, Receipt};
    use contracts::{Hash, Seq, StreamNo};

    fn claims() -> Claims {
        Claims {
            iss: "https://receipts.example".into(),
            operator: "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID"),
            stream: StreamNo(3),
            first_seq: Seq::FIRST,
            last_seq: Seq::FIRST,
            count: 1,
            root: Hash([7; 32]),
            accepted_at: "2026-10-24T18:00:29.498Z".into(),
            env: Env::Test,
        }
    }

    #[test]
    fn another_library_verifies_a_receipt_with_the_jwks() {
        let key = ReceiptKey::new(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a key"));
        let answer: Receipt = serde_json::from_slice(&key.receipt(&claims()).expect("signs")).expect("a receipt");
        assert_eq!(answer.claims, claims());
        let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(key.jwks()).expect("a JWK Set");
        let header = jsonwebtoken::decode_header(&answer.receipt).expect("a header");
        assert_eq!(header.typ.as_deref(), Some("dsom-receipt+jwt"));
        let jwk = jwks.find(header.kid.as_deref().expect("a kid")).expect("the key");
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let verify = |token: &str| {
            jsonwebtoken::decode::<Claims>(token, &jsonwebtoken::DecodingKey::from_jwk(jwk).expect("a key"), &rules)
        };
        assert_eq!(verify(&answer.receipt).expect("verifies").claims, claims());
        let forged = answer.receipt.replacen(".ey", ".eY", 1);
        assert!(verify(&forged).is_err());
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037 appendix A.1 and A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let key = ReceiptKey::new(Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key"));
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.jwks()["keys"][0]["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }

    #[test]
    fn keys_that_are_none_are_refused_with_their_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("missing.pem");
        assert!(matches!(ReceiptKey::load(&missing), Err(BadReceiptKey::Read { .. })));
        let bad = dir.path().join("bad.pem");
        std::fs::write(&bad, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").expect("writes");
        assert!(matches!(ReceiptKey::load(&bad), Err(BadReceiptKey::Parse { .. })));
    }
}
