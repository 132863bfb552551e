//! The mesh's own nats-server: where its binary is, and its configuration.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use contracts::frame::FRAME_BYTES_MAX;
use contracts::subjects;

use super::Addresses;
use crate::Failure;

/// Oldest nats-server that keeps our promises: older ones lose what they acknowledged in some power cuts.
const VERSION_MIN: (u64, u64) = (2, 15);
/// Most bytes that JetStream may keep on disk.
const FILE_BYTES_MAX: u64 = 48 << 30;

/// Finds a nats-server that is new enough: `$NATS_SERVER`, the tools folder of `make`, the path.
///
/// # Errors
/// There is none, or it is too old.
pub fn find() -> Result<PathBuf, Failure> {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    let beside = std::env::current_exe().ok().and_then(|exe| {
        exe.ancestors().map(|folder| folder.join(".dsom/tools/nats/bin/nats-server")).find(|path| path.exists())
    });
    let candidates = named.into_iter().chain(beside).chain([PathBuf::from("nats-server")]);
    let mut seen = Vec::new();
    for candidate in candidates {
        match version(&candidate) {
            Some(version) if version >= VERSION_MIN => return Ok(candidate),
            Some((major, minor)) => seen.push(format!("{} is {major}.{minor}", candidate.display())),
            None => {}
        }
    }
    let (major, minor) = VERSION_MIN;
    let seen = if seen.is_empty() { String::new() } else { format!(" ({})", seen.join(", ")) };
    Err(Failure::unreachable(format!(
        "no nats-server of version {major}.{minor} or newer{seen}; run `make tools`, or name one in NATS_SERVER"
    )))
}

fn version(binary: &Path) -> Option<(u64, u64)> {
    let out = Command::new(binary).arg("--version").output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let mut numbers = text.rsplit('v').next()?.trim().split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Where a broker that asked nobody kept its streams.
const NO_ACCOUNT: &str = "$G";

/// Moves the streams of a broker that asked nobody to the accounts that own them now; without that they would be there and not be seen.
/// `store` is the folder of JetStream, of a server that does not run.
///
/// # Errors
/// A folder could not be moved.
pub fn settle(store: &Path) -> std::io::Result<()> {
    let accounts = store.join("jetstream");
    let old = accounts.join(NO_ACCOUNT).join("streams");
    let streams = match fs::read_dir(&old) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        streams => streams?,
    };
    for stream in streams {
        let stream = stream?;
        let account = match stream.file_name().to_str() {
            Some(subjects::REGISTRY) => "LICENSING",
            Some(subjects::SANDBOX) => "INGEST",
            _ => "STREAMS",
        };
        let new = accounts.join(account).join("streams");
        fs::create_dir_all(&new)?;
        fs::rename(stream.path(), new.join(stream.file_name()))?;
    }
    fs::remove_dir(&old)
}

/// The text of `nats.conf`, beside which `accounts.conf` lies; `store` is the folder of JetStream.
pub fn config(name: &str, store: &Path, at: Addresses) -> String {
    let payload = (FRAME_BYTES_MAX + (64 << 10)).next_multiple_of(1 << 20);
    format!(
        "# Written by dsom up at each start.\n\
         server_name: {name}\n\
         listen: \"127.0.0.1:{}\"\n\
         http: \"127.0.0.1:{}\"\n\
         max_payload: {payload}\n\
         max_pending: {}\n\
         include ./accounts.conf\n\
         jetstream {{\n  store_dir: \"{}\"\n  # What is acknowledged is on the disk.\n  sync_interval: always\n  max_memory_store: 64MB\n  max_file_store: {FILE_BYTES_MAX}\n}}\n",
        at.nats,
        at.nats_monitor,
        256 << 20,
        store.display(),
    )
}
