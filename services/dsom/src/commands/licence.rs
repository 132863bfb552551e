//! `dsom licence …`: licences, from the application to their end.

use clap::Subcommand;
use contracts::OperatorId;
use serde_json::{Value, json};

use super::desk::{Desk, Ground, proposed, show};
use crate::Failure;
use crate::register::days_from_now;

/// Takes licences through their life, as a clerk
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom licence apply 13013f29-b9df-4b82-ad28-e51596b7e0b4 --kind betting --domain example.ua\n  dsom licence suspend 13013f29-b9df-4b82-ad28-e51596b7e0b4 1 --reason 'порушення' --law 'ст. 16' --document 'наказ 9' --document-file order.pdf\n\nKinds: online_casino, land_casino, machine_hall, betting, online_poker, lottery. Decisions wait for another clerk: `dsom operator confirm`."
)]
pub struct Licence {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    what: What,
}

/// Which licence of which operator.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Which {
    operator: OperatorId,
    /// Its number among the operator's applications
    licence: u32,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Files an application
    Apply {
        operator: OperatorId,
        #[arg(long)]
        kind: String,
        #[arg(long)]
        venue: Vec<String>,
        #[arg(long)]
        domain: Vec<String>,
        #[arg(long)]
        app: Vec<String>,
    },
    /// Begins to look at an application
    Review {
        #[command(flatten)]
        which: Which,
    },
    /// Asks for the fee
    Bill {
        #[command(flatten)]
        which: Which,
        /// In minor units
        #[arg(long)]
        amount: u64,
        #[arg(long, default_value = "UAH")]
        currency: String,
    },
    /// Takes note that the fee was paid
    Pay {
        #[command(flatten)]
        which: Which,
        /// When, RFC 3339 UTC [default: now]
        #[arg(long)]
        paid_at: Option<String>,
        /// The number of the payment
        #[arg(long)]
        payment: String,
    },
    /// Proposes to grant it
    Approve {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to refuse it
    Refuse {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to enter it in the register
    Activate {
        #[command(flatten)]
        which: Which,
        /// Its number in the register
        #[arg(long)]
        number: String,
        /// How long it holds, in days
        #[arg(long, default_value_t = 1_826)]
        days: i64,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that wagers must stop
    Suspend {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that wagers may go on
    Resume {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to take it away
    Revoke {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes to take note that it is given back
    Surrender {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        ground: Ground,
    },
}

impl Licence {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let clerk = self.desk.open()?;
        let step = async |which: Which, body: Value| {
            let rest = format!("/licences/{}/steps", which.licence);
            show(&clerk.post(&which.operator.to_string(), &rest, Some(&body)).await?.body);
            Ok(())
        };
        let decision = |kind: &str, which: &Which| json!({"type": kind, "licence": which.licence});
        let (which, decision, ground) = match self.what {
            What::Apply { operator, kind, venue, domain, app } => {
                let body = json!({"kind": kind, "places": {"venues": venue, "domains": domain, "apps": app}});
                show(&clerk.post(&operator.to_string(), "/licences", Some(&body)).await?.body);
                return Ok(());
            }
            What::Review { which } => return step(which, json!({"type": "review"})).await,
            What::Bill { which, amount, currency } => {
                return step(which, json!({"type": "bill", "fee": {"amount": amount, "currency": currency}})).await;
            }
            What::Pay { which, paid_at, payment } => {
                let paid_at = paid_at.unwrap_or_else(|| days_from_now(0));
                return step(which, json!({"type": "pay", "paid_at": paid_at, "document": payment})).await;
            }
            What::Approve { which, ground } => (which, decision("approve", &which), ground),
            What::Resume { which, ground } => (which, decision("resume", &which), ground),
            What::Surrender { which, ground } => (which, decision("surrender", &which), ground),
            What::Refuse { which, reason, ground } => (which, reasoned(decision("refuse", &which), reason), ground),
            What::Suspend { which, reason, ground } => (which, reasoned(decision("suspend", &which), reason), ground),
            What::Revoke { which, reason, ground } => (which, reasoned(decision("revoke", &which), reason), ground),
            What::Activate { which, number, days, ground } => {
                let licence = which.licence;
                let expires = days_from_now(days);
                (which, json!({"type": "activate", "licence": licence, "number": number, "expires": expires}), ground)
            }
        };
        let operator = which.operator;
        let proposal = clerk.propose(&operator.to_string(), &decision, &ground.json()?).await?;
        proposed(operator, &proposal);
        Ok(())
    }
}

fn reasoned(mut decision: Value, reason: String) -> Value {
    if let Some(members) = decision.as_object_mut() {
        members.insert("reason".to_owned(), reason.into());
    }
    decision
}
