//! What a page tells people to type, typed; and libraries of others, in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Python with Authlib and dnspython; `None`, said loudly, where they can't be had and this is no CI.
pub fn python() -> Option<PathBuf> {
    let venv = root().join(".dsom/tools/python");
    let python = venv.join("bin/python3");
    let has = |python: &Path| {
        let asked = Command::new(python).args(["-c", "import authlib, dns, requests"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if !has(&python) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
        let packages = ["install", "-q", "Authlib==1.9.9", "dnspython==2.8.0", "requests==2.34.2", "cryptography"];
        let _ = made.and_then(|_| Command::new(venv.join("bin/pip")).args(packages).status());
    }
    if has(&python) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "Authlib and dnspython can't be had");
    eprintln!("\n*** NOT CHECKED WITH AUTHLIB AND DNSPYTHON: they can't be had here ***\n");
    None
}
