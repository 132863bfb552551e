//! Every way to refuse, as a problem of the catalogue.

use contracts::StreamNo;
use contracts::batch::{BatchError, Invalid};
use contracts::problems::Code;
use contracts::record::Violation;
use runtime::ApiError;
use runtime::auth::NotKnown;
use serde_json::json;

use super::body::BadBody;
use super::prepare::Unfit;
use crate::actors::{Overloaded, Refusal, Unavailable};
use crate::domain::Difference;

/// Seconds after which a full or lost broker may be asked again: it does not heal in one.
const HEALING_S: u32 = 5;

/// A body that makes no batch.
pub fn unfit(error: Unfit) -> ApiError {
    match error {
        Unfit::Body(error) => body(&error),
        Unfit::Batch(error) => batch(error),
        Unfit::Packing(error) => ApiError::internal(&error),
        Unfit::Gone => ApiError::new(Code::Unavailable, "the service is stopping"),
    }
}

/// A body that could not be had.
pub fn body(error: &BadBody) -> ApiError {
    let code = match error {
        BadBody::SentTooBig | BadBody::UnpackedTooBig => Code::TooBig,
        BadBody::Slow => Code::RequestTimeout,
        BadBody::Cut(_) | BadBody::Packing { .. } => Code::BadBody,
        BadBody::NoMemory => Code::Unavailable,
    };
    ApiError::new(code, error.to_string())
}

/// Records that are not a batch.
fn batch(error: BatchError) -> ApiError {
    let detail = error.to_string();
    match error {
        BatchError::TooBig { .. } => ApiError::new(Code::TooBig, detail),
        BatchError::TooMany => ApiError::new(Code::TooManyRecords, detail),
        BatchError::Empty => ApiError::new(Code::EmptyBatch, detail),
        BatchError::Malformed { .. } => ApiError::new(Code::BadBody, detail),
        BatchError::NotConsecutive { index, expected, found } => {
            let error = ApiError::new(Code::NotConsecutive, detail);
            error.with("index", index).with("expected_seq", expected).with("seq", found)
        }
        BatchError::Invalid(invalid) => {
            let list = |one: &Invalid| {
                let Violation { pointer, code, detail } = &one.violation;
                json!({"index": one.index, "seq": one.seq, "pointer": pointer, "code": code.as_str(), "detail": detail})
            };
            let errors: Vec<_> = invalid.iter().map(list).collect();
            ApiError::new(Code::InvalidRecords, detail).with("errors", errors)
        }
    }
}

/// A batch that is not accepted.
pub fn refusal(stream: StreamNo, refusal: Refusal) -> ApiError {
    let differs = |code, difference: Difference, detail: String| {
        let error = ApiError::new(code, detail).with("seq", difference.seq).with("records", difference.records);
        error.with("accepted_leaf", difference.accepted.to_string()).with("sent_leaf", difference.sent.to_string())
    };
    match refusal {
        Refusal::Gap { expected_seq } => {
            let detail = format!("the batch begins beyond the next seq of the stream, which is {expected_seq}");
            ApiError::new(Code::Gap, detail).with("expected_seq", expected_seq)
        }
        Refusal::Reserialised(difference) => {
            let seq = difference.seq;
            let detail = format!(
                "record {seq} was accepted with the same values in other bytes: fetch its receipt from \
                 /v1/receipts?stream={stream}&seq={seq}"
            );
            differs(Code::Reserialised, difference, detail)
        }
        Refusal::Rewritten(difference) => {
            let seq = difference.seq;
            let detail = format!("record {seq} was accepted with other values; the attempt has been reported");
            differs(Code::RewriteAttempt, difference, detail)
        }
        Refusal::Untold { difference, wait_s } => {
            let seq = difference.seq;
            let detail = format!(
                "record {seq} was accepted with other values; more such attempts came than are reported at once: wait {wait_s} s"
            );
            differs(Code::TooManyRequests, difference, detail).retry_after(wait_s)
        }
        Refusal::Unavailable(reason) => unavailable(reason),
    }
}

/// Something that is not to be had now.
pub fn unavailable(reason: Unavailable) -> ApiError {
    let error = ApiError::new(Code::Unavailable, reason.to_string());
    match reason {
        Unavailable::Full | Unavailable::Alerts | Unavailable::Lost | Unavailable::Damaged => error.retry_after(HEALING_S),
        Unavailable::Broker | Unavailable::Chaining | Unavailable::Busy | Unavailable::Contended => error,
    }
}

/// The register can't be asked.
pub fn not_known(error: NotKnown) -> ApiError {
    ApiError::new(Code::Unavailable, error.to_string()).retry_after(HEALING_S)
}

/// Too much is going on.
pub fn overloaded(error: Overloaded) -> ApiError {
    ApiError::new(Code::Unavailable, error.to_string())
}
