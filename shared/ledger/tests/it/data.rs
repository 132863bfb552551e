//! The roots of the shared input, a thousand lines at a time, against answers made by another program.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use ledger::{Frontier, leaf_hash, verify};

/// `DSOM_DATA`, or the folder beside the repository.
fn data_dir() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let dir = std::env::var_os("DSOM_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    dir.join("expected.json").exists().then_some(dir)
}

#[test]
fn roots_of_every_thousand_lines() {
    let Some(dir) = data_dir() else {
        assert!(std::env::var_os("CI").is_none(), "the shared data is missing");
        eprintln!("NOT RUN: no shared data beside the repository and no DSOM_DATA");
        return;
    };
    let expected: serde_json::Value =
        serde_json::from_reader(File::open(dir.join("expected.json")).expect("open")).expect("json");
    let mut checked = 0;
    for (operator, facts) in expected["operators"].as_object().expect("operators") {
        for (stream, facts) in facts["streams"].as_object().expect("streams") {
            let file = File::open(dir.join(format!("{operator}.{stream}.ndjson.gz"))).expect("data file");
            let lines: Vec<Vec<u8>> =
                BufReader::new(GzDecoder::new(file)).split(b'\n').collect::<Result<_, _>>().expect("lines");
            assert_eq!(lines.len() as u64, facts["records"].as_u64().expect("records"));
            let roots = facts["roots"].as_array().expect("roots");
            assert_eq!(roots.len(), lines.len().div_ceil(1000));
            for (batch, root) in lines.chunks(1000).zip(roots) {
                let frontier: Frontier = batch.iter().map(|line| leaf_hash(line)).collect();
                assert_eq!(frontier.root().to_string(), root.as_str().expect("text"), "{operator} {stream}");
                let root = frontier.root();
                let some = || batch.iter().map(Vec::as_slice);
                assert_eq!(verify::records(some(), batch.len() as u64, &root), Ok(()));
                let fewer = verify::records(some().skip(1), batch.len() as u64, &root);
                assert!(matches!(fewer, Err(verify::RecordsError::Count { .. })));
                let other = verify::records(some().rev(), batch.len() as u64, &root);
                assert!(matches!(other, Err(verify::RecordsError::Root { .. })));
                checked += batch.len();
            }
        }
    }
    assert_eq!(checked, 100_000);
}
