//! `dsom keys`: the development keys.

use super::Data;
use crate::Failure;
use crate::mesh::{Layout, keys};

/// Makes the development keys that are missing, and prints the public key of the log
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom keys --data .dsom\n\nThe keys lie in DIR/keys, readable by their owner alone:\n  issuer.pem   signs access tokens (its public half: issuer.jwks.json)\n  receipt.pem  signs receipts\n  log.key      signs checkpoints"
)]
pub struct Keys {
    #[command(flatten)]
    data: Data,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        let layout = Layout::open(&self.data.dir)?;
        keys::ensure(&layout)?;
        println!("{}", keys::log_vkey(&layout)?);
        Ok(())
    }
}
