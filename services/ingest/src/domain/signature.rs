//! Whether a batch is signed as its operator must sign it: by a key of the register that may be used, just now, over this very root.

use contracts::receipt::Env;
use contracts::registry::{KeyStanding, OperatorStanding};
use contracts::{Hash, UnixMillis};
use ledger::batch_signature::{BadKey, BadSignature, BatchSignature, Covered, StoredSignature, VerifyingKey};

/// How far from now a signature may have been made, either way: an old one may be another's that was kept.
pub const CREATED_APART_S_MAX: i64 = 300;

/// What of a request a signature is about.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `Signature-Input`.
    pub input: &'a str,
    /// `Signature`.
    pub signature: &'a str,
    /// The request's path, and its query if it has one.
    pub path: &'a str,
    /// `Content-Type`, as sent.
    pub content_type: &'a str,
    /// `DSOM-Batch-Root`.
    pub root: Hash,
}

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSigned {
    /// A header that must be there is missing, or has more than one line.
    #[error("a signed batch has exactly one line of {0}")]
    Header(&'static str),
    /// Not of the profile, or not of this batch.
    #[error("{0}")]
    Signature(#[source] BadSignature),
    /// The register has no such key of the operator in this world.
    #[error("keyid {kid:?} is no key of the operator in {env} that is not revoked")]
    UnknownKey {
        /// What was named.
        kid: String,
        /// The world.
        env: &'static str,
    },
    /// The key is registered for another time.
    #[error("the key may be used from {not_before} to {expires}, the signature is of {created}")]
    KeyTime {
        /// From when.
        not_before: UnixMillis,
        /// Up to when.
        expires: UnixMillis,
        /// When it was made.
        created: UnixMillis,
    },
    /// Made too long ago, or in the future.
    #[error(
        "the signature was made {apart_s} s away from now, {CREATED_APART_S_MAX} s are allowed: sign each try anew"
    )]
    Created {
        /// How far away.
        apart_s: i64,
    },
    /// The registered key can't sign batches.
    #[error("{0}")]
    Key(#[source] BadKey),
}

impl BadSigned {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Signature(error) => error.code(),
            Self::UnknownKey { .. } => "unknown-key",
            Self::KeyTime { .. } => "key-time",
            Self::Created { .. } => "created-apart",
            Self::Key(error) => error.code(),
        }
    }
}

/// Checks a signature; gives it as it is kept.
///
/// # Errors
/// [`BadSigned`]
pub fn check(signed: Signed<'_>, standing: &OperatorStanding, env: Env, now: UnixMillis) -> Result<String, BadSigned> {
    let covered = Covered::new(signed.path, signed.content_type, signed.root).map_err(BadSigned::Signature)?;
    let signature = BatchSignature::parse(signed.input, signed.signature).map_err(BadSigned::Signature)?;
    let apart_s = signature.created_s() - now.0.div_euclid(1_000);
    if apart_s.abs() > CREATED_APART_S_MAX {
        return Err(BadSigned::Created { apart_s });
    }
    let key = key(standing, signature.keyid().as_str(), env, UnixMillis(signature.created_s() * 1_000))?;
    signature.verify(&key, &covered).map_err(BadSigned::Signature)?;
    Ok(StoredSignature::new(&covered, signature).to_text())
}

/// The key with a name that may be used at a time.
fn key(standing: &OperatorStanding, kid: &str, env: Env, created: UnixMillis) -> Result<VerifyingKey, BadSigned> {
    let known = standing.keys.iter().find(|key| key.kid == kid && key.env == env);
    let KeyStanding { jwk, not_before, expires, .. } =
        known.ok_or_else(|| BadSigned::UnknownKey { kid: kid.to_owned(), env: env.as_str() })?;
    if created < *not_before || *expires <= created {
        return Err(BadSigned::KeyTime { not_before: *not_before, expires: *expires, created });
    }
    let member = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
    let text = |name| member(name).unwrap_or_default();
    VerifyingKey::from_jwk(text("kty"), text("crv"), text("x"), member("y")).map_err(BadSigned::Key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use ledger::batch_signature::SigningKey;
    use serde_json::json;
    use testkit::register::{key, standing};

    const NOW: UnixMillis = UnixMillis(1_792_864_829_498);
    const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn registered() -> OperatorStanding {
        let mut standing = standing("13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID"));
        // The public half of RFC 8410 section 10.3, by its section 10.1.
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"});
        standing.keys.push(key(KID, jwk));
        standing
    }

    fn signed_at(created_s: i64, kid: &str) -> BatchSignature {
        let der = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        let der = base64::engine::general_purpose::STANDARD.decode(der).expect("base64");
        let covered =
            Covered::new("/v1/streams/7/batches", "application/x-ndjson", Hash([7; 32])).expect("can be signed");
        let key = SigningKey::from_pkcs8_der(&der).expect("a key");
        key.sign(&covered, created_s, &kid.parse().expect("a key id")).expect("signs")
    }

    /// Checks a signature of the key against what `change` makes of the register.
    fn checked(created_s: i64, kid: &str, change: impl FnOnce(&mut OperatorStanding)) -> Result<String, &'static str> {
        let (mut standing, signature) = (registered(), signed_at(created_s, kid));
        change(&mut standing);
        let (input, signature) = (signature.signature_input(), signature.signature());
        let signed = Signed {
            input: &input,
            signature: &signature,
            path: "/v1/streams/7/batches",
            content_type: "application/x-ndjson",
            root: Hash([7; 32]),
        };
        check(signed, &standing, Env::Test, NOW).map_err(|error| error.code())
    }

    #[test]
    fn only_a_key_of_the_register_signs_and_only_now() {
        let now_s = NOW.0 / 1_000;
        for created_s in [now_s - 300, now_s, now_s + 300] {
            let text = checked(created_s, KID, |_| ()).expect("good");
            let kept = StoredSignature::from_text(&text).expect("reads");
            assert_eq!((kept.path(), kept.signature().created_s()), ("/v1/streams/7/batches", created_s));
        }
        assert_eq!(checked(now_s - 301, KID, |_| ()), Err("created-apart"));
        assert_eq!(checked(now_s + 301, KID, |_| ()), Err("created-apart"));
        assert_eq!(checked(0, KID, |_| ()), Err("created-apart"));
        assert_eq!(checked(now_s, "another", |_| ()), Err("unknown-key"));
        assert_eq!(checked(now_s, KID, |standing| standing.keys.clear()), Err("unknown-key"));
        assert_eq!(checked(now_s, KID, |standing| standing.keys[0].env = Env::Live), Err("unknown-key"));
        let begins = |ms| move |standing: &mut OperatorStanding| standing.keys[0].not_before = UnixMillis(ms);
        assert_eq!(checked(now_s, KID, begins(now_s * 1_000 + 1)), Err("key-time"));
        assert!(checked(now_s, KID, begins(now_s * 1_000)).is_ok());
        let ends = |ms| move |standing: &mut OperatorStanding| standing.keys[0].expires = UnixMillis(ms);
        assert_eq!(checked(now_s, KID, ends(now_s * 1_000)), Err("key-time"));
        let jwk = |jwk| move |standing: &mut OperatorStanding| standing.keys[0].jwk = jwk;
        assert_eq!(checked(now_s, KID, jwk(json!({"kty": "RSA"}))), Err("kind"));
        let other = json!({"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"});
        assert_eq!(checked(now_s, KID, jwk(other)), Err("mismatch"));
    }
}
