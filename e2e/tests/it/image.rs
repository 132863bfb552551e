//! What the image is built from, as far as it can be tried without a container.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the Dockerfile runs, one instruction each, its lines joined.
fn instructions() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("Dockerfile")).expect("the Dockerfile");
    let joined = text.replace("\\\n", " ");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.lines().filter_map(|line| line.strip_prefix("RUN ")).map(words).collect()
}

fn run(command: &mut Command) {
    let out = command.output().expect("it runs");
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Lays the empty crates out with the Dockerfile's own commands, and compiles one of them as cargo does it, under our lints.
#[test]
fn the_empty_crates_of_the_image_can_be_built() {
    let instructions = instructions();
    let stubs = instructions.iter().find(|instruction| instruction.contains("main.rs")).expect("it makes empty crates");
    let (lay_out, build) = stubs.split_once(" && cargo build ").expect("then it builds them");
    let manifests = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace");
    let members = manifests.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).expect("members").0;
    let members: Vec<&str> = members.split(',').map(|member| member.trim().trim_matches('"')).collect();

    let dir = tempfile::tempdir().expect("a temporary folder");
    for member in members.into_iter().filter(|member| !member.is_empty()) {
        std::fs::create_dir_all(dir.path().join(member)).expect("a folder");
        let manifest = Path::new(member).join("Cargo.toml");
        std::fs::copy(root().join(&manifest), dir.path().join(&manifest)).expect("copied");
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::copy(root().join(file), dir.path().join(file)).expect("copied");
    }
    run(Command::new("sh").args(["-euc", lay_out]).current_dir(dir.path()));

    // Every manifest finds what it names, and the packages to build are there.
    let cargo = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(dir.path()).env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("image"));
        cargo
    };
    for package in build.split("-p ").skip(1).map(str::trim) {
        run(cargo().args(["pkgid", "--offline", "--locked", package]));
    }
    // This one depends on nothing, and is empty as the others are.
    run(cargo().args(["check", "--offline", "--locked", "-p", "dsom-e2e"]));
}
