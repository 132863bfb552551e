//! The key that signs receipts, and the JWK Set that verifies them.

use std::path::Path;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use contracts::receipt::{Claims, RECEIPT_TYP};
use runtime::signing::{BadSigningKey, SigningKey};

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

/// Signs receipts with one Ed25519 key.
pub struct ReceiptKey {
    key: SigningKey,
    header: String,
}

impl ReceiptKey {
    /// Reads a key from a PKCS#8 PEM file.
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn load(file: &Path) -> Result<Self, BadSigningKey> {
        SigningKey::load(file).map(Self::new)
    }

    fn new(key: SigningKey) -> Self {
        Self { header: key.header(RECEIPT_TYP), key }
    }

    /// The public key as a JWK Set (RFC 8037).
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({"keys": [self.key.jwk()]})
    }

    /// The JSON of a [`contracts::receipt::Receipt`] with these claims.
    ///
    /// # Errors
    /// The claims have no JSON form, which their type rules out.
    pub fn receipt(&self, claims: &Claims) -> Result<Vec<u8>, serde_json::Error> {
        let claims = serde_json::to_vec(claims)?;
        let jws = self.key.jws(&self.header, &claims);
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
    use aws_lc_rs::signature::Ed25519KeyPair;
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
        let key = ReceiptKey::new(SigningKey::new(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a key")));
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
}
