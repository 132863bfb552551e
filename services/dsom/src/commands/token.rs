//! `dsom token`: a bearer token of a development operator or person.

use contracts::OperatorId;

use super::{Data, world};
use crate::mesh::{Layout, MeshFile, keys};
use crate::{Failure, register};

/// Prints a bearer token of a development mesh: of an operator, good for 10 minutes, or of a person, good for 12 hours
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -H \"Authorization: Bearer $(dsom token --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4)\" \\\n    http://127.0.0.1:7101/v1/streams\n  curl -H \"Authorization: Bearer $(dsom token --person clerk-1 --role clerk)\" http://127.0.0.1:7103/v1/operators\n\nAn operator that is not in the register is taken through it first, by two development clerks."
)]
#[group(id = "who", required = true, multiple = false, args = ["operator", "person"])]
pub struct Token {
    #[command(flatten)]
    data: Data,
    /// The operator that the token is for
    #[arg(long, value_name = "UUID")]
    operator: Option<OperatorId>,
    /// What it may do, separated by spaces [default: all that it may]
    #[arg(long, value_name = "SCOPES", requires = "operator", default_value = "")]
    scope: String,
    /// For the sandbox in place of the market
    #[arg(long, requires = "operator")]
    sandbox: bool,
    /// Base URL of licensing, for a mesh that `dsom up` did not start here [default: what DIR/mesh.json says]
    #[arg(long, value_name = "URL", env = "DSOM_LICENSING")]
    licensing: Option<reqwest::Url>,
    /// The person that the token is for: its `sub`
    #[arg(long, value_name = "SUB", requires = "role")]
    person: Option<String>,
    /// A role of the person: clerk, chief_clerk, inspector, tax, analyst, auditor
    #[arg(long, value_name = "ROLE", requires = "person")]
    role: Vec<String>,
}

impl Token {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let layout = Layout::existing(&self.data.dir)?;
        let token = match (self.operator, self.person) {
            (Some(operator), _) => {
                let licensing = match &self.licensing {
                    Some(url) => url.as_str().trim_end_matches('/').to_owned(),
                    None => MeshFile::read(&self.data.dir)?.licensing,
                };
                register::tokens(&layout, &licensing, operator, world(self.sandbox), &self.scope).await?.token()
            }
            (None, person) => {
                let roles: Vec<&str> = self.role.iter().map(String::as_str).collect();
                keys::person_token(&layout, person.as_deref().unwrap_or_default(), &roles)?
            }
        };
        say!("{token}");
        Ok(())
    }
}
