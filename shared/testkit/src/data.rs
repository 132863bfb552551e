//! The operators' data that stands for real input, and the answers expected of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use contracts::{OperatorId, StreamNo};
use serde_json::Value;

/// A stream of records as an operator would send it.
pub struct DataFile {
    /// Whose.
    pub operator: OperatorId,
    /// Which of its streams.
    pub stream: StreamNo,
    /// The file, gzipped.
    pub path: PathBuf,
    /// Its lines, each ended by LF.
    pub text: Vec<u8>,
}

impl DataFile {
    /// The records in batches of `lines`, each the body of a request.
    pub fn batches(&self, lines: usize) -> Vec<&[u8]> {
        let records: Vec<&[u8]> = self.text.split_inclusive(|byte| *byte == b'\n').collect();
        let lengths = records.chunks(lines).map(|batch| batch.iter().map(|line| line.len()).sum::<usize>());
        let mut rest = &self.text[..];
        lengths
            .map(|length| {
                let (batch, after) = rest.split_at(length);
                rest = after;
                batch
            })
            .collect()
    }
}

/// Where the data is: `$DSOM_DATA`, else `shared/data` beside the repository.
pub fn data_dir() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("DSOM_DATA").map_or(beside, PathBuf::from)
}

/// All streams of the data, by operator and stream.
pub fn data_files() -> Vec<DataFile> {
    let dir = data_dir();
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("no data in {}: {error}", dir.display()));
    let mut files: Vec<DataFile> = entries.filter_map(|entry| read(entry.unwrap().path())).collect();
    files.sort_by_key(|file| (file.operator, file.stream));
    files
}

/// `expected.json`: for each operator and stream the roots of its batches.
pub fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(data_dir().join("expected.json")).unwrap()).unwrap()
}

fn read(path: PathBuf) -> Option<DataFile> {
    let name = path.file_name()?.to_str()?.strip_suffix(".ndjson.gz")?;
    let (operator, stream) = name.split_once('.')?;
    let (operator, stream) = (operator.parse().unwrap(), stream.parse().unwrap());
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_end(&mut text).unwrap();
    Some(DataFile { operator, stream, path, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_hold_what_is_expected_of_them() {
        let (files, expected) = (data_files(), expected());
        let lines = usize::try_from(expected["batch_lines"].as_u64().unwrap()).unwrap();
        assert!(!files.is_empty());
        for file in files {
            let answers = &expected["operators"][file.operator.to_string()]["streams"][file.stream.to_string()];
            let batches = file.batches(lines);
            assert_eq!(batches.len(), answers["roots"].as_array().unwrap().len());
            assert_eq!(batches.concat(), file.text);
        }
    }
}
