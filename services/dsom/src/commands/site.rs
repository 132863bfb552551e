//! `dsom site …`: the list of blocked sites and accounts.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::desk::{Desk, Ground, list, sha256_of, word};
use crate::register::Clerk;
use crate::{Failure, files};

/// Most subjects of one proposal.
const SUBJECTS_MAX: usize = 2_000;
/// A longer file of subjects is refused unread: a quarter of a million of the longest names.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Where decisions about the list are.
const PROPOSALS: &str = "/v1/sites/proposals";

/// Blocks sites and accounts and lifts blocks, as a clerk; looks sites up
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom site show casino.example\n  dsom site block casino.example telegram/casino_ua --from 2026-11-23 --evidence 'приймає ставки без ліцензії' --reference 'акт 17' --evidence-file act.pdf \\\n    --law 'ст. 15' --document 'рішення 31' --document-file decision.pdf\n\nA subject is a domain, which is blocked with all its subdomains, or <platform>/<handle>. Another clerk confirms: `dsom site confirm`."
)]
pub struct Site {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    what: What,
}

/// What a decision is about.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true, args = ["subjects", "file"])]
struct Subjects {
    /// Domains, and accounts as <platform>/<handle>
    subjects: Vec<String>,
    /// A file of them, one a line; `#` begins a comment
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How a domain stands: licensed, blocked, neither
    Show { domain: String },
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
        #[arg(long, value_name = "DATE")]
        from: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to lift blocks
    Lift {
        #[command(flatten)]
        subjects: Subjects,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Lists what waits for another clerk
    Proposals,
    /// Confirms proposals of another
    Confirm {
        #[arg(required = true)]
        proposals: Vec<uuid::Uuid>,
    },
    /// Refuses a proposal, or takes one's own back
    Decline {
        proposal: uuid::Uuid,
        #[arg(long)]
        reason: String,
    },
}

impl Site {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let clerk = self.desk.open()?;
        match self.what {
            What::Show { domain } => show(&clerk, &domain).await,
            What::Block { subjects, evidence, reference, evidence_file, from, ground } => {
                let evidence = json!({"text": evidence, "reference": reference, "hash": sha256_of(&evidence_file)?});
                propose(&clerk, "blocks", &subjects.read()?, &ground.json()?, |subject| {
                    with(subject, &json!({"evidence": evidence, "blocked_from": from}))
                })
                .await
            }
            What::Lift { subjects, reason, ground } => {
                propose(&clerk, "lifts", &subjects.read()?, &ground.json()?, |subject| {
                    with(subject, &json!({"reason": reason}))
                })
                .await
            }
            What::Proposals => proposals(&clerk).await,
            What::Confirm { proposals } => {
                for proposal in proposals {
                    let done = clerk.post_at(PROPOSALS, &format!("{PROPOSALS}/{proposal}/confirmation"), None).await?;
                    let serial = done.body.get("serial").and_then(Value::as_u64).unwrap_or_default();
                    say!("{proposal} is decided, the list has serial {serial}");
                }
                Ok(())
            }
            What::Decline { proposal, reason } => {
                let path = format!("{PROPOSALS}/{proposal}/refusal");
                clerk.post_at(PROPOSALS, &path, Some(&json!({"reason": reason}))).await?;
                say!("{proposal} is refused");
                Ok(())
            }
        }
    }
}

impl Subjects {
    fn read(&self) -> Result<Vec<String>, Failure> {
        let mut all = self.subjects.clone();
        if let Some(path) = &self.file {
            all.extend(lines(path)?);
        }
        match all.is_empty() {
            true => Err(Failure::usage("there is no subject in the file")),
            false => Ok(all),
        }
    }
}

fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let bytes = files::small(path, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|error| Failure::bad(format!("{} is not UTF-8", path.display())).because(&error))?;
    let plain = text.lines().map(|line| line.split_once('#').map_or(line, |(before, _)| before).trim());
    Ok(plain.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// A subject as licensing reads it, with what is said of it.
fn with(subject: &str, more: &Value) -> Value {
    let mut form = match subject.split_once('/') {
        Some((platform, handle)) => json!({"account": {"platform": platform, "handle": handle}}),
        None => json!({"site": subject}),
    };
    if let (Some(members), Some(more)) = (form.as_object_mut(), more.as_object()) {
        members.extend(more.clone());
    }
    form
}

/// As many proposals as it takes; the id of each on standard output.
async fn propose(
    clerk: &Clerk,
    kind: &str,
    subjects: &[String],
    ground: &Value,
    form: impl Fn(&str) -> Value,
) -> Result<(), Failure> {
    let mut done = 0;
    for some in subjects.chunks(SUBJECTS_MAX) {
        let id = uuid::Uuid::new_v4();
        let forms: Vec<Value> = some.iter().map(|subject| form(subject)).collect();
        let body = json!({"id": id, "ground": ground, kind: forms});
        clerk.post_at(PROPOSALS, PROPOSALS, Some(&body)).await?;
        done += some.len();
        say!("{id}");
        note!("{done} of {} proposed; another clerk confirms with: dsom site confirm {id} --as SUB", subjects.len());
    }
    Ok(())
}

async fn proposals(clerk: &Clerk) -> Result<(), Failure> {
    let found = clerk.get(&format!("{PROPOSALS}?open=true&limit=200")).await?.body;
    for one in list(&found, "proposals") {
        let count = |name: &str| one.get(name).and_then(Value::as_u64).unwrap_or_default();
        say!(
            "{}  {} to block, {} to lift, proposed by {}, until {}",
            word(one, "id"),
            count("blocks"),
            count("lifts"),
            word(one, "by"),
            word(one, "expires")
        );
    }
    Ok(())
}

async fn show(clerk: &Clerk, domain: &str) -> Result<(), Failure> {
    let found = clerk.get(&format!("/v1/sites/{domain}")).await?.body;
    say!("{}: {}", word(&found, "domain"), word(&found, "standing"));
    say!("{}", serde_json::to_string_pretty(&found).unwrap_or_default());
    Ok(())
}
