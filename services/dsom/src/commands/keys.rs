//! `dsom keys`: the keys of a mesh, for development or for production.

use std::fs;

use super::Data;
use crate::Failure;
use crate::mesh::{Layout, keys};

/// Makes the keys that are missing, and prints the public key of the log
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom keys --data .dsom\n  dsom keys --data /etc/dsom --production --origin log.regulator.example/dsom\n\nThe keys lie in DIR/keys, readable by their owner alone:\n  token.pem, test-token.pem  sign access tokens, of the market and of the sandbox\n  receipt.pem                signs receipts\n  log.key                    signs checkpoints\n  nats-*.nk, sandbox-nats-*.nk  open NATS to each service, and to a person with the command `nats`\nand for development alone:\n  issuer.pem       signs tokens of people (its public half: issuer.jwks.json)\n  conformance.pem  signs certificates (conformance.jwks.json)\n  sandbox-receipt.pem, sandbox-log.key  those of the sandbox\n\nWhat is public of the keys for NATS is in DIR/nats-users/users.conf and DIR/sandbox/nats-users/users.conf, for the servers.\n\nWhere DSOM_PRODUCTION is true the services refuse development keys."
)]
pub struct Keys {
    #[command(flatten)]
    data: Data,
    /// Keys for production: nothing is made without --origin, and development keys are refused
    #[arg(long, env = "DSOM_PRODUCTION")]
    production: bool,
    /// Name of the log, a host name you own and a path; fixed for the log's life
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        let folder = self.data.dir.join("keys");
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::usage(format!("could not make {}", folder.display())).because(&error))?;
        let layout = Layout::existing(&self.data.dir)?;
        match (self.production, self.origin) {
            (false, None) => keys::ensure(&layout)?,
            (false, Some(_)) => {
                return Err(Failure::usage("--origin is for --production: the development log has a name"));
            }
            (true, Some(origin)) => keys::ensure_production(&layout, &origin)?,
            (true, None) => keys::require_production(&layout)?,
        }
        say!("{}", keys::log_vkey(&layout, keys::LOG)?);
        Ok(())
    }
}
