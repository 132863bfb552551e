//! Every way to refuse, as a problem of the catalogue.

use contracts::batch::{BatchError, Invalid};
use contracts::problems::Code;
use contracts::record::Violation;
use contracts::{Hash, Seq, StreamNo};
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

/// Records that do not have the root that was announced.
pub fn root_mismatch(root: Hash) -> ApiError {
    ApiError::new(Code::RootMismatch, format!("the root of the records that arrived is {root}"))
}

/// A batch that begins with `first` and is not accepted.
pub fn refusal(stream: StreamNo, first: Seq, refusal: Refusal) -> ApiError {
    let differs = |code, difference: Difference, detail: String| {
        let error = ApiError::new(code, detail).with("seq", difference.seq).with("records", difference.records);
        error.with("accepted_leaf", difference.accepted.to_string()).with("sent_leaf", difference.sent.to_string())
    };
    match refusal {
        Refusal::Gap { expected_seq } => {
            let detail = format!("expected seq {expected_seq}, the batch begins with {first}");
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
        Unavailable::Full | Unavailable::Alerts | Unavailable::Lost | Unavailable::Damaged => {
            error.retry_after(HEALING_S)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::UnixMillis;
    use contracts::batch::{Media, check};

    fn is_the_example(error: &ApiError) {
        assert_eq!(error.detail, error.code.problem().example);
    }

    #[test]
    fn answers_read_as_the_catalogue_shows_them() {
        let now = UnixMillis(1_792_864_829_498);
        let record = |seq: u64, amount: u64| {
            format!(
                r#"{{"seq":{seq},"id":"55d3f385-fe76-4324-9d76-{seq:012x}","type":"refund","at":"2026-10-24T18:00:29Z","amount":{amount},"currency":"UAH","channel":"web","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0c","reason":"other"}}"#
            )
        };
        let mut lines: Vec<String> = (8..13).map(|seq| record(seq, 1)).collect();
        let refused = |lines: &[String]| {
            let refused = check(lines.join("\n").as_bytes(), Media::Ndjson, now).expect_err("bad");
            unfit(Unfit::Batch(refused))
        };
        lines[3] = record(11, 1_000_000_000_000_001);
        is_the_example(&refused(&lines));
        lines[4] = "x".to_owned();
        let example = Code::InvalidRecords.problem().example;
        assert_eq!(refused(&lines).detail, format!("{example} (and 1 more)"));
        assert!(refused(&lines[4..]).detail.starts_with("record 0: not one JSON object: "));
        is_the_example(&refused(&[record(8, 1), record(9, 1)].map(|line| line.replace("\"seq\":8", "\"seq\":7"))));

        let seq = |seq| Seq::new(seq).expect("in range");
        is_the_example(&refusal(StreamNo(0), seq(11), Refusal::Gap { expected_seq: 8 }));
        let root = "jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0=".parse().expect("a root");
        is_the_example(&root_mismatch(root));
        let difference = Difference { seq: 7, accepted: root, sent: Hash::ZERO, records: 1 };
        is_the_example(&refusal(StreamNo(0), seq(7), Refusal::Reserialised(difference)));
        is_the_example(&refusal(StreamNo(0), seq(7), Refusal::Rewritten(difference)));
    }

    #[test]
    fn what_can_not_be_reported_yet_says_when_to_come_again() {
        let difference = Difference { seq: 7, accepted: Hash::ZERO, sent: Hash([1; 32]), records: 1 };
        let later = refusal(StreamNo(0), Seq::FIRST, Refusal::Untold { difference, wait_s: 17 });
        assert_eq!((later.code, later.retry_after_s()), (Code::TooManyRequests, Some(17)));
        assert_eq!(later.field("seq"), Some(&json!(7)));
        let full = refusal(StreamNo(0), Seq::FIRST, Refusal::Unavailable(Unavailable::Alerts));
        assert_eq!((full.code, full.retry_after_s()), (Code::Unavailable, Some(HEALING_S)));
    }
}
