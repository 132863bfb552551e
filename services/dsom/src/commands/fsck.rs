//! `dsom fsck`: has chaining derive everything anew from its stored bytes.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use indicatif::ProgressBar;
use serde_json::{Map, Value};

use super::Data;
use crate::Failure;
use crate::mesh::engine::Kind;
use crate::mesh::{Engine, Layout, MeshFile, keys, sibling};

/// A longer line is not one of chaining's.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Has chaining derive every block, chain, tile and checkpoint anew from its stored bytes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom fsck --data .dsom\n\nA running mesh is asked; where none runs, the stored files are read, unless the mesh keeps its data on a CQL\nserver: start it then (2). A store that another process holds can't be read (3). It names the first place that\nis wrong and then ends with 1. To check what is published without trusting chaining, use `dsom verify log` and `dsom verify export`."
)]
pub struct Fsck {
    #[command(flatten)]
    data: Data,
    /// The sandbox in place of the market
    #[arg(long)]
    sandbox: bool,
}

impl Fsck {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let layout = Layout::existing(&self.data.dir)?;
        let Ok(mesh) = MeshFile::read(&self.data.dir) else { return self.unserved(&layout) };
        let token = keys::person_token(&layout, "auditor", &["auditor"])?;
        let chaining = if self.sandbox { &mesh.sandbox()?.chaining } else { &mesh.chaining };
        let url = format!("{chaining}/v1/fsck");
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
        let log = layout.path(if self.sandbox { "logs/sandbox-chaining.log" } else { "logs/chaining.log" });
        Err(Failure::unreachable(format!("{url} ended without a verdict; see {}", log.display())))
    }

    /// No mesh runs there, perhaps because the store no longer starts: chaining's own binary reads the files.
    fn unserved(&self, layout: &Layout) -> Result<(), Failure> {
        let (folder, key) =
            if self.sandbox { ("sandbox/chaining", keys::SANDBOX_LOG) } else { ("chaining", keys::LOG) };
        let vkey = keys::log_vkey(layout, key)?;
        if let Some(Engine { store: Kind::Scylla, nodes, .. }) = Engine::noted(layout)? {
            let (root, nodes) = (layout.root().display(), nodes.unwrap_or_default());
            return Err(Failure::usage(format!(
                "this mesh keeps its data on a CQL server ({nodes}), where only a running mesh checks it: start it with `dsom up \
                 --data {root} --store scylla --nodes {nodes}`, then ask again"
            )));
        }
        let mut check = Command::new(sibling("dsom-chaining")?);
        let ran = check.arg("fsck").arg(layout.path(folder)).arg(vkey).stderr(Stdio::null()).output();
        let ran = ran.map_err(|error| Failure::unreachable("could not run dsom-chaining").because(&error))?;
        let lines = String::from_utf8_lossy(&ran.stdout);
        // The engine itself gave up on the files: as bad as any finding.
        outcome(&lines).unwrap_or_else(|| {
            Err(Failure::bad(format!("the store is damaged: dsom-chaining ended with {}; {lines}", ran.status)))
        })
    }
}

/// What chaining's binary said of a store that nobody serves, in its last line; `None` when it is none of its outcomes.
fn outcome(lines: &str) -> Option<Result<(), Failure>> {
    let last: Value = serde_json::from_str(lines.lines().last()?).ok()?;
    let text = |name: &str| last.get(name).and_then(Value::as_str);
    if let Some(report) = last.get("report") {
        return Some(verdict(report));
    }
    if let Some(absent) = text("absent") {
        return Some(Err(Failure::usage(format!("nothing was checked, for there is no store: {absent}"))));
    }
    let held = text("held")?;
    Some(Err(Failure::unreachable(format!(
        "nothing was checked: {held}. A mesh starts, stops, or was killed a moment ago: try again"
    ))))
}

/// What was found, for a person.
fn verdict(report: &Value) -> Result<(), Failure> {
    let checked = report.get("checked").and_then(Value::as_object).map(words).unwrap_or_default();
    match report.get("first").and_then(Value::as_object) {
        None if report.get("ok") == Some(&Value::Bool(true)) => {
            let count = |name: &str| report.pointer(&format!("/checked/{name}")).and_then(Value::as_u64);
            if (count("blocks"), count("entries")) == (Some(0), Some(0)) {
                say!("there was nothing to check: the store is whole and holds no block");
                return Ok(());
            }
            say!("nothing is wrong: {checked}");
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
    fn what_was_not_checked_is_not_called_good() {
        let exit = |lines: &str| outcome(lines).map(|outcome| outcome.map_err(|failure| failure.exit));
        assert_eq!(exit("{\"progress\":{}}\n{\"report\":{\"ok\":true,\"checked\":{}}}\n"), Some(Ok(())));
        assert_eq!(exit("{\"absent\":\"DIR is empty\"}\n"), Some(Err(Exit::Usage)));
        assert_eq!(exit("{\"held\":\"another process has DIR open\"}\n"), Some(Err(Exit::Unreachable)));
        assert_eq!((exit(""), exit("{\"progress\":{}}"), exit("thread panicked")), (None, None, None));
    }

    #[tokio::test]
    async fn a_stopped_mesh_on_a_cql_server_is_not_checked_in_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::open(folder.path()).expect("a folder");
        keys::ensure(&layout).expect("keys");
        let engine = Engine { store: Kind::Scylla, nodes: Some("10.0.0.1:9042".into()), keyspace: "dsom".into() };
        engine.note(&layout).expect("a note");
        for sandbox in [false, true] {
            let data = Data { dir: folder.path().to_owned() };
            let failure = Fsck { data, sandbox }.run().await.expect_err("nothing to be read here");
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.text.contains("--store scylla --nodes 10.0.0.1:9042"), "{}", failure.text);
        }
        let made = std::fs::read_dir(layout.path("chaining")).expect("a folder").count();
        assert_eq!(made, 0, "a store was made in order to check it");
    }

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
