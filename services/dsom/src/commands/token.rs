//! `dsom token`: a bearer token of the development issuer.

use contracts::OperatorId;

use super::Data;
use crate::Failure;
use crate::mesh::{Layout, keys};

/// Prints a bearer token of the development issuer, good for 12 hours
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -H \"Authorization: Bearer $(dsom token --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4)\" \\\n    http://127.0.0.1:7101/v1/streams"
)]
pub struct Token {
    #[command(flatten)]
    data: Data,
    /// The operator that the token is for
    #[arg(long, value_name = "UUID")]
    operator: OperatorId,
    /// What it may do, separated by spaces
    #[arg(long, value_name = "SCOPES", default_value = "records:write records:read")]
    scope: String,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        let layout = Layout::existing(&self.data.dir)?;
        println!("{}", keys::token(&layout, self.operator, &self.scope)?);
        Ok(())
    }
}
