//! Tokens bound to a client's certificate (RFC 8705): the certificate comes from the proxy that ends TLS, in `Client-Cert` (RFC 9440).

use std::sync::OnceLock;

use actix_web::http::header::HeaderMap;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use contracts::problems::Code;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ApiError;

/// The header, and how long it may be, in bytes.
const HEADER: &str = "client-cert";
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Longest header that is remembered with its token, in bytes: ten thousand tokens remember some 20 MB at most. Others are hashed
/// with each request.
const REMEMBERED_BYTES_MAX: usize = 2 * 1024;
/// The member of `cnf` that holds the thumbprint (RFC 8705 section 3.1).
const THUMBPRINT: &str = "x5t#S256";

/// Where the client's certificate is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCert {
    /// Nowhere: no token is bound, and a bound one is refused, since it can't be checked.
    #[default]
    Ignore,
    /// From the header `Client-Cert`. Only behind a proxy that strips it from what comes in: else anybody can claim any certificate.
    Header,
}

/// SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint([u8; 32]);

/// Why a header holds no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClientCert {
    /// It is there more than once (RFC 9440 section 2.2: it must not be).
    #[error("Client-Cert is there twice")]
    Twice,
    /// It is longer than certificates are.
    #[error("Client-Cert has more than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// It is not of its form.
    #[error("Client-Cert is not a byte sequence `:base64:` of one certificate in DER")]
    Form,
}

impl From<BadClientCert> for ApiError {
    fn from(error: BadClientCert) -> Self {
        Self::new(Code::BadRequest, error.to_string())
    }
}

impl ClientCert {
    /// The thumbprint of the certificate that a request came with, if it is to be looked at and there is one.
    ///
    /// # Errors
    /// [`BadClientCert`]
    pub fn thumbprint(self, headers: &HeaderMap) -> Result<Option<Thumbprint>, BadClientCert> {
        match self {
            Self::Ignore => Ok(None),
            Self::Header => raw(headers)?.map(Thumbprint::of_header).transpose(),
        }
    }
}

impl Thumbprint {
    /// `cnf` of a token that is bound to the certificate (RFC 8705 section 3.1).
    pub fn cnf(&self) -> Value {
        json!({THUMBPRINT: URL_SAFE_NO_PAD.encode(self.0)})
    }

    fn of_header(value: &[u8]) -> Result<Self, BadClientCert> {
        // RFC 8941 section 4.2.7 asks to be lenient with padding and with bits that are left over.
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new()
                .with_decode_padding_mode(DecodePaddingMode::Indifferent)
                .with_decode_allow_trailing_bits(true),
        );
        let inner = value.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":")).ok_or(BadClientCert::Form)?;
        let der = LENIENT.decode(inner).map_err(|_| BadClientCert::Form)?;
        if !is_one_sequence(&der) {
            return Err(BadClientCert::Form);
        }
        let hash = digest(&SHA256, &der).as_ref().try_into();
        hash.map(Self).map_err(|_| BadClientCert::Form)
    }
}

/// The bytes of the one header.
fn raw(headers: &HeaderMap) -> Result<Option<&[u8]>, BadClientCert> {
    let mut all = headers.get_all(HEADER);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(BadClientCert::Twice),
        (Some(one), None) if one.len() > HEADER_BYTES_MAX => Err(BadClientCert::TooLong),
        (Some(one), None) => Ok(Some(one.as_bytes())),
    }
}

/// Whether bytes are one DER SEQUENCE, as a certificate is: what is cut short, or is PEM, or two, is a fault of the proxy's settings
/// that should be seen.
fn is_one_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, length @ 0..=0x7f, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x81, length, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    }
}

/// What a token is bound to: `cnf` of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binding {
    thumbprint: Thumbprint,
    /// The first header that had it: the same bytes need not be hashed again.
    seen: OnceLock<Box<[u8]>>,
}

impl Binding {
    /// From `cnf`. `None`: it asks for another proof than a certificate, which is not known here.
    pub(super) fn of_cnf(cnf: &Value) -> Option<Self> {
        let members = cnf.as_object()?;
        let (Some(text), 1) = (members.get(THUMBPRINT)?.as_str(), members.len()) else { return None };
        let thumbprint = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self { thumbprint: Thumbprint(thumbprint), seen: OnceLock::new() })
    }

    /// Holds the certificate of a request against it.
    ///
    /// # Errors
    /// 401 `unauthorized` with `reason`, 400 `bad-request`: [`BadClientCert`].
    pub(super) fn check(&self, from: ClientCert, headers: &HeaderMap) -> Result<(), ApiError> {
        if from == ClientCert::Ignore {
            let why = "the token is bound to a certificate, and this service is not told the client's";
            return Err(refused("certificate-not-checked", why));
        }
        let Some(value) = raw(headers)? else {
            return Err(refused("certificate-missing", "the token is bound to a certificate, and came without one"));
        };
        if self.seen.get().is_some_and(|seen| **seen == *value) {
            return Ok(());
        }
        if Thumbprint::of_header(value)? != self.thumbprint {
            return Err(refused("certificate-other", "the token is bound to another certificate than the client's"));
        }
        if value.len() <= REMEMBERED_BYTES_MAX {
            // Another thread may have been first: then it has the same certificate.
            let _ = self.seen.set(value.into());
        }
        Ok(())
    }
}

