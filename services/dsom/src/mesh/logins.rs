//! The keys with which services and people come to NATS, and the configuration of servers that know them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use nkeys::{KeyPair, KeyPairType};

use super::{Layout, keys};
use crate::Failure;

/// Who follows the market's register from a sandbox.
pub const READER: &str = "reader";

/// Those whom the market's servers know, as its `accounts.conf` names them.
const MARKET: [&str; 5] = ["chaining", "ingest", "licensing", READER, "admin"];
/// Those whom a sandbox's know.
const SANDBOX: [&str; 3] = ["chaining", "ingest", "admin"];

/// Where in its folder the key of somebody lies.
pub fn file(in_sandbox: bool, who: &str) -> String {
    format!("keys/{}nats-{who}.nk", if in_sandbox { "sandbox-" } else { "" })
}

/// All of them.
pub fn files() -> impl Iterator<Item = String> {
    worlds().flat_map(|(in_sandbox, users)| users.iter().map(move |who| file(in_sandbox, who)))
}

/// The text of `accounts.conf`: who may do what.
pub fn accounts(in_sandbox: bool) -> &'static str {
    match in_sandbox {
        false => include_str!("../../../../k8s/base/nats/accounts.conf"),
        true => include_str!("../../../../k8s/overlays/sandbox/nats/accounts.conf"),
    }
}

/// Makes the keys that are not there yet, and writes for the servers what is public of all.
///
/// # Errors
/// A file could not be written, or holds no key.
pub fn ensure(layout: &Layout) -> Result<(), Failure> {
    for (in_sandbox, users) in worlds() {
        let mut text = "# Written by dsom keys: the public keys of those in accounts.conf.\n".to_owned();
        for who in users {
            let public = ensure_key(&layout.path(&file(in_sandbox, who)))?;
            // Into a String, which takes everything.
            let _ = writeln!(text, "{}: {public}", who.to_uppercase());
        }
        let folder = layout.path(if in_sandbox { "sandbox/nats-users" } else { "nats-users" });
        let path = folder.join("users.conf");
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
        written.map_err(|error| keys::cannot("write", &path, &error))?;
    }
    Ok(())
}

fn worlds() -> impl Iterator<Item = (bool, &'static [&'static str])> {
    [(false, &MARKET[..]), (true, &SANDBOX[..])].into_iter()
}

/// The public half of the key in a file, which is made when it is not there.
fn ensure_key(path: &Path) -> Result<String, Failure> {
    if !path.exists() {
        let pair = KeyPair::new_from_raw(KeyPairType::User, rand::random());
        let seed = pair.and_then(|pair| pair.seed()).map_err(|error| Failure::bad("no key").because(&error))?;
        keys::write_secret(path, format!("{seed}\n").as_bytes())?;
    }
    let seed = fs::read_to_string(path).map_err(|error| keys::cannot("read", path, &error))?;
    let pair = KeyPair::from_seed(seed.trim()).map_err(|error| keys::cannot("read", path, &error))?;
    Ok(pair.public_key())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_stay_and_the_servers_are_told_of_all_that_their_accounts_name() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("keys")).expect("a folder");
        let layout = Layout::existing(dir.path()).expect("a folder");
        ensure(&layout).expect("made");
        let read = |file: &str| fs::read_to_string(layout.path(file)).expect("written");
        for (in_sandbox, users, count) in
            [(false, "nats-users/users.conf", 5), (true, "sandbox/nats-users/users.conf", 3)]
        {
            let first = read(users);
            ensure(&layout).expect("there already");
            assert_eq!(read(users), first);
            let told: Vec<_> = first.lines().filter_map(|line| line.split_once(": U")).map(|(who, _)| who).collect();
            let named: Vec<_> = accounts(in_sandbox).split("nkey: $").skip(1).collect();
            assert_eq!((told.len(), named.len()), (count, count));
            for who in told {
                assert!(named.iter().any(|rest| rest.starts_with(who)), "{who}");
            }
        }
        for file in files() {
            let mode = fs::metadata(layout.path(&file)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
            assert!(read(&file).starts_with("SU"), "{file}");
        }
        fs::write(layout.path(&file(false, READER)), "SUNOKEY").expect("written");
        assert!(ensure(&layout).is_err(), "no key is taken for one");
    }
}
