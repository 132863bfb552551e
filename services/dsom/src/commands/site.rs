//! `dsom site …`: the list of blocked sites and accounts.

mod look;
mod propose;
mod subjects;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::desk::{AsOf, Desk, Ground, sha256_of};
use crate::Failure;
use crate::register::Route;
use propose::{Kind, propose};
use subjects::Subjects;

/// Where decisions about the list are.
const PROPOSALS: &str = "/v1/sites/proposals";

/// Blocks sites and accounts and lifts blocks, as a clerk; looks sites up
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom site show casino.example\n  dsom site search casino\n  dsom site block casino.example telegram/casino_ua --from 2026-11-23 --evidence 'приймає ставки без ліцензії' --reference 'акт 17' --evidence-file act.pdf \\\n    --law 'ст. 15' --document 'рішення 31' --document-file decision.pdf\n\nA subject is a domain, which is blocked with all its subdomains, or <platform>/<handle>. Another clerk confirms: `dsom site confirm`. Looking up and searching need no token."
)]
pub struct Site {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How a domain or an account stands: licensed, blocked, announced, lifted, unlisted
    Show {
        /// A domain, or an account as <platform>/<handle>
        subject: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Lists what was ever decided about, and how it stands
    Search {
        /// A part of the domain, or of <platform>/<handle>; without it everything
        part: Option<String>,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Proposes to block
    Block {
        #[command(flatten)]
        subjects: Subjects,
        /// What was found
        #[arg(long)]
        evidence: String,
        /// Where it is kept
        #[arg(long)]
        reference: String,
        /// The evidence itself: its SHA-256 is kept, not the file
        #[arg(long, value_name = "FILE")]
        evidence_file: PathBuf,
        /// The first day, such as 2026-11-23
        #[arg(long, value_name = "DATE", value_parser = day)]
        from: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to lift blocks
    Lift {
        #[command(flatten)]
        subjects: Subjects,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Lists what waits for another clerk, or shows what one of them holds
    Proposals {
        /// The id of one
        proposal: Option<Uuid>,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Confirms proposals of another
    Confirm {
        /// Their ids
        #[arg(required = true)]
        proposals: Vec<Uuid>,
    },
    /// Refuses a proposal, or takes one's own back
    Decline {
        /// Its id
        proposal: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Shows who decided what about the list, and when
    History {
        #[command(flatten)]
        as_of: AsOf,
    },
}

impl Site {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.what {
            What::Show { subject, as_of } => look::show(&self.desk.licensing().open()?, &subject, as_of.as_of).await,
            What::Search { part, as_of } => look::search(&self.desk.licensing().open()?, part, as_of.as_of).await,
            What::Proposals { proposal: None, as_of } => look::proposals(&self.desk.open()?, as_of.as_of).await,
            What::Proposals { proposal: Some(id), as_of } => look::proposal(&self.desk.open()?, id, as_of.as_of).await,
            What::History { as_of } => look::history(&self.desk.open()?, as_of.as_of).await,
            What::Block { subjects, evidence, reference, evidence_file, from, ground } => {
                let evidence = json!({"text": evidence, "reference": reference, "hash": sha256_of(&evidence_file)?});
                let more = json!({"evidence": evidence, "blocked_from": from});
                propose(&self.desk.open()?, Kind::Blocks, &subjects.read()?, &ground.json()?, &more).await
            }
            What::Lift { subjects, reason, ground } => {
                let more = json!({"reason": reason});
                propose(&self.desk.open()?, Kind::Lifts, &subjects.read()?, &ground.json()?, &more).await
            }
            What::Confirm { proposals } => {
                let clerk = self.desk.open()?;
                for proposal in proposals {
                    let route = Route::to(PROPOSALS).id(proposal).then("/confirmation");
                    let done = clerk.post_at(&Route::to(PROPOSALS), &route, None).await?;
                    let serial = done.body.get("serial").and_then(Value::as_u64).unwrap_or_default();
                    say!("{proposal} is decided, the list has serial {serial}");
                }
                Ok(())
            }
            What::Decline { proposal, reason } => {
                let route = Route::to(PROPOSALS).id(proposal).then("/refusal");
                let body = json!({"reason": reason});
                self.desk.open()?.post_at(&Route::to(PROPOSALS), &route, Some(&body)).await?;
                say!("{proposal} is refused");
                Ok(())
            }
        }
    }
}

/// A day as the services read one; the text as it was given.
fn day(text: &str) -> Result<String, String> {
    let read = contracts::time::UnixNanos::parse(&format!("{text}T00:00:00Z")).map(|_| text.to_owned());
    read.ok_or_else(|| "not a day such as 2026-11-23".to_owned())
}
