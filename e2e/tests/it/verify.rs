//! `dsom verify` as an auditor types it, against what a running mesh gives out and what was saved of it; each once more with one byte
//! changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use contracts::OperatorId;
use testkit::{DataFile, binary};

use crate::others::{Mirror, flipped};
use crate::world::World;

/// What an auditor was given, in a folder of their own.
pub struct Evidence<'a> {
    /// The mesh it comes from.
    pub world: &'a World,
    /// Whose.
    pub operator: OperatorId,
    /// All receipts of the operator's and of others, as `dsom send --receipts` wrote them.
    pub receipts: &'a Path,
    /// What was sent.
    pub files: &'a [DataFile],
    /// A proof file.
    pub proof: &'a [u8],
    /// The operator's whole chain.
    pub export: &'a [u8],
}

/// Runs `dsom verify`: its exit code, and what it said.
fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let mut dsom = Command::new(binary("dsom"));
    let out = dsom.arg("verify").args(arguments).stdin(Stdio::null()).output().expect("dsom runs");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), said)
}

/// It must be good, and say this.
fn good(arguments: &[&str], says: &str) {
    let (code, said) = verify(arguments);
    assert!(code == Some(0) && said.contains(says), "{arguments:?} ends with {code:?}, not with {says:?}: {said}");
}

/// It must be refused as evidence: 2 and more are other failures.
fn bad(arguments: &[&str]) {
    let (code, said) = verify(arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {said}");
}

impl Evidence<'_> {
    /// Everything the command can check of it.
    pub fn is_verified_and_any_change_is_seen(&self) {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            path.display().to_string()
        };
        let mesh = self.world.mesh();
        let key = put("log.vkey", format!("{}\n", mesh.log_vkey).as_bytes());
        let log = format!("{}/log", mesh.chaining);

        let proof = put("record.tlog-proof", self.proof);
        good(&["proof", &proof, "--vkey", &key], "is record ");
        bad(&["proof", &put("changed.tlog-proof", &middle_flipped(self.proof)), "--vkey", &key]);

        self.receipts(&mesh.ingest, &put);

        // The whole log: from the service, kept, and from what was kept.
        let copy = folder.path().join("log-copy");
        let at = copy.display().to_string();
        good(&["log", &log, "--vkey", &key, "--save", &at], "100000 records");
        good(&["log", &at, "--vkey", &key], "100000 records");
        let export = put("chain.dsom", self.export);
        let own: usize = self.files.iter().filter(|file| file.operator == self.operator).map(records_of).sum();
        good(&["export", &export, "--log", &log, "--vkey", &key], &format!("{own} records in "));
        // Offline.
        good(&["export", &export, "--log", &at, "--vkey", &key], &format!("{own} records in "));
        bad(&["export", &put("changed.dsom", &middle_flipped(self.export)), "--log", &at, "--vkey", &key]);

        let mirror = Mirror::start(None, files_below(&copy, "/log"));
        good(&["log", &mirror.url, "--vkey", &key], "100000 records");
        for kind in ["checkpoint", "tile/0/", "tile/entries/"] {
            let path = format!("/log/{kind}");
            let found = mirror
                .files
                .lock()
                .expect("files")
                .iter()
                .find(|(at, _)| at.starts_with(&path))
                .map(|one| one.0.clone());
            let path = found.unwrap_or_else(|| panic!("the copy has no {kind}"));
            let whole = mirror.files.lock().expect("files").get(&path).cloned().expect("a file");
            let changed = middle_flipped(&whole);
            mirror.files.lock().expect("files").insert(path.clone(), changed.clone());
            bad(&["log", &mirror.url, "--vkey", &key]);
            mirror.files.lock().expect("files").insert(path.clone(), whole.clone());
            let saved = copy.join(path.trim_start_matches("/log/"));
            std::fs::write(&saved, changed).expect("writes");
            bad(&["log", &at, "--vkey", &key]);
            std::fs::write(&saved, whole).expect("writes");
        }
    }

    /// Receipts, with the keys from the service, against what was sent; then those of one stream, changed and against changed records.
    fn receipts(&self, ingest: &str, put: &dyn Fn(&str, &[u8]) -> String) {
        let keys = format!("{ingest}/v1/receipt-keys");
        let receipts = self.receipts.display().to_string();
        let paths: Vec<String> = self.files.iter().map(|file| file.path.display().to_string()).collect();
        let mut all = vec!["receipt", &receipts, "--keys", &keys, "--records"];
        all.extend(paths.iter().map(String::as_str));
        good(&all, "for exactly the given records");

        let file = self.files.iter().find(|file| file.operator == self.operator).expect("a file");
        let own = format!("\"operator\":\"{}\",\"stream\":{},", file.operator, file.stream);
        let lines = std::fs::read_to_string(self.receipts).expect("receipts");
        let lines: String = lines.split_inclusive('\n').filter(|line| line.contains(&own)).collect();
        let (own, records) = (put("own.jsonl", lines.as_bytes()), put(&name_of(file), &file.text));
        good(&["receipt", &own, "--keys", &keys, "--records", &records], "for exactly the given records");
        let changed = put("changed.jsonl", &middle_flipped(lines.as_bytes()));
        bad(&["receipt", &changed, "--keys", &keys]);
        // The value of the last record's last member.
        let at = file.text.iter().rposition(u8::is_ascii_alphanumeric).expect("a record");
        let records = put(&name_of(file), &flipped(&file.text, at));
        bad(&["receipt", &own, "--keys", &keys, "--records", &records]);
    }
}

fn middle_flipped(bytes: &[u8]) -> Vec<u8> {
    flipped(bytes, bytes.len() / 2)
}

fn name_of(file: &DataFile) -> String {
    format!("{}.{}.ndjson", file.operator, file.stream)
}

fn records_of(file: &DataFile) -> usize {
    file.text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

/// The files of a folder and below, by their paths under `at`.
fn files_below(folder: &Path, at: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, at): (PathBuf, _) = (entry.path(), format!("{at}/{}", entry.file_name().to_string_lossy()));
        match path.is_dir() {
            true => found.extend(files_below(&path, &at)),
            false => drop(found.insert(at, std::fs::read(&path).expect("a file"))),
        }
    }
    found
}
