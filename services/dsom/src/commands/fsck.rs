//! `dsom fsck`: has chaining derive everything anew from its stored bytes.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use indicatif::ProgressBar;
use serde_json::{Map, Value};

use super::Data;
use crate::Failure;
use crate::mesh::{Layout, MeshFile, keys, sibling};

/// A longer line is not one of chaining's.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Has chaining derive every block, chain, tile and checkpoint anew from its stored bytes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom fsck --data .dsom\n\nA running mesh is asked; where none runs, the stored files are read. It names the first place that is\nwrong and then ends with 1. To check what is published without trusting chaining, use `dsom verify log` and `dsom verify export`."
)]
pub struct Fsck {
    #[command(flatten)]
    data: Data,
}

impl Fsck {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let layout = Layout::existing(&self.data.dir)?;
        let Ok(mesh) = MeshFile::read(&self.data.dir) else { return unserved(&layout) };
        let token = keys::person_token(&layout, "auditor", &["auditor"])?;
        let url = format!("{}/v1/fsck", mesh.chaining);
        let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not ask {url}")).because(&error);
        let mut answer = reqwest::Client::new().post(&url).bearer_auth(token).send().await.map_err(cannot)?;
        if !answer.status().is_success() {
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            return Err(Failure::unreachable(format!("{url}: {status} {text}")));
        }
        let bar = ProgressBar::new_spinner();
        let mut waiting = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(cannot)? {
            waiting.extend_from_slice(&chunk);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                let read = serde_json::from_slice::<Value>(&line);
                let said = read
                    .map_err(|error| Failure::unreachable(format!("{url} said what it can't mean")).because(&error))?;
                if let Some(Value::Object(progress)) = said.get("progress") {
                    bar.set_message(words(progress));
                    bar.tick();
                }
                if let Some(report) = said.get("report") {
                    bar.finish_and_clear();
                    return verdict(report);
                }
            }
            if waiting.len() > LINE_BYTES_MAX {
                break;
            }
        }
        Err(Failure::unreachable(format!(
            "{url} ended without a verdict; see {}",
            layout.path("logs/chaining.log").display()
        )))
    }
}

/// No mesh runs there, perhaps because the store no longer starts: chaining's own binary reads the files.
fn unserved(layout: &Layout) -> Result<(), Failure> {
    let mut check = Command::new(sibling("dsom-chaining")?);
    check.arg("fsck").arg(layout.path("chaining")).arg(keys::log_vkey(layout, keys::LOG)?).stderr(Stdio::null());
    let ran = check.output();
    let ran = ran.map_err(|error| Failure::unreachable("could not run dsom-chaining").because(&error))?;
    let lines = String::from_utf8_lossy(&ran.stdout);
    let last = lines.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    match last.as_ref().and_then(|line| line.get("report")) {
        Some(report) => verdict(report),
        // The engine itself gave up on the files: as bad as any finding.
        None => Err(Failure::bad(format!("the store is damaged: dsom-chaining ended with {}; {lines}", ran.status))),
    }
}

/// What was found, for a person.
fn verdict(report: &Value) -> Result<(), Failure> {
    let checked = report.get("checked").and_then(Value::as_object).map(words).unwrap_or_default();
    match report.get("first").and_then(Value::as_object) {
        None if report.get("ok") == Some(&Value::Bool(true)) => {
            println!("nothing is wrong: {checked}");
            Ok(())
        }
        Some(place) => {
            Err(Failure::bad(format!("the store is damaged: {}\n  checked before that: {checked}", words(place))))
        }
        None => Err(Failure::bad(format!("the store is damaged: {report}"))),
    }
}

/// `name value` of every field, in the report's order but for the kind, which leads, and the text, which ends it.
pub(super) fn words(fields: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut out = fields.get("what").map(text).unwrap_or_default();
    for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "what" | "detail")) {
        let comma = if out.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{name} {}", text(value));
    }
    if let Some(detail) = fields.get("detail") {
        let _ = write!(out, ": {}", text(detail));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;
    use serde_json::json;

    #[test]
    fn a_verdict_names_the_place() {
        let checked = json!({"blocks": 3, "records": 9});
        assert!(verdict(&json!({"ok": true, "checked": checked})).is_ok());
        let first = json!({"what": "tile", "tile": "tile/0/000", "offset": 7, "detail": "another hash"});
        let failure = verdict(&json!({"ok": false, "checked": checked, "first": first})).expect_err("damaged");
        assert_eq!(failure.exit, Exit::Bad);
        let words = "the store is damaged: tile, offset 7, tile tile/0/000: another hash\n  checked before that: blocks 3, records 9";
        assert_eq!(failure.text, words);
    }
}
