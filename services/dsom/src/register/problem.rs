//! A refusal as a service tells it (RFC 9457), with every error of it: where, which, why.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::Failure;

/// A refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What went wrong this time.
    pub detail: String,
    /// All that is wrong, as far as it is told.
    pub errors: Vec<Wrong>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Wrong {
    /// JSON pointer into what was sent.
    pub pointer: String,
    /// Stable word.
    pub code: String,
    /// The same for people.
    pub detail: String,
}

impl Problem {
    /// Reads a refusal; `None` for a body that is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let word = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let errors = body.get("errors").cloned().and_then(|errors| serde_json::from_value(errors).ok());
        Some(Self {
            status: body.get("status")?.as_u64()?.try_into().ok()?,
            code: word("code")?,
            detail: word("detail").unwrap_or_default(),
            errors: errors.unwrap_or_default(),
        })
    }

    /// It in a line, and a line for each error.
    pub fn failure(&self) -> Failure {
        self.placed(|_| None)
    }

    /// The same; `place` says by which name the person knows what a pointer leads to.
    pub fn placed(&self, place: impl Fn(&str) -> Option<String>) -> Failure {
        let mut text = format!("{} {}: {}", self.status, self.code, self.detail);
        for wrong in self.errors.iter().filter(|wrong| !self.is_told(wrong)) {
            let pointer = if wrong.pointer.is_empty() { "(the whole)" } else { &wrong.pointer };
            let place = place(&wrong.pointer).unwrap_or_else(|| pointer.to_owned());
            let code = if wrong.code.is_empty() { String::new() } else { format!(" {}", wrong.code) };
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {place}{code}: {}", wrong.detail);
        }
        Failure::bad(text)
    }

    /// Whether the first line says all there is to say of the one error.
    fn is_told(&self, wrong: &Wrong) -> bool {
        let whole = [wrong.detail.clone(), format!("{}: {}", wrong.pointer, wrong.detail)];
        self.errors.len() == 1 && wrong.code.is_empty() && whole.contains(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As services/licensing answers, of docs/ERRORS.md and of contracts/openapi/licensing.json.
    fn problem(detail: &str, errors: &str) -> Problem {
        let body = format!(
            r#"{{"type":"/problems/conflict","title":"t","status":409,"code":"conflict","retry":"never","request_id":"r","detail":"{detail}","errors":{errors}}}"#
        );
        Problem::read(body.as_bytes()).expect("a problem")
    }

    #[test]
    fn every_error_is_told_with_its_place() {
        let errors = r#"[{"pointer":"/blocks/0","code":"licensed","detail":"a.ua: it is licensed"},{"pointer":"","code":"subjects","detail":"too many"}]"#;
        let both = problem("2 of the subjects can't be blocked or lifted", errors);
        assert_eq!(
            both.failure().text,
            "409 conflict: 2 of the subjects can't be blocked or lifted\n  /blocks/0 licensed: a.ua: it is licensed\n  (the whole) subjects: too many"
        );
        let placed = both.placed(|pointer| pointer.starts_with("/blocks/0").then(|| "line 7".to_owned()));
        assert!(placed.text.contains("\n  line 7 licensed: a.ua"), "{}", placed.text);
    }

    #[test]
    fn what_the_first_line_says_is_not_said_again() {
        let one = problem(
            "/edrpou: the last digit must be 0",
            r#"[{"pointer":"/edrpou","detail":"the last digit must be 0"}]"#,
        );
        assert_eq!(one.failure().text, "409 conflict: /edrpou: the last digit must be 0");
        assert_eq!(problem("no", "null").failure().text, "409 conflict: no");
    }

    #[test]
    fn what_is_no_refusal_is_not_read_as_one() {
        for other in ["", "<html>", "[]", r#"{"standing":"blocked"}"#, r#"{"status":409}"#] {
            assert_eq!(Problem::read(other.as_bytes()), None, "{other}");
        }
    }
}
