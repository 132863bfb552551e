//! `dsom operator …`: operators, their keys, and the decisions about them.

use std::path::PathBuf;

use clap::Subcommand;
use comfy_table::{Table, presets};
use contracts::OperatorId;
use serde_json::{Value, json};

use super::desk::{Desk, Ground, GroundIfAny, list, proposed, show, word};
use crate::Failure;
use crate::register::{self, days_from_now};

/// Looks into the register of operators and changes it, as a clerk
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom operator list --overdue\n  dsom operator register 13013f29-b9df-4b82-ad28-e51596b7e0b4 --entity entity.json\n  dsom operator add-key 13013f29-b9df-4b82-ad28-e51596b7e0b4 --key key.json --law 'ст. 14' --document 'наказ 7' --document-file order.pdf\n  dsom operator confirm 13013f29-b9df-4b82-ad28-e51596b7e0b4 PROPOSAL --as clerk-2\n\nWhat grants, suspends, revokes or changes keys is proposed by one clerk and confirmed by another. Licences: `dsom licence`."
)]
pub struct Operator {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists operators
    List {
        /// A part of the name, a brand, a domain, the EDRPOU code or a licence number
        #[arg(long)]
        q: Option<String>,
        /// applying, registered, keys, sandbox, conformance or live
        #[arg(long)]
        stage: Option<String>,
        /// Only those that are late
        #[arg(long)]
        overdue: bool,
    },
    /// Shows one, with what waits for a second person
    Show { operator: OperatorId },
    /// Shows who did what, and when
    History { operator: OperatorId },
    /// Takes one into the register, or changes its names and contacts
    Register {
        operator: OperatorId,
        /// JSON with edrpou, name, address, email, and brands, name_latin, phone where there are
        #[arg(long, value_name = "FILE")]
        entity: PathBuf,
    },
    /// Makes what the operator's engineer hands in: the public key and the proof that it is theirs
    KeyRequest {
        operator: OperatorId,
        /// The private key, PKCS#8 PEM; made when it is not there
        #[arg(long, value_name = "FILE")]
        pem: PathBuf,
        /// live or test
        #[arg(long, default_value = "live")]
        env: String,
    },
    /// Proposes that a key may sign
    AddKey {
        operator: OperatorId,
        /// What `dsom operator key-request` printed
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// For how many days
        #[arg(long, default_value_t = 365)]
        days: i64,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that a key must not sign any more
    RevokeKey {
        operator: OperatorId,
        kid: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that batches must be signed, or need not be
    RequireSignature {
        operator: OperatorId,
        #[arg(action = clap::ArgAction::Set)]
        required: bool,
        #[command(flatten)]
        ground: Ground,
    },
    /// Files the certificate that `dsom conformance` wrote
    Certify {
        operator: OperatorId,
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Proposes that the operator sends records of the market
    GoLive {
        operator: OperatorId,
        #[command(flatten)]
        ground: Ground,
    },
    /// Lists what waits for a second person
    Proposals,
    /// Confirms another's proposal; with a ground, takes up what the operator asked for, for another clerk to confirm
    Confirm {
        operator: OperatorId,
        proposal: String,
        #[command(flatten)]
        ground: GroundIfAny,
    },
    /// Refuses a proposal, or takes one's own back
    Decline {
        operator: OperatorId,
        proposal: String,
        #[arg(long)]
        reason: String,
    },
}

impl Operator {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let What::KeyRequest { operator, pem, env } = &self.what {
            say!("{}", register::key_request(*operator, pem, env, &self.desk.url()?).await?);
            return Ok(());
        }
        let clerk = self.desk.open()?;
        let (operator, decision, ground) = match self.what {
            What::KeyRequest { .. } => return Ok(()),
            What::List { q, stage, overdue } => {
                let mut query = vec![("limit", "500".to_owned())];
                query.extend(q.map(|q| ("q", q)));
                query.extend(stage.map(|stage| ("stage", stage)));
                query.extend(overdue.then(|| ("overdue", "true".to_owned())));
                let shown = clerk.find("/v1/operators", &query).await?;
                return table(list(&shown, "operators"));
            }
            What::Show { operator } => {
                show(&clerk.get(&format!("/v1/operators/{operator}")).await?.body);
                return Ok(());
            }
            What::History { operator } => return history(&clerk, operator).await,
            What::Register { operator, entity } => {
                let (id, entity) = (operator.to_string(), json_of(&entity)?);
                let tag = clerk.operator(&id).await?.map(|known| known.tag);
                show(&clerk.put(&id, &entity, tag.as_deref()).await?.body);
                return Ok(());
            }
            What::Certify { operator, certificate } => {
                let certificate = text_of(&certificate)?;
                let body = json!({"certificate": certificate.trim()});
                show(&clerk.post(&operator.to_string(), "/certificates", Some(&body)).await?.body);
                return Ok(());
            }
            What::Proposals => {
                return proposals(&clerk).await;
            }
            What::Confirm { operator, proposal, ground } => {
                let ground = ground.json()?;
                show(&clerk.confirm(&operator.to_string(), &proposal, ground.as_ref()).await?.body);
                return Ok(());
            }
            What::Decline { operator, proposal, reason } => {
                let rest = format!("/proposals/{proposal}/refusal");
                show(&clerk.post(&operator.to_string(), &rest, Some(&json!({"reason": reason}))).await?.body);
                return Ok(());
            }
            What::AddKey { operator, key, days, ground } => {
                let request = json_of(&key)?;
                let part = |name: &str| request.get(name).cloned().unwrap_or_default();
                let decision = json!({
                    "type": "add_key", "jwk": part("jwk"), "env": part("env"), "proof": part("proof"),
                    "not_before": days_from_now(0), "expires": days_from_now(days),
                });
                (operator, decision, ground)
            }
            What::RevokeKey { operator, kid, reason, ground } => {
                (operator, json!({"type": "revoke_key", "kid": kid, "reason": reason}), ground)
            }
            What::RequireSignature { operator, required, ground } => {
                (operator, json!({"type": "require_signature", "required": required}), ground)
            }
            What::GoLive { operator, ground } => (operator, json!({"type": "go_live"}), ground),
        };
        let proposal = clerk.propose(&operator.to_string(), &decision, &ground.json()?).await?;
        proposed(operator, &proposal);
        Ok(())
    }
}

fn table(operators: &[Value]) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["operator", "edrpou", "name", "stage", "licences", "live until"]);
    for operator in operators {
        let licences: Vec<String> = list(operator, "licences")
            .iter()
            .map(|licence| format!("{} {}", word(licence, "kind"), word(licence, "state")))
            .collect();
        let due = operator.get("integration").map(|clock| word(clock, "due")).unwrap_or_default();
        let cells = ["id", "edrpou", "name", "stage"].map(|name| word(operator, name).to_owned());
        table.add_row(cells.into_iter().chain([licences.join(", "), due.to_owned()]));
    }
    say!("{table}");
    Ok(())
}

