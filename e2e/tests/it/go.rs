//! Programs of `e2e/go/deploy`, which read what we deploy with other people's parsers, where Go is installed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One of them, built.
pub struct Program {
    dir: tempfile::TempDir,
    name: &'static str,
}

impl Program {
    /// Builds it. `None`, said loudly, where there is no Go or no network to get its modules from; with `CI` set that is a
    /// failure.
    pub fn build(name: &'static str) -> Option<Self> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/deploy");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(dir.path().join(name)).arg(format!("./{name}")).current_dir(&module);
        let why = match go.stdin(Stdio::null()).output() {
            Ok(built) if built.status.success() => return Some(Self { dir, name }),
            Ok(built) => String::from_utf8_lossy(&built.stderr).into_owned(),
            Err(error) => format!("go: {error}"),
        };
        assert!(std::env::var_os("CI").is_none(), "{name} does not build: {why}");
        eprintln!("\n*** NOT CHECKED WITH {name}: it does not build here ***\n{why}\n");
        None
    }

    fn run(&self, files: &[&Path]) -> Output {
        Command::new(self.dir.path().join(self.name)).args(files).output().expect("it runs")
    }

    /// It finds nothing wrong with these files.
    pub fn accepts(&self, files: &[&Path]) {
        let out = self.run(files);
        assert!(out.status.success(), "{}:\n{}", self.name, String::from_utf8_lossy(&out.stderr));
    }

    /// It finds something wrong with these files; what it says.
    pub fn refuses(&self, files: &[&Path]) -> String {
        let out = self.run(files);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{} accepted {files:?}: {said}", self.name);
        said
    }
}
