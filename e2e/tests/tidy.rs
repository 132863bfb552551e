//! The walls of the house, checked as an ordinary test: who may name whom, how files are laid out, what no file may hold.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read its house must stop"
)]

#[path = "tidy/documents.rs"]
mod documents;

use std::fs;
use std::path::{Path, PathBuf};

/// Longest a source file may be, in lines; most are far shorter.
const FILE_LINES_MAX: usize = 450;
/// Longest `main.rs` of a service, in lines: it decides nothing.
const SERVICE_MAIN_LINES_MAX: usize = 40;

const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "clippy.toml",
    "contracts",
    "deny.toml",
    "docker-compose.yml",
    "docs",
    "e2e",
    "k8s",
    "rustfmt.toml",
    "services",
    "shared",
];
const SHARED: &[&str] = &["bus", "client", "ledger", "runtime", "store", "testkit"];
const SERVICES: &[&str] = &["barred", "chaining", "ingest", "licensing", "providers", "reporting"];
/// Of every service; a directory ends in a slash.
const SERVICE_FILES: &[&str] = &[
    "README.md",
    "Cargo.toml",
    "src/main.rs",
    "src/lib.rs",
    "src/config.rs",
    "src/error.rs",
    "src/metrics.rs",
    "src/events.rs",
    "src/domain/",
    "src/actors/",
    "src/http/",
    "src/storage/mod.rs",
    "src/storage/embedded.rs",
    "src/storage/conformance.rs",
    "tests/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies in the workspace").to_path_buf()
}

/// Files git tracks or would track, relative to the root.
fn files() -> Vec<String> {
    let out = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(out.status.success(), "the tidy test needs a git checkout");
    let all = String::from_utf8(out.stdout).expect("file names are UTF-8");
    all.lines().filter(|f| root().join(f).is_file()).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn sources() -> Vec<(String, String)> {
    files().into_iter().filter(|f| f.ends_with(".rs")).map(|f| (f.clone(), read(&f))).collect()
}

/// The part of a source before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Whether a file holds tests alone.
fn is_test(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs")
}

/// Source lines with their numbers, comments left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn services() -> Vec<String> {
    let dir = fs::read_dir(root().join("services")).expect("services exist");
    dir.map(|e| e.expect("readable").file_name().into_string().expect("UTF-8")).filter(|n| n != "dsom").collect()
}

/// Fails with every finding at once, so that one run shows all there is to mend.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} to mend:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn the_top_level_and_the_shared_crates_are_closed_lists() {
    let mut findings = Vec::new();
    for file in files() {
        let mut parts = file.split('/');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !first.starts_with('.') && !TOP_LEVEL.contains(&first) {
            findings.push(format!("{file}: {first} is not one of the top level's names"));
        }
        if first == "shared" && !SHARED.contains(&second) {
            findings.push(format!("{file}: shared/{second} is not one of the shared crates"));
        }
        if first == "services" && second != "dsom" && !SERVICES.contains(&second) {
            findings.push(format!("{file}: services/{second} is not one of the six services"));
        }
    }
    none(findings);
}

#[test]
fn services_look_alike() {
    let mut findings = Vec::new();
    for service in services() {
        for wanted in SERVICE_FILES {
            if !root().join("services").join(&service).join(wanted).exists() {
                findings.push(format!("services/{service}: {wanted} is missing"));
            }
        }
        let main = read(&format!("services/{service}/src/main.rs"));
        if main.lines().count() > SERVICE_MAIN_LINES_MAX {
            findings.push(format!("services/{service}/src/main.rs: over {SERVICE_MAIN_LINES_MAX} lines"));
        }
        let storage = read(&format!("services/{service}/src/storage/mod.rs"));
        let essay: String = storage.lines().take_while(|l| l.starts_with("//!")).collect();
        if !essay.contains("crash") {
            findings.push(format!("services/{service}/src/storage/mod.rs: does not say what a crash leaves behind"));
        }
        let lib = read(&format!("services/{service}/src/lib.rs"));
        if !lib.contains("include_str!(\"../README.md\")") {
            findings.push(format!("services/{service}/src/lib.rs: its README is not its crate's doc"));
        }
    }
    none(findings);
}

