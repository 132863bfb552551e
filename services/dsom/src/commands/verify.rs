//! `dsom verify`: evidence checked with public keys alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use client::ReceiptKeys;
use contracts::block::BlockHeader;
use contracts::{Hash, Height};
use ledger::batch_signature::VerifyingKey;
use ledger::note::Verifier;
use ledger::{Checkpoint, PROOF_BYTES_MAX, SIGNED_RECORD_BYTES_MAX, SignedRecord};

use crate::register::Problem;
use crate::verify::log::{Also, GoodLog, walk};
use crate::verify::source::{Source, fetch};
use crate::verify::{export, receipts};
use crate::{Failure, files};

/// A file of receipts, or a set of keys, of more bytes is refused.
const JSON_BYTES_MAX: usize = 256 << 20;
/// Longest text of a key.
const VKEY_BYTES_MAX: usize = 4096;

/// Checks evidence with public keys alone: it asks no service for an opinion
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom verify proof record.tlog-proof --vkey \"$(dsom keys)\"\n\nEvery kind has an example of its own: dsom verify export --help"
)]
pub struct Verify {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Proof(Proof),
    Signature(Signature),
    Receipt(Receipt),
    Export(Export),
    Log(Log),
}

impl Verify {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.what {
            What::Proof(proof) => proof.run(),
            What::Signature(signature) => signature.run(),
            What::Receipt(receipt) => receipt.run().await,
            What::Export(export) => export.run().await,
            What::Log(log) => log.run().await,
        }
    }
}

/// Reads a key from the command line or from the file named there.
fn vkey(given: &str) -> Result<Verifier, Failure> {
    let text = match Path::new(given).is_file() {
        true => String::from_utf8_lossy(&files::small(Path::new(given), VKEY_BYTES_MAX)?).into_owned(),
        false => given.to_owned(),
    };
    Verifier::parse(text.trim()).map_err(|error| Failure::usage("--vkey is not a key of a log").because(&error))
}

/// A file that is not what it was taken for; often it is what a service answered in place of it, kept by a client that looks at no status.
fn no_evidence(path: &Path, bytes: &[u8], what: &str, error: &dyn std::error::Error) -> Failure {
    match Problem::read(bytes) {
        Some(Problem { status, code, detail, .. }) => Failure::bad(format!(
            "{} is no evidence, but what the service answered when it was asked for some: {status} {code}: {detail}",
            path.display()
        )),
        None => Failure::bad(format!("{} {what}", path.display())).because(error),
    }
}

/// Proof files: each proves a record, by its block's header, to a signed checkpoint
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -f -H \"Authorization: Bearer $TOKEN\" -o 7.tlog-proof \\\n    http://127.0.0.1:7102/v1/records/13013f29-b9df-4b82-ad28-e51596b7e0b4/0/7/proof\n  dsom verify proof 7.tlog-proof --vkey log.vkey"
)]
struct Proof {
    /// The proof files
    #[arg(required = true, value_name = "FILE")]
    proofs: Vec<PathBuf>,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY")]
    vkey: String,
}

impl Proof {
    fn run(self) -> Result<(), Failure> {
        let key = vkey(&self.vkey)?;
        for path in &self.proofs {
            let file = files::small(path, PROOF_BYTES_MAX)?;
            let verified = ledger::verify::record_proof(&file, &key);
            let verified = verified.map_err(|error| no_evidence(path, &file, "proves nothing", &error))?;
            let (header, checkpoint) = (&verified.header, &verified.checkpoint);
            say!("{}", String::from_utf8_lossy(&verified.record));
            say!(
                "  is record {} of {} in block {} of operator {}, sealed {},",
                verified.leaf + 1,
                header.records,
                header.height,
                header.operator,
                header.sealed
            );
            say!(
                "  which is entry {} of the log {} under its checkpoint of {} entries",
                verified.index,
                checkpoint.origin,
                checkpoint.size
            );
        }
        Ok(())
    }
}

/// Signed records: each shows that its operator sent it, by the operator's own key
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -f -H \"Authorization: Bearer $TOKEN\" -o 7.signed-record \\\n    http://127.0.0.1:7102/v1/records/13013f29-b9df-4b82-ad28-e51596b7e0b4/0/7/signature\n  dsom verify signature 7.signed-record --key operator.jwk.json\n\nWhether the key was the operator's when it signed, the register of keys says."
)]
struct Signature {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The operator's public key as registered: a file with a JWK
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// The members of a JWK that make a public key; what else it says is not ours to read.
#[derive(serde::Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
}

impl Signature {
    fn run(self) -> Result<(), Failure> {
        let jwk: Jwk = serde_json::from_slice(&files::small(&self.key, VKEY_BYTES_MAX)?)
            .map_err(|error| Failure::usage("--key is not a JWK").because(&error))?;
        let key = VerifyingKey::from_jwk(&jwk.kty, &jwk.crv, &jwk.x, jwk.y.as_deref())
            .map_err(|error| Failure::usage("--key is not a public key that signs batches").because(&error))?;
        for path in &self.files {
            let bytes = files::small(path, SIGNED_RECORD_BYTES_MAX)?;
            let nothing = |error: &dyn std::error::Error| no_evidence(path, &bytes, "shows nothing", error);
            let file = SignedRecord::parse(&bytes).map_err(|error| nothing(&error))?;
            let kept = file.verify(&key).map_err(|error| nothing(&error))?;
            let signature = kept.signature();
            say!("{}", String::from_utf8_lossy(&file.record));
            say!(
                "  is record {} of {} that key {} signed for {} at {} (Unix seconds)",
                file.leaf + 1,
                file.count,
                signature.keyid(),
                kept.path(),
                signature.created_s()
            );
        }
        Ok(())
    }
}

