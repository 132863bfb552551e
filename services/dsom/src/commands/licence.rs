//! `dsom licence …`: licences, from the application to their end.

use clap::Subcommand;
use contracts::OperatorId;
use contracts::registry::LicenceKind;
use serde_json::{Value, json};

use super::desk::{Desk, Ground, a_labels, list, moment, proposed, show};
use crate::Failure;
use crate::register::{Route, days_from_now};

/// Takes licences through their life, as a clerk
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom licence apply 13013f29-b9df-4b82-ad28-e51596b7e0b4 --kind betting --domain example.ua\n  dsom licence suspend 13013f29-b9df-4b82-ad28-e51596b7e0b4 1 --reason 'порушення' --law 'ст. 16' --document 'наказ 9' --document-file order.pdf\n  dsom licence place 13013f29-b9df-4b82-ad28-e51596b7e0b4 1 --domain example.ua --domain example.com.ua --law 'ст. 14' --document 'наказ 10' --document-file order.pdf\n\nDecisions wait for another clerk: `dsom operator confirm`."
)]
pub struct Licence {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    what: What,
}

/// Where a licence is used.
#[derive(Debug, clap::Args)]
struct Places {
    /// The address of a venue; repeat it for each
    #[arg(long, value_name = "ADDRESS")]
    venue: Vec<String>,
    /// A domain, which stands for its subdomains too; repeat it for each
    #[arg(long, value_name = "NAME")]
    domain: Vec<String>,
    /// The id of an app in its shop; repeat it for each
    #[arg(long, value_name = "ID")]
    app: Vec<String>,
}

/// Which licence of which operator.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Which {
    /// The operator's id
    operator: OperatorId,
    /// Its number among the operator's applications
    licence: u32,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Files an application
    Apply {
        /// The operator's id
        operator: OperatorId,
        /// What it is for
        #[arg(long, value_parser = LicenceKind::ALL.map(LicenceKind::as_str))]
        kind: String,
        #[command(flatten)]
        places: Places,
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
        /// ISO 4217
        #[arg(long, default_value = "UAH")]
        currency: String,
    },
    /// Takes note that the fee was paid
    Pay {
        #[command(flatten)]
        which: Which,
        /// When, such as 2026-11-23T08:00:00Z [default: now]
        #[arg(long, value_name = "TIME", value_parser = moment)]
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
        /// Why
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
    /// Proposes where it is used: what is named takes the place of all that was there
    #[command(group = clap::ArgGroup::new("some").args(["venue", "domain", "app"]).required(true).multiple(true))]
    Place {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        places: Places,
        #[command(flatten)]
        ground: Ground,
    },
    /// Proposes that wagers must stop
    Suspend {
        #[command(flatten)]
        which: Which,
        /// Why
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
        /// Why
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
            let rest = |it: Route| it.then("/licences").id(which.licence).then("/steps");
            show(&clerk.post(which.operator, rest, Some(&body)).await?.body);
            Ok(())
        };
        let decision = |kind: &str, which: &Which| json!({"type": kind, "licence": which.licence});
        let (which, decision, ground) = match self.what {
            What::Apply { operator, kind, places } => {
                let body = json!({"kind": kind, "places": places.json()});
                show(&clerk.post(operator, |it| it.then("/licences"), Some(&body)).await?.body);
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
            What::Place { which, places, ground } => {
                let before = clerk.get(&Route::operator(which.operator)).await?.body;
                places.tell(list(&before, "licences").iter().find(|one| one.get("id") == Some(&json!(which.licence))));
                (which, json!({"type": "place", "licence": which.licence, "places": places.json()}), ground)
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
        let proposal = clerk.propose(operator, &decision, &ground.json()?).await?;
        proposed(operator, proposal);
        Ok(())
    }
}

impl Places {
    fn json(&self) -> Value {
        json!({"venues": self.venue, "domains": self.domain, "apps": self.app})
    }

    /// Says what comes to a licence, and what goes: whoever forgets one takes it away.
    fn tell(&self, licence: Option<&Value>) {
        for (kind, named) in [("venues", &self.venue), ("domains", &self.domain), ("apps", &self.app)] {
            let before: Vec<&str> = licence
                .map(|licence| list(licence, kind))
                .unwrap_or_default()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            // Domains come back as A-labels in lower case.
            let same = |one: &str, other: &str| match kind {
                "domains" => a_labels(one) == a_labels(other),
                _ => one == other,
            };
            let tell = |what: &str, some: Vec<&str>| {
                if !some.is_empty() {
                    note!("{what} {kind}: {}", some.join(", "));
                }
            };
            tell(
                "adds",
                named.iter().map(String::as_str).filter(|one| !before.iter().any(|there| same(there, one))).collect(),
            );
            tell(
                "takes away",
                before.iter().copied().filter(|one| !named.iter().any(|named| same(named, one))).collect(),
            );
        }
    }
}

fn reasoned(mut decision: Value, reason: String) -> Value {
    if let Some(members) = decision.as_object_mut() {
        members.insert("reason".to_owned(), reason.into());
    }
    decision
}
