//! `dsom register`: the public register of licences.

use comfy_table::{Table, presets};
use serde_json::Value;

use super::desk::{AsOf, Licensing, list, word};
use crate::register::Route;
use crate::{Failure, out};

/// Shows the public register: every licence that was ever entered, and its state; nobody needs a token
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom register\n  dsom register --csv --as-of 2026-11-23T08:00:00Z > register.csv\n\nThe table shows the most needed; venues, domains and apps are in the CSV."
)]
pub struct Register {
    #[command(flatten)]
    at: Licensing,
    /// All of it as a table (RFC 4180)
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Register {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let anybody = self.at.open()?;
        let as_of = self.as_of.as_of;
        if self.csv {
            let route = Route::to("/v1/register.csv").ask_if("as_of", as_of);
            out::whole(format_args!("{}", anybody.text(&route).await?));
            return Ok(());
        }
        let shown = anybody.get(&Route::to("/v1/register").ask_if("as_of", as_of)).await?.body;
        say!("{}", table(list(&shown, "licences")));
        Ok(())
    }
}

fn table(licences: &[Value]) -> Table {
    let columns = ["number", "kind", "state", "since", "expires", "edrpou", "operator"];
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns);
    for licence in licences {
        table.add_row(columns.map(|name| word(licence, name)));
    }
    table
}
