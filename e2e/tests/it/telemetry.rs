//! Dashboards and alert rules speak of metrics that the running mesh exports, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::go::Program;
use crate::world::{World, calm_turn};

/// How long the mesh may take until everything it counts has been counted once.
const EXPORTED: Duration = Duration::from_secs(20);
/// What dashboards and rules are made of; a folder that lost its files would be no finding otherwise.
const FILES_MIN: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/base/telemetry")
}

/// The PromQL expressions of every dashboard and of the alert rules, by where they stand.
fn expressions() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder().join("dashboards")).expect("dashboards") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read(&path).expect("a dashboard");
        let dashboard: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for panel in dashboard["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().expect("a title");
            for target in panel["targets"].as_array().unwrap_or_else(|| panic!("{name}: {title} shows nothing")) {
                let expr = target["expr"].as_str().unwrap_or_else(|| panic!("{name}: {title} asks nothing"));
                let before = found.insert(format!("{name}: {title} {}", target["refId"]), expr.to_owned());
                assert!(before.is_none(), "{name}: two panels are called {title}");
            }
        }
        files += 1;
    }
    let rules = std::fs::read_to_string(folder().join("alerts.yml")).expect("alert rules");
    // Rules are written one field a line, or folded with `>-`: no more YAML than that.
    let mut lines = rules.lines().peekable();
    let mut alert = "";
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ") {
            alert = name;
        } else if let Some(expr) = line.strip_prefix("expr: ") {
            let mut expr = expr.trim_start_matches(">-").to_owned();
            while expr.is_empty() || lines.peek().is_some_and(|next| next.trim_start().starts_with("/ ")) {
                expr = format!("{expr} {}", lines.next().expect("more lines").trim());
            }
            assert!(found.insert(format!("alerts.yml: {alert}"), expr).is_none(), "two alerts are called {alert}");
        }
    }
    assert!(files + 1 >= FILES_MIN, "{files} dashboards");
    assert_eq!(rules.matches("- alert: ").count(), found.keys().filter(|at| at.starts_with("alerts.yml")).count());
    found
}

/// The metrics an expression names: words that are followed by neither a bracket nor part of a label or a string.
fn named(expr: &str) -> BTreeSet<String> {
    let (mut bare, mut depth, mut quoted) = (String::new(), 0, false);
    for character in expr.chars() {
        match character {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ if quoted || depth > 0 => continue,
            _ => bare.push(character),
        }
        if matches!(character, '{' | '[') {
            bare.push(' ');
        }
    }
    let words = bare.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.contains('_') && !FUNCTIONS.contains(word)).map(str::to_owned).collect()
}

/// PromQL's own words with an underscore.
const FUNCTIONS: &[&str] = &["histogram_quantile"];

/// The names of what a `/metrics` page holds.
fn names(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn metrics_are_read_out_of_expressions() {
    let expr = r#"histogram_quantile(0.99, sum by (le) (rate(a_seconds_bucket{route="/x_y/{z_z}"}[1m]))) / max(b_total) > c_d"#;
    assert_eq!(named(expr).into_iter().collect::<Vec<_>>(), ["a_seconds_bucket", "b_total", "c_d"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_a_dashboard_or_an_alert_is_exported() {
    let expressions = expressions();
    let _turn = calm_turn().await;
    let mut world = World::started().await;
    let files = testkit::data_files();
    let file = files.first().expect("a file");
    world.dsom_ok(&["send", "--batch", "1000"], std::slice::from_ref(&file.path));
    let mesh = world.mesh();
    let began = Instant::now();
    loop {
        let mut exported = BTreeSet::new();
        for url in [&mesh.licensing, &mesh.ingest, &mesh.chaining] {
            let page = world.get(&format!("{url}/metrics"), None).await.expect("a /metrics page");
            exported.extend(names(&String::from_utf8(page).expect("text")));
        }
        let missing: Vec<String> = expressions
            .iter()
            .flat_map(|(at, expr)| named(expr).into_iter().map(move |name| (at, name)))
            .filter(|(_, name)| !exported.contains(name))
            .map(|(at, name)| format!("{at}: {name}"))
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(began.elapsed() < EXPORTED, "the mesh does not export what these name:\n{}", missing.join("\n"));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.stop();
}

#[test]
fn every_alert_is_explained() {
    let rules = std::fs::read_to_string(folder().join("alerts.yml")).expect("alert rules");
    let operations = folder().join("../../../docs/OPERATIONS.md");
    let operations = std::fs::read_to_string(operations).expect("docs/OPERATIONS.md");
    let explained: BTreeSet<&str> = operations.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(explained.contains(alert), "docs/OPERATIONS.md does not explain {alert}");
        let runbook = format!("runbook: docs/OPERATIONS.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&runbook), "{alert} does not point to where it is explained");
    }
}

#[test]
fn prometheus_reads_every_expression() {
    let Some(promcheck) = Program::build("promcheck") else { return };
    let expressions = expressions();
    promcheck.accepts(&[&folder().join("alerts.yml")]);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let all = dir.path().join("expressions.json");
    std::fs::write(&all, serde_json::to_vec(&expressions).expect("JSON")).expect("written");
    promcheck.accepts(&[&all]);

    let rules = std::fs::read_to_string(folder().join("alerts.yml")).expect("alert rules");
    for (from, to) in [("max(dsom", "max((dsom"), ("    rules:", "    rule:"), ("for: 5m", "for: 5 minutes")] {
        let bad = dir.path().join("alerts.yml");
        std::fs::write(&bad, rules.replacen(from, to, 1)).expect("written");
        promcheck.refuses(&[&bad]);
    }
}
