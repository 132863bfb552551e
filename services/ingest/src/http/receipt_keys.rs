//! The key that signs receipts, and the JWK Set that verifies them: that key, and those before and after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use contracts::receipt::{Claims, RECEIPT_TYP};
use runtime::openapi::JwkSet;
use runtime::signing::{BadSigningKey, PublicKey, SigningKey};
use serde_json::{Value, json};

/// The JWK Set (RFC 7517) that verifies receipts. No token is needed.
#[utoipa::path(
    get,
    path = "/v1/receipt-keys",
    tag = "receipts",
    security(()),
    responses((status = 200, description = "The JWK Set", content_type = "application/jwk-set+json", body = JwkSet))
)]
pub async fn get(service: web::Data<Arc<super::Service>>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header(("Cache-Control", "max-age=300"))
        .body(service.receipt_key.jwks.to_string())
}

/// Why receipts can't be signed or verified.
#[derive(Debug, thiserror::Error)]
pub enum BadReceiptKeys {
    /// A key can't be read.
    #[error(transparent)]
    Key(#[from] BadSigningKey),
    /// A key is named twice: a receipt's `kid` names one key.
    #[error("{path} holds the key {kid}, which is named already")]
    Twice {
        /// The file that holds it again.
        path: String,
        /// Which key.
        kid: String,
    },
}

/// Signs receipts with one Ed25519 key.
pub struct ReceiptKey {
    key: SigningKey,
    header: String,
    /// The JWK Set (RFC 8037): this key, then those beside it.
    pub jwks: Value,
}

impl ReceiptKey {
    /// Reads the key that signs from a PKCS#8 PEM file, and from PEM files the keys that are published beside it. Of those the public
    /// half is enough, and all that should be left of a key that signs no more.
    ///
    /// # Errors
    /// [`BadReceiptKeys`]
    pub fn load(file: &Path, beside: &[PathBuf]) -> Result<Self, BadReceiptKeys> {
        let key = SigningKey::load(file)?;
        let mut keys = vec![key.jwk()];
        for path in beside {
            let other = PublicKey::load(path)?;
            if keys.iter().any(|known| known.get("kid").and_then(Value::as_str) == Some(other.kid())) {
                let kid = other.kid().to_owned();
                return Err(BadReceiptKeys::Twice { path: path.display().to_string(), kid });
            }
            keys.push(other.jwk());
        }
        Ok(Self { header: key.header(RECEIPT_TYP), key, jwks: json!({"keys": keys}) })
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
    use contracts::receipt::{Env, Receipt};
    use contracts::{Hash, Seq, StreamNo};
    use jsonwebtoken::jwk::JwkSet;

    /// RFC 8410, section 10.3: a key, and (10.1) its public half.
    const OLD: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const OLD_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    /// The key of RFC 8032, section 7.1, test 1.
    const NEW: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

    /// The files, in a folder of the test's own.
    fn files() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, pem) in [("old", OLD), ("old.pub", OLD_PUBLIC), ("new", NEW), ("bad", "no PEM at all")] {
            std::fs::write(dir.path().join(name), pem).expect("writes");
        }
        let at = dir.path().to_owned();
        (dir, move |name: &str| at.join(name))
    }

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

    /// What another library makes of a receipt and the keys that are served.
    fn read_elsewhere(jws: &str, keys: &ReceiptKey) -> Option<Claims> {
        let jwks: JwkSet = serde_json::from_value(keys.jwks.clone()).expect("a JWK Set");
        let header = jsonwebtoken::decode_header(jws).expect("a header");
        assert_eq!(header.typ.as_deref(), Some("dsom-receipt+jwt"));
        let jwk = jwks.find(header.kid.as_deref().expect("a kid"))?;
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).expect("a key");
        jsonwebtoken::decode::<Claims>(jws, &key, &rules).ok().map(|signed| signed.claims)
    }

    fn receipt(key: &ReceiptKey) -> Receipt {
        serde_json::from_slice(&key.receipt(&claims()).expect("signs")).expect("a receipt")
    }

    #[test]
    fn another_library_verifies_a_receipt_with_the_jwks() {
        let (_dir, file) = files();
        let key = ReceiptKey::load(&file("new"), &[]).expect("a key");
        let answer = receipt(&key);
        assert_eq!(answer.claims, claims());
        assert_eq!(read_elsewhere(&answer.receipt, &key), Some(claims()));
        assert_eq!(read_elsewhere(&answer.receipt.replacen(".ey", ".eY", 1), &key), None);
    }

    #[test]
    fn receipts_of_every_step_of_a_rotation_verify_with_the_keys_of_every_step_from_the_first_on() {
        let (_dir, file) = files();
        let steps = [("old", "new"), ("new", "old"), ("new", "old.pub")];
        let steps = steps.map(|(signs, beside)| ReceiptKey::load(&file(signs), &[file(beside)]).expect("keys"));
        for signer in &steps {
            for served in &steps {
                assert_eq!(read_elsewhere(&receipt(signer).receipt, served), Some(claims()));
            }
        }
        let alone = ReceiptKey::load(&file("new"), &[]).expect("a key");
        assert_eq!(read_elsewhere(&receipt(&steps[0]).receipt, &alone), None, "this is what the keys beside are for");
    }

    #[test]
    fn a_key_that_stands_twice_or_is_none_is_refused() {
        let (_dir, file) = files();
        for beside in [&["old.pub"][..], &["old"], &["new", "new"]] {
            let beside: Vec<PathBuf> = beside.iter().map(|name| file(name)).collect();
            let refused = ReceiptKey::load(&file("old"), &beside).err().expect("twice");
            let last = beside.last().expect("one").display().to_string();
            assert!(matches!(&refused, BadReceiptKeys::Twice { path, .. } if *path == last), "{refused}");
        }
        for beside in ["bad", "missing"] {
            assert!(matches!(ReceiptKey::load(&file("old"), &[file(beside)]), Err(BadReceiptKeys::Key(_))));
        }
        // The public half alone signs nothing.
        assert!(matches!(ReceiptKey::load(&file("old.pub"), &[]), Err(BadReceiptKeys::Key(_))));
    }
}
