//! Dashboards and alert rules speak of metrics that the running mesh exports, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contracts::{OperatorId, subjects};
use serde_json::Value;
use testkit::DataFile;

use crate::collector::{Collector, Span};
use crate::go::Program;
use crate::pages::{blocks, shell};
use crate::world::{World, calm_turn, until};

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
async fn every_metric_of_a_dashboard_or_an_alert_is_exported_and_a_trace_follows_a_batch_to_the_ledger() {
    let expressions = expressions();
    let _turn = calm_turn().await;
    let collector = Collector::start();
    let mut world = World::new();
    // Exported at once, and not only when five seconds have passed.
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "200");
    world.environment([("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone().leak() as &str), delay]);
    world.up().await;
    let files = testkit::data_files();
    let file = files.first().expect("a file");
    what_the_readme_says_to_type_works(&world, file).await;
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
    let announced = until("a trace from the request to the announcement", EXPORTED, || async {
        collector.spans().iter().find_map(|request| followed(&collector.spans(), request))
    })
    .await;
    let carried = on_ledger(&world, file.operator).await;
    assert!(carried.contains(&announced), "{announced} is not among {carried:?}");
    world.stop();
}

/// The blocks of README's "Send records" and "Verify", in the mesh's folder and on its ports. They send one record, and a thousand.
async fn what_the_readme_says_to_type_works(world: &World, file: &DataFile) {
    let mesh = world.mesh();
    let here = |lines: &String| {
        let lines =
            lines.replace("http://127.0.0.1:7101", &mesh.ingest).replace("http://127.0.0.1:7102", &mesh.chaining);
        lines.replace("--data .dsom", "--data .")
    };
    let (send, verify) = (blocks("README.md", "Send records"), blocks("README.md", "Verify, without trusting us"));
    let (send, verify): (Vec<_>, Vec<_>) = (send.iter().map(here).collect(), verify.iter().map(here).collect());
    let ([one, all], [proof]) = (&send[..], &verify[..]) else { panic!("other blocks: {send:?} {verify:?}") };
    // The proof is asked for at once, as fast as nobody types.
    let said = shell(world, &format!("{one}\n{proof}"));
    assert!(said.starts_with("HTTP/1.1 201 ") && said.contains("\"receipt\":\"ey"), "{said}");
    assert!(said.contains("is record ") && said.contains("r:3f645768f9dd"), "{said}");
    // Each block is typed into the terminal of the one before it.
    let said = shell(world, &format!("{one}\n{all}"));
    assert!(said.contains("1000 records accepted"), "{said}");
    let receipts = std::fs::read_to_string(world.dir().join("receipts.jsonl")).expect("receipts");
    assert_eq!(receipts.lines().count(), 10, "a hundred records a batch");

    let operator = file.operator;
    assert!(one.contains(&operator.to_string()), "the page and the file speak of one operator");
    world.published(operator, &world.token(operator, "records:read"), 1_001).await;
    // The same request again, as the page says.
    let said = shell(world, one);
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

/// The `traceparent` of the span that announced the block of a request's batch, if every step between them is there and follows the
/// one before it: as its child, or, for the log, which takes in several blocks, linked to it.
fn followed(spans: &[Span], request: &Span) -> Option<String> {
    let route = "POST /v1/streams/{stream}/batches";
    let child = |service: &str, name: &str, of: &Span| {
        let found = spans.iter().find(|span| span.parent == of.id && span.trace == of.trace && span.name == name);
        found.filter(|span| span.service == service)
    };
    if (request.service.as_str(), request.name.as_str()) != ("dsom-ingest", route) {
        return None;
    }
    let append = child("dsom-ingest", "append", request)?;
    let seal = child("dsom-chaining", "seal", append)?;
    let announce = child("dsom-chaining", "announce", seal)?;
    let logs = |span: &&Span| span.name == "log" && (span.parent == seal.id || span.links.contains(&seal.id));
    spans.iter().find(logs)?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(format!("00-{}-{}-01", hex(&announce.trace), hex(&announce.id)))
}

/// The `traceparent` of each block of an operator on `LEDGER`.
async fn on_ledger(world: &World, operator: OperatorId) -> Vec<String> {
    let key = world.dir().join(dsom::mesh::logins::file(false, "admin"));
    let key = std::fs::read_to_string(key).expect("the key of a person").trim().to_owned();
    let client = async_nats::ConnectOptions::with_nkey(key).connect(world.mesh().nats).await.expect("the broker");
    let stream = async_nats::jetstream::new(client).get_stream(subjects::LEDGER).await.expect("LEDGER");
    let (subject, mut next, mut found) = (subjects::ledger_block(operator), 1, Vec::new());
    while let Ok(message) = stream.get_first_raw_message_by_subject(&subject, next).await {
        next = message.sequence + 1;
        found.extend(message.headers.get("traceparent").map(ToString::to_string));
    }
    found
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