/// Receipts: their signatures and, given the records, their roots
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -o keys.json http://127.0.0.1:7101/v1/receipt-keys\n  dsom verify receipt receipts.jsonl --keys keys.json --records ../shared/data/*.ndjson.gz"
)]
struct Receipt {
    /// Receipts, one JSON object after another, as `dsom send --receipts` writes them
    #[arg(value_name = "FILE")]
    receipts: PathBuf,
    /// The public keys of receipts (JWK Set): a file, or a URL
    #[arg(long, value_name = "KEYS")]
    keys: String,
    /// The records, in files named <operator>.<stream>.ndjson[.gz|.zst]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    records: Vec<PathBuf>,
}

impl Receipt {
    async fn run(self) -> Result<(), Failure> {
        let keys = match self.keys.starts_with("http://") || self.keys.starts_with("https://") {
            true => fetch(&reqwest::Client::new(), &self.keys, JSON_BYTES_MAX).await?,
            false => files::small(Path::new(&self.keys), JSON_BYTES_MAX)?,
        };
        let keys = ReceiptKeys::parse(&keys);
        let keys = keys.map_err(|error| Failure::usage("--keys is not a JWK Set").because(&error))?;
        let signed = receipts::signed(&files::small(&self.receipts, JSON_BYTES_MAX)?, &keys)?;
        let records: u64 = signed.claims.iter().map(|claims| claims.count).sum();
        if self.records.is_empty() {
            say!("{} receipts for {records} records: signed by the given keys", signed.claims.len());
            return Ok(());
        }
        signed.against(&self.records)?;
        say!(
            "{} receipts for {records} records: signed by the given keys, for exactly the given records",
            signed.claims.len()
        );
        Ok(())
    }
}

/// An export: every record to its block, every block to the log and its signed checkpoint
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, offline but for the first two lines:\n  curl -H \"Authorization: Bearer $TOKEN\" -o chain.dsom \\\n    http://127.0.0.1:7102/v1/export/13013f29-b9df-4b82-ad28-e51596b7e0b4\n  dsom verify log http://127.0.0.1:7102/log --vkey log.vkey --save log-copy\n  dsom verify export chain.dsom --log log-copy --vkey log.vkey"
)]
struct Export {
    /// The export, packed (.gz, .zst) or not
    #[arg(value_name = "FILE")]
    export: PathBuf,
    /// The log: a folder that `dsom verify log --save` filled, or a URL
    #[arg(long, value_name = "FOLDER|URL")]
    log: String,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY")]
    vkey: String,
}

impl Export {
    async fn run(self) -> Result<(), Failure> {
        let key = vkey(&self.vkey)?;
        let source = Source::open(&self.log)?;
        let good = export::check(&mut files::open(&self.export)?);
        let good = good.map_err(|fault| Failure::bad(format!("{}", self.export.display())).because(&fault))?;
        let mut published: BTreeMap<Height, Hash> = BTreeMap::new();
        let mut each = |entry: &[u8], header: &BlockHeader| {
            if header.operator == good.operator {
                published.insert(header.height, ledger::block_hash(entry));
            }
        };
        let log = walk(&source, &key, &Also::default(), &mut each).await?;
        for (height, hash) in &good.headers {
            match published.get(height) {
                Some(found) if found == hash => {}
                Some(_) => return Err(Failure::bad(format!("block {height} is not the one in the log"))),
                None => return Err(Failure::bad(format!("block {height} is not in the log"))),
            }
        }
        say!("operator {}: {} records in {} blocks, each proved", good.operator, good.records, good.headers.len());
        for (stream, (first, last)) in &good.streams {
            say!("  stream {stream:>3}: seq {first} to {last}, none missing");
        }
        if let (Some((first, _)), Some((last, _))) = (good.headers.first_key_value(), good.headers.last_key_value()) {
            let newest = published.last_key_value().map_or(*last, |(height, _)| *height);
            say!("  blocks {first} to {last} of the {newest} in the log");
        }
        say(&log);
        Ok(())
    }
}

/// A whole log: every chain in it, every tile, its signed checkpoint
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom verify log http://127.0.0.1:7102/log --vkey \"$(dsom keys)\" --save log-copy\n\nKept copies watch the log: with --since an earlier checkpoint it is checked that nothing under it has changed."
)]
struct Log {
    /// The log: a URL, or a folder that --save filled
    #[arg(value_name = "URL|FOLDER")]
    log: String,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY")]
    vkey: String,
    /// A checkpoint of this log from earlier, which it must still continue
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Keep what was checked in this folder
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

impl Log {
    async fn run(self) -> Result<(), Failure> {
        let key = vkey(&self.vkey)?;
        let earlier = match &self.since {
            Some(path) => {
                let opened = Checkpoint::open(&files::small(path, VKEY_BYTES_MAX * 16)?, &key);
                Some(opened.map_err(|error| Failure::bad(format!("{}", path.display())).because(&error))?)
            }
            None => None,
        };
        let also = Also { earlier, save: self.save.as_deref() };
        let log = walk(&Source::open(&self.log)?, &key, &also, &mut |_, _| {}).await?;
        say(&log);
        if let Some(earlier) = &also.earlier {
            say!("  it continues the earlier checkpoint of {} entries", earlier.size);
        }
        Ok(())
    }
}

fn say(log: &GoodLog) {
    let GoodLog { checkpoint, operators, records, tiles } = log;
    say!(
        "log {}: {} blocks of {operators} operators, {records} records, {tiles} tiles",
        checkpoint.origin,
        checkpoint.size
    );
    say!("  root {}, signed", checkpoint.root);
}
