//! Evidence made by the tests: a log in a folder, and an operator's export of its records in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use contracts::block::{BlockHeader, StreamRange};
use contracts::export::Line;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis};
use ledger::note::Signer;
use ledger::{BundleId, Checkpoint, Edge, block_hash, encode_bundle, leaf_hash};

pub const OPERATORS: [&str; 2] = ["13013f29-b9df-4b82-ad28-e51596b7e0b4", "b802149d-d401-4b4b-b9f7-1a6bb8198295"];
/// Records of a block: two of stream 0, one of stream 1.
const PER_BLOCK: u64 = 3;

/// A log of so many blocks, the operators in turn, in `folder/log`; checkpoints of every tenth size in `folder/checkpoints`.
pub struct World {
    pub folder: tempfile::TempDir,
    pub vkey: String,
    entries: Vec<Vec<u8>>,
    signer: Signer,
}

pub fn record(operator: usize, stream: u8, seq: u64) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"id\":\"{operator}-{stream}-{seq}\"}}").into_bytes()
}

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a seq")
}

impl World {
    pub fn of(blocks: u64) -> Self {
        let signer = Signer::from_seed("log.example/dsom", &[7; 32]).expect("a key");
        let vkey = signer.verifier().to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let mut world = Self { folder, vkey, entries: Vec::new(), signer };
        let mut previous = [Hash::ZERO; 2];
        for index in 0..blocks {
            let (operator, height) = ((index % 2) as usize, index / 2 + 1);
            let leaves: Vec<Hash> = places(height).iter().map(|(s, n)| leaf_hash(&record(operator, *s, *n))).collect();
            let header = BlockHeader {
                operator: OPERATORS[operator].parse().expect("an id"),
                height: Height(height),
                previous: previous[operator],
                records: PER_BLOCK,
                total: PER_BLOCK * height,
                root: ledger::root(&leaves),
                streams: vec![
                    StreamRange { stream: StreamNo(0), first: seq(height * 2 - 1), last: seq(height * 2) },
                    StreamRange { stream: StreamNo(1), first: seq(height), last: seq(height) },
                ],
                sealed: UnixMillis(1_792_864_829_498 + index as i64),
            };
            let bytes = header.to_bytes();
            previous[operator] = block_hash(&bytes);
            world.entries.push(bytes);
        }
        world.write();
        world
    }

    fn write(&self) {
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut edge = Edge::new();
        for (tile, bytes) in edge.append(&leaves) {
            self.put(&tile.to_string(), &bytes);
        }
        for (index, chunk) in (0..).zip(self.entries.chunks(256)) {
            let bundle = BundleId::of(index, leaves.len() as u64).expect("a bundle");
            self.put(&bundle.to_string(), &encode_bundle(chunk.iter().map(Vec::as_slice)).expect("fits"));
        }
        self.put("checkpoint", self.checkpoint(leaves.len()).as_bytes());
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let at = self.log().join(path);
        fs::create_dir_all(at.parent().expect("a parent")).expect("a folder");
        fs::write(at, bytes).expect("writes");
    }

    /// The signed checkpoint of the log's first entries.
    pub fn checkpoint(&self, size: usize) -> String {
        let leaves: Vec<Hash> = self.entries[..size].iter().map(|entry| leaf_hash(entry)).collect();
        let checkpoint = Checkpoint::new("log.example/dsom", size as u64, ledger::root(&leaves));
        checkpoint.sign(&self.signer).expect("signs")
    }

    /// A checkpoint that this log's key signed for another history.
    pub fn forked(&self, size: usize) -> String {
        let checkpoint = Checkpoint::new("log.example/dsom", size as u64, leaf_hash(b"another history"));
        checkpoint.sign(&self.signer).expect("signs")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("writes");
        path.display().to_string()
    }

    /// Every file of the log.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.log()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }

    /// The export of an operator's blocks, from its first on.
    pub fn export(&self, operator: usize) -> Vec<u8> {
        let id: OperatorId = OPERATORS[operator].parse().expect("an id");
        let mut out = format!("{}{}", Line::Title, Line::Operator(id)).into_bytes();
        let own: Vec<&Vec<u8>> = self.entries.iter().skip(operator).step_by(2).collect();
        for (height, header) in (1..).zip(&own) {
            out.extend(Line::Block { bytes: header.len() }.to_string().into_bytes());
            out.extend_from_slice(header);
            for (stream, number) in places(height) {
                let bytes = record(operator, stream, number);
                let line = Line::Record { stream: StreamNo(stream), seq: seq(number), bytes: bytes.len() };
                out.extend(line.to_string().into_bytes());
                out.extend(bytes);
                out.push(b'\n');
            }
        }
        let end = Line::End { blocks: own.len() as u64, records: own.len() as u64 * PER_BLOCK };
        out.extend(end.to_string().into_bytes());
        out
    }
}

/// Stream and seq of a block's records, in its order.
fn places(height: u64) -> [(u8, u64); 3] {
    [(0, height * 2 - 1), (1, height), (0, height * 2)]
}

/// A copy of a folder.
pub fn copied(from: &Path, to: &Path) {
    let mut folders = BTreeMap::from([(from.to_owned(), to.to_owned())]);
    while let Some((from, to)) = folders.pop_first() {
        fs::create_dir_all(&to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            let at = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                folders.insert(path, at);
            } else {
                fs::copy(path, at).expect("copies");
            }
        }
    }
}
