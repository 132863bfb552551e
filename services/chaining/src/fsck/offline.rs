//! `dsom-chaining fsck DIR VKEY`: the check of everything on a store that no process serves, for stores that no longer start.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::store::Engine;
use ledger::note::Verifier;
use runtime::tell;
use serde_json::json;

use super::{Finding, Progress, Report, Scope, What, fsck};
use crate::error::with_causes;
use crate::storage::{EmbeddedStore, StorageError, Store};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Why a folder was not checked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchecked {
    /// Nothing lies there.
    Absent(String),
    /// Another process has it open.
    Held(String),
}

/// Runs the check and writes the lines that `POST /v1/fsck` answers to standard output, or why nothing was checked. Ends with 0 when
/// nothing is wrong, 1 when something is, 2 when the arguments are or no store is there, 3 when another process has it open.
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
    match check(Path::new(folder), &key) {
        Ok(report) => {
            tell(&json!({"report": report}));
            if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(Unchecked::Absent(why)) => {
            tell(&json!({"absent": why}));
            ExitCode::from(2)
        }
        Err(Unchecked::Held(why)) => {
            tell(&json!({"held": why}));
            ExitCode::from(3)
        }
    }
}

/// Checks the store of a folder. A store that can't even be opened is a finding, too; none is made in order to be checked.
///
/// # Errors
/// [`Unchecked`]
pub fn check(folder: &Path, key: &Verifier) -> Result<Report, Unchecked> {
    // What can't be listed can't be opened either, which says why.
    if !folder.exists() || std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_none()) {
        return Err(Unchecked::Absent(format!("nothing lies in {}", folder.display())));
    }
    if !Engine::is_in(folder) {
        return Ok(unusable(format!("{} has files, but not the one that makes a store of them", folder.display())));
    }
    let store: Box<dyn Store> = match EmbeddedStore::open(folder) {
        Ok(store) => Box::new(store),
        Err(StorageError::Engine { source, .. }) if source.is_held() => {
            return Err(Unchecked::Held(format!("another process has {} open", folder.display())));
        }
        Err(error) => return Ok(unusable(with_causes(&error))),
    };
    Ok(opened(store.as_ref(), key))
}

fn unusable(detail: String) -> Report {
    Report { ok: false, checked: Progress::default(), first: Some(Finding::new(What::Store, detail)) }
}

fn opened(store: &dyn Store, key: &Verifier) -> Report {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return unusable(format!("no runtime: {error}")),
    };
    let mut told = Instant::now();
    let mut progress = |progress: Progress| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(&json!({"progress": progress}));
        }
    };
    runtime.block_on(fsck(store, key, Scope::Everything, &mut progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_not_made_to_be_checked_and_one_in_use_is_not_called_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let signer = ledger::note::Signer::from_seed("log.example/dsom", &[7; 32]).expect("a key");
        let key = signer.verifier();
        let path = folder.path().join("chaining");
        assert!(matches!(check(&path, key), Err(Unchecked::Absent(_))));
        std::fs::create_dir(&path).expect("a folder");
        assert!(matches!(check(&path, key), Err(Unchecked::Absent(_))));
        assert_eq!(std::fs::read_dir(&path).expect("a folder").count(), 0, "a store was made");

        let held = EmbeddedStore::open(&path).expect("a store");
        assert!(matches!(check(&path, key), Err(Unchecked::Held(_))));
        drop(held);
        let report = check(&path, key).expect("nobody has it open");
        assert!(report.ok && report.checked == Progress::default(), "{report:?}");

        std::fs::remove_file(path.join("version")).expect("a file of the engine");
        assert!(!check(&path, key).expect("files lie there").ok, "what made it a store is gone");
    }
}
