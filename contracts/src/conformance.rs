//! The published checks of an operator's integration (docs/CONFORMANCE.md), as far as a certificate tells of them: what whoever certifies
//! writes, and what the register holds a certificate to.

/// The name of the list of checks; another list has another name.
pub const CHECKLIST: &str = "dsom.conformance.v1";
/// The checks, in the order of the page.
pub const CHECKS: [&str; 7] = ["formats", "gaps", "retries", "rewrite-refusal", "clock", "rate", "rotation"];
/// The rate that must be held at least, in records a second.
pub const RATE_MIN: u32 = 50;
/// How long the rate must be held, in seconds.
pub const RATE_S: i64 = 20;
/// `typ` of a certificate.
pub const CERTIFICATE_TYP: &str = "dsom-conformance+jwt";
