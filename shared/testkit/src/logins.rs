//! The accounts of a broker as they are shipped, with keys of the test's own.

use std::path::{Path, PathBuf};

use nkeys::{KeyPair, KeyPairType};

use crate::NatsConfig;

/// A folder with the seeds of those whom a broker knows.
pub struct NatsLogins {
    dir: tempfile::TempDir,
    accounts: String,
}

impl NatsLogins {
    /// Those of the market's broker: `chaining`, `ingest`, `licensing`, `reader`, `admin`.
    pub fn market() -> Self {
        Self::new("k8s/base/nats/accounts.conf", &["chaining", "ingest", "licensing", "reader", "admin"])
    }

    /// Those of a sandbox's: `chaining`, `ingest`, `admin`.
    pub fn sandbox() -> Self {
        Self::new("k8s/overlays/sandbox/nats/accounts.conf", &["chaining", "ingest", "admin"])
    }

    fn new(accounts: &str, users: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("dsom-logins-").tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(accounts);
        let shipped = std::fs::read_to_string(shipped).unwrap().replace("include ../nats-users/users.conf\n", "");
        let mut text = String::new();
        for user in users {
            let pair = KeyPair::new_from_raw(KeyPairType::User, rand::random()).unwrap();
            std::fs::write(dir.path().join(user), pair.seed().unwrap() + "\n").unwrap();
            text += &format!("{}: {}\n", user.to_uppercase(), pair.public_key());
        }
        Self { dir, accounts: text + &shipped }
    }

    /// The configuration of a server that lets these in and nobody else.
    pub fn config(&self) -> NatsConfig {
        NatsConfig { more: self.accounts.clone(), ..NatsConfig::default() }
    }

    /// Where a user's seed is.
    pub fn file(&self, user: &str) -> PathBuf {
        self.dir.path().join(user)
    }

    /// A user's seed.
    pub fn seed(&self, user: &str) -> String {
        std::fs::read_to_string(self.file(user)).unwrap().trim().to_owned()
    }
}
