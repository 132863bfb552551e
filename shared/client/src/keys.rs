//! Receipts checked: signature, claims, root.

use contracts::StreamNo;
use contracts::receipt::{Claims, RECEIPT_TYP, Receipt};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::{Batch, Config};

/// The public keys that receipts are signed with.
pub struct ReceiptKeys(JwkSet);

/// Why a receipt is not what was promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// The header does not name a known key, or another type or algorithm.
    #[error("the receipt's header is wrong: {0}")]
    Header(String),
    /// The signature does not verify.
    #[error("the receipt's signature does not verify: {0}")]
    Signature(String),
    /// What is signed is not what stands beside it.
    #[error("the signed claims differ from the open ones")]
    Claims,
    /// The claims are about something else than what was sent.
    #[error("the receipt says {name} {found}, sent was {sent}")]
    Differs {
        /// Name of the claim.
        name: &'static str,
        /// What the receipt says.
        found: String,
        /// What was sent.
        sent: String,
    },
}

impl ReceiptKeys {
    /// Reads a JWK Set (RFC 7517).
    ///
    /// # Errors
    /// The JSON is not a JWK Set.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json).map(Self)
    }

    /// Whether a receipt names a key that is not in the set: a newer set may have it.
    pub fn lack_key_of(&self, receipt: &Receipt) -> bool {
        let kid = jsonwebtoken::decode_header(&receipt.receipt).ok().and_then(|header| header.kid);
        kid.is_some_and(|kid| self.0.find(&kid).is_none())
    }

    /// Checks the signature; the claims are then the signer's.
    ///
    /// # Errors
    /// [`BadReceipt`] but for [`BadReceipt::Differs`].
    pub fn verify(&self, receipt: &Receipt) -> Result<Claims, BadReceipt> {
        let wrong = |what: &str| BadReceipt::Header(what.to_owned());
        let header =
            jsonwebtoken::decode_header(&receipt.receipt).map_err(|error| BadReceipt::Header(error.to_string()))?;
        if header.typ.as_deref() != Some(RECEIPT_TYP) || header.alg != Algorithm::EdDSA {
            return Err(wrong("typ or alg is not that of a receipt"));
        }
        // RFC 7515 section 4.1.11: what is critical and not understood makes it invalid. Nothing of that kind is understood.
        if header.crit.is_some() {
            return Err(wrong("it has critical headers"));
        }
        let jwk = header.kid.as_deref().and_then(|kid| self.0.find(kid)).ok_or_else(|| wrong("unknown kid"))?;
        let key = DecodingKey::from_jwk(jwk).map_err(|error| BadReceipt::Header(error.to_string()))?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // A receipt has no end and is for everybody.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let signed = jsonwebtoken::decode::<Claims>(&receipt.receipt, &key, &validation)
            .map_err(|error| BadReceipt::Signature(error.to_string()))?;
        if signed.claims != receipt.claims {
            return Err(BadReceipt::Claims);
        }
        Ok(signed.claims)
    }

    /// Checks that a receipt is the promise for exactly this batch.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify_for(
        &self,
        receipt: &Receipt,
        config: &Config,
        stream: StreamNo,
        batch: &Batch,
    ) -> Result<Claims, BadReceipt> {
        let claims = self.verify(receipt)?;
        let facts = [
            ("operator", claims.operator.to_string(), config.operator.to_string()),
            ("env", claims.env.as_str().to_owned(), config.env.as_str().to_owned()),
            ("stream", claims.stream.to_string(), stream.to_string()),
            ("first_seq", claims.first_seq.to_string(), batch.first_seq.to_string()),
            ("last_seq", claims.last_seq.to_string(), batch.last_seq().to_string()),
            ("count", claims.count.to_string(), batch.count.to_string()),
            ("root", claims.root.to_string(), batch.root.to_string()),
        ];
        match facts.into_iter().find(|(_, found, sent)| found != sent) {
            Some((name, found, sent)) => Err(BadReceipt::Differs { name, found, sent }),
            None => Ok(claims),
        }
    }
}
