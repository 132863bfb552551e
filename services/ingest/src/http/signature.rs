//! The two headers of a signed batch. They are checked before the body is read, against the root that is announced; the body is held
//! against that root later, as always.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use contracts::problems::Code;
use contracts::receipt::Env;
use contracts::registry::OperatorStanding;
use contracts::{Hash, UnixMillis};
use runtime::ApiError;

use crate::domain::signature::{BadSigned, Signed, check};

const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// The signature of a batch as it is kept; nothing for one that is not signed and need not be.
///
/// # Errors
/// 422 `bad-signature`, 403 `signature-required`.
pub fn read(
    request: &HttpRequest,
    announced: Option<Hash>,
    standing: &OperatorStanding,
    env: Env,
    now: UnixMillis,
) -> Result<Option<String>, ApiError> {
    let headers = request.headers();
    if !headers.contains_key(SIGNATURE_INPUT) && !headers.contains_key(SIGNATURE) {
        return match standing.signature_required {
            false => Ok(None),
            true => {
                Err(ApiError::new(Code::SignatureRequired, "this operator has chosen that its batches must be signed"))
            }
        };
    }
    let checked = signed(request, announced).and_then(|signed| check(signed, standing, env, now));
    checked.map(Some).map_err(|bad| ApiError::new(Code::BadSignature, bad.to_string()).with("reason", bad.code()))
}

fn signed(request: &HttpRequest, announced: Option<Hash>) -> Result<Signed<'_>, BadSigned> {
    let headers = request.headers();
    let root = announced.ok_or(BadSigned::Header("DSOM-Batch-Root"))?;
    one(headers, super::batches::BATCH_ROOT, "DSOM-Batch-Root")?;
    Ok(Signed {
        input: one(headers, SIGNATURE_INPUT, "Signature-Input")?,
        signature: one(headers, SIGNATURE, "Signature")?,
        path: request.uri().path_and_query().map_or("", |path| path.as_str()),
        content_type: one(headers, CONTENT_TYPE, "Content-Type")?,
        root,
    })
}

/// The value of a header that has one line.
fn one<'a>(headers: &'a HeaderMap, name: HeaderName, shown: &'static str) -> Result<&'a str, BadSigned> {
    let mut lines = headers.get_all(name);
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(BadSigned::Header(shown)) };
    line.to_str().map_err(|_| BadSigned::Header(shown))
}