async fn proposals(clerk: &register::Clerk) -> Result<(), Failure> {
    let mut query = vec![("limit", "500".to_owned())];
    loop {
        let page = clerk.find("/v1/proposals", &query).await?;
        for one in list(&page, "proposals") {
            let proposal = one.get("proposal").cloned().unwrap_or_default();
            let decision = proposal.get("decision").cloned().unwrap_or_default();
            let taken_up = match word(&proposal, "endorsed_by") {
                "" => String::new(),
                clerk => format!(", taken up by {clerk}"),
            };
            let (operator, id, by) = (word(one, "operator"), word(&proposal, "id"), word(&proposal, "by"));
            say!("{operator} {id}  {decision} by {by}{taken_up}");
        }
        match word(&page, "next") {
            "" => return Ok(()),
            next => query = vec![("limit", "500".to_owned()), ("after", next.to_owned())],
        }
    }
}

async fn history(clerk: &register::Clerk, operator: OperatorId) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = clerk.get(&format!("/v1/operators/{operator}/history?after={after}&limit=200")).await?.body;
        for change in list(&page, "changes") {
            let version = change.get("version").and_then(Value::as_u64).unwrap_or_default();
            let (by, fact) =
                (change.get("by").cloned().unwrap_or_default(), change.get("fact").cloned().unwrap_or_default());
            say!(
                "{version:>4} {} {} ({}) {}",
                word(change, "at"),
                word(&by, "sub"),
                word(&by, "role"),
                word(&fact, "type")
            );
            for one in list(change, "differences") {
                let shown = |name: &str| one.get(name).map_or_else(|| "-".to_owned(), Value::to_string);
                say!("       {}: {} -> {}", word(one, "pointer"), shown("before"), shown("after"));
            }
        }
        match page.get("next").and_then(Value::as_u64) {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

fn text_of(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("could not read {}", path.display())).because(&error))
}

fn json_of(path: &std::path::Path) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(path)?)
        .map_err(|error| Failure::usage(format!("{} is no JSON", path.display())).because(&error))
}