fn refused(reason: &str, detail: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, detail).with("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use std::time::Instant;

    /// RFC 9440 appendix A, figure 2. `base64 -d | openssl dgst -sha256 -binary | basenc --base64url` of what is between the colons:
    /// v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes=
    const RFC_9440: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    const RFC_9440_THUMBPRINT: &str = "v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes";
    /// RFC 8705 appendix A: the certificate of figure 6, whose thumbprint is in the `cnf` of figure 5.
    const RFC_8705: &str = ":MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=:";
    const RFC_8705_THUMBPRINT: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(HEADER), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn read(values: &[&str]) -> Result<Option<Thumbprint>, BadClientCert> {
        ClientCert::Header.thumbprint(&headers(values))
    }

    fn binding(thumbprint: &str) -> Binding {
        Binding::of_cnf(&json!({"x5t#S256": thumbprint})).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfcs_have_their_thumbprints() {
        for (header, thumbprint) in [(RFC_9440, RFC_9440_THUMBPRINT), (RFC_8705, RFC_8705_THUMBPRINT)] {
            assert_eq!(read(&[header]).unwrap().unwrap().cnf(), json!({"x5t#S256": thumbprint}));
            // Without padding it is the same (RFC 8941 section 4.2.7).
            assert_eq!(read(&[&header.replace('=', "")]), read(&[header]));
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[RFC_9440, RFC_9440]), Err(BadClientCert::Twice));
        assert_eq!(read(&[&format!(":{}:", "M".repeat(HEADER_BYTES_MAX))]), Err(BadClientCert::TooLong));
        let bare = RFC_9440.trim_matches(':');
        let list = format!("{RFC_9440}, {RFC_8705}");
        let (parameter, cut, two) =
            (format!("{RFC_9440};a"), format!(":{}:", &bare[..400]), format!(":{}{bare}:", &bare[..568]));
        let pem = "-----BEGIN%20CERTIFICATE-----%0AMIIB";
        for bad in ["", ":", "::", ":=:", ":MI IB:", ":MIIB%0A:", ":AAAA:", pem, bare, &list, &parameter, &cut, &two] {
            assert_eq!(read(&[bad]), Err(BadClientCert::Form), "{bad:?}");
        }
        // Nothing is looked at where it is not to be looked at.
        assert_eq!(ClientCert::Ignore.thumbprint(&headers(&["x", "y"])), Ok(None));
    }

    #[test]
    fn a_bound_token_needs_its_certificate_in_every_setting() {
        let bound = binding(RFC_9440_THUMBPRINT);
        let check = |from: ClientCert, values: &[&str]| bound.check(from, &headers(values));
        let said = |answer: Result<(), ApiError>, code: Code, words: &str| {
            let error = answer.unwrap_err();
            assert!(error.code == code && error.detail.contains(words), "{error}");
        };
        for _ in 0..2 {
            check(ClientCert::Header, &[RFC_9440]).unwrap();
            said(check(ClientCert::Header, &[RFC_8705]), Code::Unauthorized, "another certificate");
            said(check(ClientCert::Header, &[]), Code::Unauthorized, "without one");
            said(check(ClientCert::Header, &[RFC_9440, RFC_9440]), Code::BadRequest, "twice");
            said(check(ClientCert::Header, &[":x:"]), Code::BadRequest, "byte sequence");
            said(check(ClientCert::Ignore, &[RFC_9440]), Code::Unauthorized, "not told");
        }
    }

    #[test]
    fn other_proofs_than_a_certificate_are_not_known() {
        for cnf in [
            json!({}),
            json!(RFC_9440_THUMBPRINT),
            json!({"jkt": RFC_9440_THUMBPRINT}),
            json!({"x5t#S256": RFC_9440_THUMBPRINT, "jkt": RFC_9440_THUMBPRINT}),
            json!({"x5t#S256": "AAAA"}),
            json!({"x5t#S256": 7}),
            json!({"x5t#S256": format!("{RFC_9440_THUMBPRINT}=")}),
        ] {
            assert_eq!(Binding::of_cnf(&cnf), None, "{cnf}");
        }
    }

    #[test]
    fn a_certificate_seen_before_costs_a_comparison() {
        let (bound, headers) = (binding(RFC_9440_THUMBPRINT), headers(&[RFC_9440]));
        let began = Instant::now();
        for _ in 0..10_000 {
            bound.check(ClientCert::Header, &headers).unwrap();
        }
        let each = began.elapsed() / 10_000;
        println!("a certificate that was seen is checked in {each:?}");
        // Of an optimised build; the other one is far slower at everything.
        assert!(cfg!(debug_assertions) || each.as_nanos() < 2_000, "{each:?}");
    }
}