#[test]
fn dependencies_point_inward() {
    // What a crate may not name in its [dependencies].
    let mut walls: Vec<(String, Vec<&str>)> = Vec::new();
    let io = ["actix", "actix-web", "tokio", "async-nats", "fjall", "scylla", "reqwest", "tracing", "rand"];
    let ours = ["ingest", "chaining", "licensing", "providers", "barred", "reporting"];
    for (manifest, extra) in [
        ("contracts/Cargo.toml", &["ledger", "runtime", "bus", "store", "client"][..]),
        ("shared/ledger/Cargo.toml", &["runtime", "bus", "store", "client"][..]),
    ] {
        walls.push((manifest.into(), [&io[..], &ours[..], extra].concat()));
    }
    for name in ["runtime", "bus", "store", "client"] {
        walls.push((format!("shared/{name}/Cargo.toml"), ours.to_vec()));
    }
    for service in services() {
        let others = ours.iter().copied().filter(|other| *other != service).collect();
        walls.push((format!("services/{service}/Cargo.toml"), others));
    }
    walls.push(("services/dsom/Cargo.toml".into(), ours.to_vec()));

    let mut findings = Vec::new();
    for (manifest, forbidden) in walls {
        let text = read(&manifest);
        let section = text.split("\n[dependencies]").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        for line in section.lines() {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if forbidden.contains(&name) {
                findings.push(format!("{manifest}: may not depend on {name}"));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{manifest}: does not take the workspace's lints"));
        }
    }
    none(findings);
}

#[test]
fn the_domain_is_pure() {
    let forbidden = [
        "actix",
        "scylla",
        "fjall",
        "async_nats",
        "tokio",
        "tracing",
        "async fn",
        ".await",
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "rand::",
        "Uuid::new_v",
        "bus::",
        "store::",
        "runtime::",
        "crate::storage",
        "crate::http",
        "crate::actors",
        "crate::events",
        "crate::config",
    ];
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let pure = file.starts_with("contracts/src/") || file.starts_with("shared/ledger/src/");
        let domain = file.starts_with("services/") && file.contains("/src/domain/");
        if !(pure || domain) || is_test(&file) {
            continue;
        }
        for (n, line) in code_lines(without_tests(&text)) {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{file}:{n}: names {word}"));
            }
        }
    }
    none(findings);
}

#[test]
fn http_and_events_reach_storage_only_through_actors_or_the_trait() {
    let mut findings = Vec::new();
    for (file, text) in sources().iter().filter(|(f, _)| f.starts_with("services/")) {
        let engine_file = file.ends_with("/storage/embedded.rs") || file.ends_with("/storage/scylla.rs");
        let below = file.contains("/storage/embedded/") || file.contains("/storage/scylla/");
        // A test that breaks an engine names it.
        let test = file.contains("/tests/");
        if engine_file || below || test {
            continue;
        }
        for (n, line) in code_lines(without_tests(text)) {
            for engine in ["fjall::", "scylla::"].iter().filter(|engine| line.contains(**engine)) {
                findings.push(format!("{file}:{n}: names {engine} outside storage/"));
            }
        }
    }
    none(findings);
}

#[test]
fn every_source_says_what_it_is_and_stays_small() {
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let first = text.lines().find(|l| !l.starts_with("#!")).unwrap_or_default();
        if !(first.starts_with("//! ") && first.len() > 12) {
            findings.push(format!("{file}: does not begin with a //! line"));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!("{file}: {lines} lines, over {FILE_LINES_MAX}"));
        }
    }
    none(findings);
}

#[test]
fn nothing_is_unfinished_switched_off_or_dropped() {
    // Spelled in halves so that this file does not find itself.
    let words = [
        concat!("do_", "send("),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("TO", "DO"),
        concat!("allow(dead", "_code"),
    ];
    let only_in_tests = concat!("allow(clippy::unwrap", "_used");
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let may_unwrap = is_test(&file) || file.starts_with("shared/testkit/");
        for (n, line) in text.lines().enumerate() {
            let unwraps = !may_unwrap && line.contains(only_in_tests);
            let words = words.iter().filter(|word| line.contains(**word)).chain(unwraps.then_some(&only_in_tests));
            findings.extend(words.map(|word| format!("{file}:{}: {word}", n + 1)));
        }
    }
    none(findings);
}

#[test]
fn every_crate_has_a_readme() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.ends_with("/Cargo.toml")) {
        let readme = file.replace("Cargo.toml", "README.md");
        if !root().join(&readme).exists() {
            findings.push(format!("{readme} is missing"));
        }
    }
    none(findings);
}

#[test]
fn every_link_in_a_document_leads_somewhere() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.ends_with(".md")) {
        let folder = root().join(file).parent().expect("a file lies in a folder").to_path_buf();
        for target in read(file).split("](").skip(1).filter_map(|rest| rest.split(')').next().map(str::to_owned)) {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !folder.join(path).exists() {
                findings.push(format!("{file}: {target} leads nowhere"));
            }
        }
    }
    none(findings);
}
