//! `dsom conformance`: holds what the sandbox recorded of an operator to the published checks, and certifies the outcome.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_table::{Cell, Color, Table, presets};
use contracts::registry::LicenceKind;
use contracts::traffic::Kept;
use contracts::{OperatorId, UnixMillis};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Desk, list, word};
use crate::Failure;
use crate::conformance::{CHECKLIST, Outcome, RATE_MIN, RATE_S, Report, Rules, check};
use crate::mesh::{MeshFile, keys};
use crate::register::{Clerk, Place, Route, certificate};

/// Requests asked for at a time.
const PAGE: usize = 1_000;

/// Holds an operator's requests to the sandbox to the published checks, and writes a signed certificate of the outcome
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom conformance --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4 --out certificate.txt\n  dsom operator certify 13013f29-b9df-4b82-ad28-e51596b7e0b4 --certificate certificate.txt\n\nThe checks are in docs/CONFORMANCE.md. Ends with 1 when one is not passed; the certificate then says so, and licensing refuses it."
)]
pub struct Conformance {
    #[command(flatten)]
    desk: Desk,
    /// Whose requests
    #[arg(long, value_name = "UUID")]
    operator: OperatorId,
    /// Base URL of the sandbox's ingest [default: what DIR/mesh.json says]
    #[arg(long, value_name = "URL")]
    sandbox: Option<reqwest::Url>,
    /// Only requests from this moment on, RFC 3339 UTC
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Records a second that must be held
    #[arg(long, default_value_t = RATE_MIN, value_parser = clap::value_parser!(u32).range(i64::from(RATE_MIN)..))]
    rate: u32,
    /// The Ed25519 or P-256 key of those who certify, PKCS#8 PEM [default: the development key of the mesh]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Who certifies: `iss` of the certificate
    #[arg(long, value_name = "NAME", default_value = keys::CONFORMANCE_ISSUER)]
    issuer: String,
    /// Where to write the certificate
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Page {
    exchanges: Vec<Kept>,
    next: Option<u64>,
}

impl Conformance {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let register = self.desk.open()?;
        let url = match &self.sandbox {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => MeshFile::read(self.desk.data())?.sandbox()?.ingest.clone(),
        };
        let operator = register.get(&Route::operator(self.operator)).await?.body;
        let sandbox = Clerk::new(Place { url, token: Some(self.desk.token()?) });
        let kept = self.traffic(&sandbox).await?;
        let rules = Rules { licences: licences(&operator), rate: self.rate };
        let report = check(kept, &rules);
        print(&report);
        if let Some(out) = &self.out {
            let signed = certificate(self.key.as_deref(), || self.desk.layout(), &self.claims(&report))?;
            std::fs::write(out, signed + "\n")
                .map_err(|error| Failure::usage(format!("could not write {}", out.display())).because(&error))?;
            say!("\nThe certificate is in {}", out.display());
        }
        match report.passed() {
            true => Ok(()),
            false => Err(Failure::bad(format!("{} has not passed {CHECKLIST}", self.operator))),
        }
    }

    /// Everything that is kept of the operator's requests.
    async fn traffic(&self, sandbox: &Clerk) -> Result<Vec<Kept>, Failure> {
        let from = self.from.as_deref().map(moment).transpose()?;
        let bar = ProgressBar::new_spinner();
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let route = Route::to("/v1/traffic").ask("operator", self.operator).ask("after", after).ask("limit", PAGE);
            let page = serde_json::from_value(sandbox.get(&route).await?.body);
            let Page { exchanges, next } =
                page.map_err(|error| Failure::bad("what the sandbox keeps can't be read").because(&error))?;
            all.extend(exchanges.into_iter().filter(|one| from.is_none_or(|from| one.exchange.at >= from)));
            bar.set_message(format!("{} requests", all.len()));
            bar.tick();
            let Some(next) = next else { break };
            after = next;
        }
        bar.finish_and_clear();
        Ok(all)
    }

    fn claims(&self, report: &Report) -> Value {
        let time = |ms: i64| UnixMillis(ms).to_string();
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        json!({
            "iss": self.issuer, "sub": self.operator, "iat": now_s, "jti": uuid::Uuid::new_v4(), "env": "test",
            "checklist": CHECKLIST, "result": if report.passed() { "passed" } else { "failed" },
            "rate": self.rate, "rate_s": RATE_S, "checks": report.checks,
            "from": report.span.map(|(from, _)| time(from)), "to": report.span.map(|(_, to)| time(to)),
            "exchanges": report.exchanges, "traffic": report.digest,
        })
    }
}

fn moment(text: &str) -> Result<UnixMillis, Failure> {
    let read = contracts::time::UnixNanos::parse(text);
    let read = read.ok_or_else(|| Failure::usage(format!("--from is {text:?}, not like 2026-11-23T08:00:00Z")))?;
    Ok(UnixMillis(read.0.div_euclid(1_000_000)))
}

/// The kinds of licence that an operator has, or is about to have.
fn licences(operator: &Value) -> Vec<LicenceKind> {
    let over = |licence: &&Value| !["refused", "revoked", "surrendered", "expired"].contains(&word(licence, "state"));
    let kind = |licence: &Value| LicenceKind::ALL.into_iter().find(|kind| kind.as_str() == word(licence, "kind"));
    list(operator, "licences").iter().filter(over).filter_map(kind).collect()
}

fn print(report: &Report) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["check", "result", "by what", "what to do"]);
    for check in &report.checks {
        let (color, next) = match check.result {
            Outcome::Passed => (Color::Green, ""),
            Outcome::Failed => (Color::Red, check.next),
            Outcome::NotShown => (Color::Yellow, check.next),
        };
        let result = Cell::new(check.result.as_str()).fg(color);
        table.add_row([Cell::new(check.id), result, Cell::new(&check.evidence), Cell::new(next)]);
    }
    say!("{table}\n\n{} requests, SHA-256 {}", report.exchanges, report.digest);
}
