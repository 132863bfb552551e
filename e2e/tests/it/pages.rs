//! What a page tells people to type, typed; and libraries of others, in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use testkit::binary;

use crate::world::World;

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The first block of shell lines of a page.
pub fn walk(page: &str) -> String {
    let page = std::fs::read_to_string(root().join(page)).expect("the page");
    let after = page.split("```sh\n").nth(1).expect("a block of shell");
    after.split("```").next().expect("its end").to_owned()
}

/// The blocks of shell lines of a page under a heading.
pub fn blocks(page: &str, heading: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join(page)).expect("the page");
    let (_, after) = page.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = after.split("\n## ").next().expect("its text");
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("its end").to_owned()).collect()
}

/// Runs shell lines in the mesh's folder; what they print.
pub fn shell(world: &World, lines: &str) -> String {
    let dsom = binary("dsom");
    let path = format!("{}:{}", dsom.parent().expect("a folder").display(), std::env::var("PATH").expect("PATH"));
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", lines]).current_dir(world.dir()).env("PATH", path);
    let ran = bash.env("DSOM_DATA_DIR", world.dir()).stdin(Stdio::null()).output().expect("bash runs");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

/// Python with Authlib, dnspython and what checks OpenAPI documents; `None`, said loudly, where they can't be had and this is no CI.
pub fn python() -> Option<PathBuf> {
    // Tests ask at once, and one of them installs.
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(installed).clone()
}

fn installed() -> Option<PathBuf> {
    const WANTED: &str = "import authlib, dns, requests, openapi_spec_validator";
    const PACKAGES: &[&str] =
        &["Authlib==1.9.9", "dnspython==2.8.0", "requests==2.34.2", "openapi-spec-validator==0.9.0", "cryptography"];
    let venv = root().join(".dsom/tools/python");
    let python = venv.join("bin/python3");
    let has = |python: &Path| {
        let asked = Command::new(python).args(["-c", WANTED]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if !has(&python) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
        let install = || Command::new(venv.join("bin/pip")).args(["install", "-q"]).args(PACKAGES).status();
        let _ = made.and_then(|_| install());
    }
    if has(&python) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "{} can't be had", PACKAGES.join(", "));
    eprintln!("\n*** NOT CHECKED WITH {}: they can't be had here ***\n", PACKAGES.join(", "));
    None
}

#[test]
fn the_openapi_documents_are_such_for_others_too() {
    let Some(python) = python() else { return };
    let documents = std::fs::read_dir(root().join("contracts/openapi")).expect("the documents");
    let documents: Vec<PathBuf> = documents.map(|one| one.expect("a document").path()).collect();
    assert!(documents.len() >= 3, "{documents:?}");
    // A document without a title is none.
    let broken = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(broken.path(), r#"{"openapi": "3.1.0", "info": {}, "paths": {}}"#).expect("writes");
    let check = |one: &Path| {
        let ran = Command::new(&python).args(["-m", "openapi_spec_validator"]).arg(one).output().expect("python runs");
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    for one in &documents {
        let (good, said) = check(one);
        assert!(good, "{said}");
    }
    assert!(!check(broken.path()).0, "it checks nothing");
}
