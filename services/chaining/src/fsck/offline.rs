//! `dsom-chaining fsck DIR VKEY`: the check of everything on a store that no process serves, for stores that no longer start.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ledger::note::Verifier;
use runtime::tell;
use serde_json::json;

use super::{Finding, Progress, Report, Scope, What, fsck};
use crate::error::with_causes;
use crate::storage::{EmbeddedStore, Store};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Runs the check and writes the lines that `POST /v1/fsck` answers to standard output. Ends with 0 when nothing is wrong, 1 when
/// something is, 2 when the arguments are.
pub fn main(arguments: &[String]) -> ExitCode {
    let [folder, vkey] = arguments else {
        tell(&json!({"error": "usage: dsom-chaining fsck DIR VKEY"}));
        return ExitCode::from(2);
    };
    let key = match Verifier::parse(vkey) {
        Ok(key) => key,
        Err(error) => {
            tell(&json!({"error": with_causes(&error)}));
            return ExitCode::from(2);
        }
    };
    let report = check(Path::new(folder), &key);
    tell(&json!({"report": report}));
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks the store of a folder. A store that can't even be opened is a finding, too.
pub fn check(folder: &Path, key: &Verifier) -> Report {
    let unusable = |detail: String| Report {
        ok: false,
        checked: Progress::default(),
        first: Some(Finding::new(What::Store, detail)),
    };
    if !folder.is_dir() {
        return unusable(format!("{} is not there", folder.display()));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return unusable(format!("no runtime: {error}")),
    };
    let store: Box<dyn Store> = match EmbeddedStore::open(folder) {
        Ok(store) => Box::new(store),
        Err(error) => return unusable(with_causes(&error)),
    };
    let mut told = Instant::now();
    let mut progress = |progress: Progress| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(&json!({"progress": progress}));
        }
    };
    runtime.block_on(fsck(store.as_ref(), key, Scope::Everything, &mut progress))
}
