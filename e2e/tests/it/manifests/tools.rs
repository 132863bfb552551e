//! kustomize and the schemas of Kubernetes, got once into the target folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// What builds and what validates.
pub struct Tools {
    kustomize: PathBuf,
    python: PathBuf,
}

impl Tools {
    /// `None`, said loudly, where there is no Go or no Python, or no network to get the rest from; with `CI` set that is a
    /// failure.
    pub fn get() -> Option<&'static Self> {
        static TOOLS: OnceLock<Result<Tools, String>> = OnceLock::new();
        match TOOLS.get_or_init(Self::make) {
            Ok(tools) => Some(tools),
            Err(why) => {
                assert!(std::env::var_os("CI").is_none(), "k8s/ can't be checked: {why}");
                eprintln!("\n*** NOT CHECKED: k8s/, {why} ***\n");
                None
            }
        }
    }

    fn make() -> Result<Self, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifests");
        std::fs::create_dir_all(&target).map_err(|error| error.to_string())?;
        let kustomize = target.join("kustomize");
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(&kustomize).arg("sigs.k8s.io/kustomize/kustomize/v5").current_dir(ours());
        run(&mut go)?;

        // Made anew when what is wanted has changed, and only then asks the network.
        let wanted = std::fs::read_to_string(ours().join("requirements.txt")).map_err(|error| error.to_string())?;
        let (venv, note) = (target.join("python"), target.join("python/wanted.txt"));
        let python = venv.join("bin/python");
        if std::fs::read_to_string(&note).ok().as_ref() != Some(&wanted) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"]);
            run(pip.current_dir(ours()))?;
            std::fs::write(&note, wanted).map_err(|error| error.to_string())?;
        }
        Ok(Self { kustomize, python })
    }

    /// What an overlay comes to.
    pub fn build(&self, overlay: &str) -> String {
        let mut kustomize = Command::new(&self.kustomize);
        let built = run(kustomize.arg("build").arg(root().join("k8s/overlays").join(overlay)));
        built.unwrap_or_else(|why| panic!("overlays/{overlay}: {why}"))
    }

    /// The documents of built manifests.
    ///
    /// # Errors
    /// One of them breaks its schema, or has none.
    pub fn documents(&self, built: &str) -> Result<Vec<Value>, String> {
        let mut validate = Command::new(&self.python);
        validate.arg(ours().join("validate.py")).arg(root().join("k8s/schemas"));
        validate.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = validate.spawn().expect("python runs");
        child.stdin.take().expect("a pipe").write_all(built.as_bytes()).expect("it reads all before it answers");
        let out = child.wait_with_output().expect("it ends");
        if out.status.success() {
            Ok(serde_json::from_slice(&out.stdout).expect("JSON"))
        } else {
            Err(String::from_utf8_lossy(&out.stderr).into_owned())
        }
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies in the workspace")
}

fn ours() -> PathBuf {
    root().join("e2e/manifests")
}

fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if out.status.success() {
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&out.stderr)))
    }
}
