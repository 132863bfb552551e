//! The catalogue of answers that refuse: one entry a code, from which problem pages and documents are made.

/// What a sender may do with the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Repeat the same bytes, for ever.
    SameBytes,
    /// Put it right first.
    Fix,
    /// Do not repeat it.
    Never,
}

/// One way to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// One line.
    pub title: &'static str,
    /// What may be done with the same request.
    pub retry: Retry,
    /// What it means and what to do.
    pub meaning: &'static str,
    /// A `detail` as it may be seen.
    pub example: &'static str,
    /// Who puts it right.
    pub who: &'static str,
}

macro_rules! problems {
    ($($variant:ident = $code:literal, $status:literal, $retry:ident, $who:literal, $title:literal, $meaning:literal, $example:literal;)+) => {
        /// The stable code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Its entry in the catalogue.
            pub fn problem(self) -> &'static Problem {
                match self {
                    $(Self::$variant => &Problem {
                        status: $status, title: $title, retry: Retry::$retry, meaning: $meaning, example: $example, who: $who,
                    },)+
                }
            }
        }
    };
}

problems! {
    InvalidRecords = "invalid-records", 422, Fix, "operator", "Records against the rules", "Some records break the rules of the record; nothing was accepted. Each violation has index, seq, pointer and code.", "record 3: /amount must be from 0 to 1000000000000000";
    NotConsecutive = "not-consecutive", 422, Fix, "operator", "Seqs are not consecutive", "Each record's seq must be one more than that of the record before it.", "record 1 has seq 9, expected 8";
    RootMismatch = "root-mismatch", 422, Fix, "operator", "Another root than DSOM-Batch-Root", "The bytes that arrived do not have the root that was announced.", "the root of the records that arrived is jy9N5WuDY/u2IMkjEIRt+3cBBR1oX8pV3WOsxWXS1h0=";
    EmptyBatch = "empty-batch", 422, Fix, "operator", "No record", "A batch holds 1 to 10,000 records.", "the body holds no record";
    TooManyRecords = "too-many-records", 422, Fix, "operator", "Too many records", "Send at most 10,000 records a batch.", "the body holds more than 10000 records";
    TooBig = "too-big", 413, Fix, "operator", "Body too big", "At most 4 MiB as sent and 8 MiB unpacked.", "the body has more than 8388608 bytes unpacked";
    BadBody = "bad-body", 400, Fix, "operator", "Body can't be read", "The body is cut short, does not unpack, or is not an array that begins and ends.", "byte 120 of the body: the array does not end";
    UnsupportedMediaType = "unsupported-media-type", 415, Fix, "operator", "Unknown media type", "Send application/x-ndjson or application/json.", "text/plain is not accepted";
    BadRequest = "bad-request", 400, Fix, "operator", "Bad request", "A path or query value is not of its form.", "stream must be from 0 to 255";
    Reserialised = "reserialised", 409, Never, "operator", "Accepted before, in other bytes", "The JSON values are equal but the bytes differ: the client built its JSON again. Fetch the receipt instead.", "record 7 was accepted with the same values in other bytes: fetch its receipt from /v1/receipts?stream=0&seq=7";
    RewriteAttempt = "rewrite-attempt", 409, Never, "operator", "Accepted before, with other values", "An accepted record can't be replaced; an alert was raised. Send a new record that names the old one in corrects.", "record 7 was accepted with other values; the attempt has been reported";
    Gap = "gap", 409, Fix, "operator", "A hole before the batch", "Records before this batch have not arrived; send from expected_seq.", "expected seq 8, the batch begins with 11";
    Unauthorized = "unauthorized", 401, Fix, "operator", "No valid token", "The token is missing, bad or expired; get a new one.", "the token has expired";
    Forbidden = "forbidden", 403, Never, "operator", "Not allowed", "The token lacks the scope, or the data is another operator's.", "scope records:write is needed";
    UnknownOperator = "unknown-operator", 403, Never, "operator", "Not in the register", "The register knows no such operator: it is not licensed here, or its entry has not reached this service.", "operator 13013f29-b9df-4b82-ad28-e51596b7e0b4 is not in the register";
    SignatureRequired = "signature-required", 403, Fix, "operator", "The batch is not signed", "The operator has chosen that each of its batches must be signed by a registered key: sign it as docs/SIGNATURES.md says.", "this operator has chosen that its batches must be signed";
    BadSignature = "bad-signature", 422, Fix, "operator", "The signature is refused", "The signature of the batch is not of the profile, of no registered key, too old, or of another batch. reason is its stable word.", "the signature does not verify";
    InvalidForm = "invalid-form", 422, Fix, "clerk", "A form with wrong values", "Values of the body break their rules; nothing was changed. Each error has a JSON pointer and a reason.", "/edrpou: the last digit must be 0: a digit is wrong, or two changed places";
    PreconditionRequired = "precondition-required", 428, Fix, "clerk", "If-Match is missing", "Every change names the version it was decided on: send the ETag that was read as If-Match.", "send If-Match with the ETag of the operator";
    Stale = "stale", 412, Fix, "clerk", "Changed since it was read", "Another change was faster. Read it again, look at what changed, and decide anew.", "the operator is at version 8";
    Conflict = "conflict", 409, Never, "clerk", "The state forbids it", "What is wanted is not possible in the state it is in, or a name is another's.", "licence 1 is Applied: it can't take the step Activate";
    OwnProposal = "own-proposal", 403, Never, "clerk", "Nobody confirms their own", "Who proposed a decision can't confirm it: another must.", "who proposed a decision can't confirm it: another must";
    ProposalOver = "proposal-over", 409, Never, "clerk", "The proposal is over", "It was confirmed, refused or taken back, or it has expired: propose again.", "the proposal expired at 2026-11-24T09:00:00.000Z";
    TestHeader = "test-header", 400, Fix, "sender", "A header for the sandbox", "The request carries a header that only the sandbox understands. Nothing was taken: a test must not run against the market unnoticed.", "dsom-test-answer is for the sandbox alone";
    Gone = "gone", 410, Fix, "reader", "No longer kept", "What is asked for is too old to be told apart from what came after: read the whole.", "serial 17 is not one of the list: read the whole feed";
    HeadTooBig = "head-too-big", 431, Fix, "operator", "Head too big", "At most 64 KiB and 64 headers: request line and headers together.", "the head has 70112 bytes and 9 headers: at most 65536 and 64 are taken";
    NotFound = "not-found", 404, Never, "operator", "Not there", "Nothing is known by this name, or not yet.", "no such record";
    MethodNotAllowed = "method-not-allowed", 405, Never, "operator", "Method not allowed", "The resource does not know this method.", "use POST";
    RequestTimeout = "request-timeout", 408, SameBytes, "operator", "Body too slow", "The body did not arrive in time.", "the body did not arrive within 10 s";
    TooManyRequests = "too-many-requests", 429, SameBytes, "operator", "Over the rate", "Wait as Retry-After says and repeat.", "more records than agreed";
    Unavailable = "unavailable", 503, SameBytes, "regulator", "Can't say now", "Overloaded, or broker or store away. The outcome is unknown; repeat the same request for ever.", "the broker did not answer";
    Internal = "internal", 500, SameBytes, "regulator", "Our fault", "A fault of ours; repeat the same request and tell us the request_id.", "see request_id";
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_complete_and_its_own() {
        for code in Code::ALL {
            let problem = code.problem();
            assert!((400..600).contains(&problem.status));
            for text in [problem.title, problem.meaning, problem.example, problem.who] {
                assert!(!text.is_empty(), "{code:?}");
            }
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
    }

    #[test]
    fn every_row_of_the_answer_table_has_its_code() {
        // RECORD.md: the table of answers, status and code a row.
        for (status, code) in [
            (409, "reserialised"),
            (409, "rewrite-attempt"),
            (409, "gap"),
            (422, "invalid-records"),
            (422, "not-consecutive"),
            (422, "root-mismatch"),
            (413, "too-big"),
            (422, "too-many-records"),
            (400, "bad-body"),
            (415, "unsupported-media-type"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (429, "too-many-requests"),
            (503, "unavailable"),
        ] {
            assert_eq!(code.parse().map(|code: Code| code.problem().status), Ok(status), "{code}");
        }
    }

    /// The page in docs, made from the catalogue.
    fn page() -> String {
        let mut page = String::from(
            "# Errors\n\nMade from `contracts/src/problems.rs` and `RecordCode`: `UPDATE=1 cargo test -p dsom-contracts` writes it anew.\n\n\
            Every refusal is `application/problem+json` (RFC 9457) with `type` = `/problems/<code>`. `retry` says what may be done with the\n\
            same request: `same-bytes` repeat it for ever, `fix` put it right first, `never` do not repeat it.\n\n\
            Only what is refused before it is a request has neither a body nor an id, and ends the connection: 400 when the request line or\n\
            the headers are malformed or frame the body twice, 408 when the head does not arrive within 5 s, 431 when it has more than\n\
            128 KiB or 96 headers.\n\n\
            | code | status | retry | who | meaning | example of `detail` |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for code in Code::ALL {
            let p = code.problem();
            let retry = serde_json::to_value(p.retry).expect("a word");
            let retry = retry.as_str().expect("a word");
            page += &format!(
                "| `{}` | {} | `{retry}` | {} | {}. {} | {} |\n",
                code.as_str(),
                p.status,
                p.who,
                p.title,
                p.meaning,
                p.example
            );
        }
        page += "\n## Codes of a record\n\n`invalid-records` tells up to 100 violations, each with one of these and a JSON pointer.\n\n| code | meaning |\n| --- | --- |\n";
        for (_, code, meaning) in crate::record::RecordCode::ALL {
            page += &format!("| `{code}` | {} |\n", meaning.trim());
        }
        page
    }

    #[test]
    fn the_page_in_docs_is_made_from_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ERRORS.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, page()).expect("writable");
        }
        let stored = std::fs::read_to_string(path).expect("docs/ERRORS.md: run with UPDATE=1");
        assert_eq!(stored, page(), "docs/ERRORS.md is old: run with UPDATE=1");
    }
}
