//! `dsom operator …`: operators, their keys, and the decisions about them.

mod look;

use std::path::PathBuf;

use clap::Subcommand;
use contracts::OperatorId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::desk::{AsOf, Desk, Ground, GroundIfAny, proposed, show};
use crate::register::{self, Route, days_from_now};
use crate::{Failure, out};

/// For how long a key may be used when nothing else is said, in days.
const KEY_DAYS: i64 = 365;

/// Looks into the register of operators and changes it, as a clerk
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom operator list --overdue\n  dsom operator list --csv --as-of 2026-11-23T08:00:00Z > operators.csv\n  dsom operator register 13013f29-b9df-4b82-ad28-e51596b7e0b4 --entity entity.json\n  dsom operator add-key 13013f29-b9df-4b82-ad28-e51596b7e0b4 --key key.json --law 'ст. 14' --document 'наказ 7' --document-file order.pdf\n  dsom operator confirm 13013f29-b9df-4b82-ad28-e51596b7e0b4 PROPOSAL --as clerk-2\n\nWhat grants, suspends, revokes or changes keys is proposed by one clerk and confirmed by another. Licences: `dsom licence`."
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
        /// How far it has come
        #[arg(long, value_parser = ["applying", "registered", "keys", "sandbox", "conformance", "live"])]
        stage: Option<String>,
        /// Only those that are late
        #[arg(long)]
        overdue: bool,
        /// Everything about them as a table (RFC 4180)
        #[arg(long)]
        csv: bool,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Shows one, with its licences, its keys and what waits for a second person
    Show {
        /// The operator's id
        operator: OperatorId,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Shows who did what, and when
    History {
        /// The operator's id
        operator: OperatorId,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Takes one into the register, or changes its names and contacts
    Register {
        /// The operator's id
        operator: OperatorId,
        /// JSON with edrpou, name, address, email, and brands, name_latin, phone where there are
        #[arg(long, value_name = "FILE")]
        entity: PathBuf,
    },
    /// Makes what the operator's engineer hands in: the public key and the proof that it is theirs
    KeyRequest {
        /// The operator's id
        operator: OperatorId,
        /// The private key, Ed25519 or P-256, PKCS#8 PEM; an Ed25519 key is made when it is not there
        #[arg(long, value_name = "FILE")]
        pem: PathBuf,
        /// The key of the market, or one of the sandbox
        #[arg(long, default_value = "live", value_parser = ["live", "test"])]
        env: String,
        /// Print the request that the operator makes itself, with a token of its own, in place of what a clerk is handed
        #[arg(long)]
        ask: bool,
    },
    /// Proposes that a key may sign
    AddKey {
        /// The operator's id
        operator: OperatorId,
        /// What `dsom operator key-request` printed
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// For how many days
        #[arg(long, default_value_t = KEY_DAYS)]
        days: i64,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that a key must not sign any more
    RevokeKey {
        /// The operator's id
        operator: OperatorId,
        /// The key's name, as `show` lists it
        kid: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that batches must be signed, or need not be
    RequireSignature {
        /// The operator's id
        operator: OperatorId,
        /// Whether they must
        #[arg(action = clap::ArgAction::Set)]
        required: bool,
        #[command(flatten)]
        ground: Ground,
    },
    /// Files the certificate that `dsom conformance` wrote
    Certify {
        /// The operator's id
        operator: OperatorId,
        /// The certificate
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Proposes that the operator sends records of the market
    GoLive {
        /// The operator's id
        operator: OperatorId,
        #[command(flatten)]
        ground: Ground,
    },
    /// Lists what waits for a second person
    Proposals {
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Confirms another's proposal; with a ground, takes up what the operator asked for, for another clerk to confirm
    Confirm {
        /// The operator's id
        operator: OperatorId,
        /// Its id, as `proposals` lists it
        proposal: Uuid,
        #[command(flatten)]
        ground: GroundIfAny,
    },
    /// Refuses a proposal, or takes one's own back
    Decline {
        /// The operator's id
        operator: OperatorId,
        /// Its id, as `proposals` lists it
        proposal: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

impl Operator {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let What::KeyRequest { operator, pem, env, ask } = &self.what {
            let request = register::key_request(*operator, pem, env, &self.desk.licensing().url()?).await?;
            match ask {
                true => say!("{:#}", json!({"id": Uuid::new_v4(), "decision": add_key(&request, KEY_DAYS)})),
                false => say!("{request:#}"),
            }
            return Ok(());
        }
        let clerk = self.desk.open()?;
        let (operator, decision, ground) = match self.what {
            What::KeyRequest { .. } => return Ok(()),
            What::List { q, stage, overdue, csv, as_of } => {
                let which = |route: Route| {
                    let route = route.ask_if("q", q).ask_if("stage", stage).ask_if("overdue", overdue.then_some(true));
                    route.ask_if("as_of", as_of.as_of)
                };
                return match csv {
                    true => {
                        out::whole(format_args!("{}", clerk.text(&which(Route::to("/v1/operators.csv"))).await?));
                        Ok(())
                    }
                    false => look::all(&clerk, which(Route::to("/v1/operators"))).await,
                };
            }
            What::Show { operator, as_of } => {
                let route = Route::operator(operator).ask_if("as_of", as_of.as_of);
                show(&clerk.get(&route).await?.body);
                return Ok(());
            }
            What::History { operator, as_of } => return look::history(&clerk, operator, as_of.as_of).await,
            What::Register { operator, entity } => {
                let entity = json_of(&entity)?;
                let tag = clerk.operator(operator).await?.map(|known| known.tag);
                show(&clerk.put(operator, &entity, tag.as_deref()).await?.body);
                return Ok(());
            }
            What::Certify { operator, certificate } => {
                let certificate = text_of(&certificate)?;
                let body = json!({"certificate": certificate.trim()});
                show(&clerk.post(operator, |it| it.then("/certificates"), Some(&body)).await?.body);
                return Ok(());
            }
            What::Proposals { as_of } => return look::proposals(&clerk, as_of.as_of).await,
            What::Confirm { operator, proposal, ground } => {
                let ground = ground.json()?;
                show(&clerk.confirm(operator, proposal, ground.as_ref()).await?.body);
                return Ok(());
            }
            What::Decline { operator, proposal, reason } => {
                let rest = |it: Route| it.then("/proposals").id(proposal).then("/refusal");
                show(&clerk.post(operator, rest, Some(&json!({"reason": reason}))).await?.body);
                return Ok(());
            }
            What::AddKey { operator, key, days, ground } => (operator, add_key(&json_of(&key)?, days), ground),
            What::RevokeKey { operator, kid, reason, ground } => {
                (operator, json!({"type": "revoke_key", "kid": kid, "reason": reason}), ground)
            }
            What::RequireSignature { operator, required, ground } => {
                (operator, json!({"type": "require_signature", "required": required}), ground)
            }
            What::GoLive { operator, ground } => (operator, json!({"type": "go_live"}), ground),
        };
        let proposal = clerk.propose(operator, &decision, &ground.json()?).await?;
        proposed(operator, proposal);
        Ok(())
    }
}

/// The decision that what `key-request` prints may sign.
fn add_key(request: &Value, days: i64) -> Value {
    let part = |name: &str| request.get(name).cloned().unwrap_or_default();
    json!({
        "type": "add_key", "jwk": part("jwk"), "env": part("env"), "proof": part("proof"),
        "not_before": days_from_now(0), "expires": days_from_now(days),
    })
}

fn text_of(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("could not read {}", path.display())).because(&error))
}

fn json_of(path: &std::path::Path) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(path)?)
        .map_err(|error| Failure::usage(format!("{} is no JSON", path.display())).because(&error))
}
