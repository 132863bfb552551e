//! Tests of the list as a whole, and what they share.

mod cost;
mod decisions;
mod feeds;
mod forms;
mod look_up;
mod model;
mod zone_file;

use contracts::{Hash, OperatorId, UnixMillis};
use jiff::civil::{Date, date};
use uuid::Uuid;

use super::decide::{Circumstances, Decided, Order, Refusal};
use super::domain_name::DomainName;
use super::licensed::Licensed;
use super::list::BlockList;
use super::measure::{Block, Evidence, Lift, Measure};
use super::rpz::{Answer, Times, Zone};
use super::state::Sites;
use super::subject::{SocialAccount, Subject};
use crate::domain::history::Author;
use crate::domain::operator::fact::Ground;

const TODAY: Date = date(2026, 11, 23);
const NOW: UnixMillis = UnixMillis(1_795_413_600_000);
const LIFE_MS: i64 = 86_400_000;

/// The list, its history, and what decisions are held against.
#[derive(Default)]
struct World {
    sites: Sites,
    licensed: Licensed,
    changes: Vec<Vec<u8>>,
    later_ms: i64,
    later_days: i64,
    ids: u128,
}

impl World {
    fn now(&self) -> UnixMillis {
        UnixMillis(NOW.0 + self.later_ms)
    }

    fn around(&self) -> Circumstances<'_> {
        let day = TODAY.checked_add(jiff::Span::new().days(self.later_days)).expect("a date");
        Circumstances { now: self.now(), day, proposal_life_ms: LIFE_MS, licensed: &self.licensed }
    }

    fn list(&self) -> &BlockList {
        self.sites.list()
    }

    /// Decides, and takes the change in.
    fn order(&mut self, order: Order, by: &str) -> Result<(), Refusal> {
        match self.sites.decide(order, &clerk(by), None, self.around())? {
            Decided::Already => {}
            Decided::Change(change) => {
                self.sites.follow(&change.bytes).expect("what is decided follows");
                self.changes.push(change.bytes);
            }
        }
        Ok(())
    }

    fn propose(&mut self, measure: Measure) -> Result<Uuid, Refusal> {
        self.ids += 1;
        let proposal = Uuid::from_u128(self.ids);
        self.order(Order::Propose { proposal, measure, ground: ground("R-101") }, "ann").map(|()| proposal)
    }

    /// Proposes and confirms.
    fn carry_out(&mut self, measure: Measure) -> Result<(), Refusal> {
        let proposal = self.propose(measure)?;
        self.order(Order::Confirm { proposal }, "bob")
    }

    fn block(&mut self, subject: Subject) {
        self.carry_out(blocks([subject])).expect("can be blocked");
    }

    fn lift(&mut self, subject: Subject) {
        self.carry_out(lifts([subject])).expect("can be lifted");
    }
}

fn clerk(sub: &str) -> Author {
    Author { sub: sub.to_owned(), role: "clerk".to_owned() }
}

fn domain(text: &str) -> DomainName {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn site(text: &str) -> Subject {
    Subject::Site(domain(text))
}

fn account(platform: &str, handle: &str) -> Subject {
    let platform = platform.parse().expect("a platform");
    Subject::Account(SocialAccount { platform, handle: handle.parse().expect("a handle") })
}

fn operator(n: u8) -> OperatorId {
    format!("13013f29-b9df-4b82-ad28-e51596b7e0{n:02x}").parse().expect("a UUID")
}

fn ground(document: &str) -> Ground {
    Ground {
        law: "Law 768-IX, art. 16".parse().expect("a line"),
        document: document.parse().expect("a line"),
        document_hash: Hash([9; 32]),
    }
}

fn block_from(subject: Subject, blocked_from: Date) -> Block {
    let evidence = Evidence {
        text: "takes bets without a licence".parse().expect("a line"),
        reference: "case 17/2026".parse().expect("a line"),
        hash: Hash([7; 32]),
    };
    Block { subject, evidence, blocked_from }
}

fn blocks(subjects: impl IntoIterator<Item = Subject>) -> Measure {
    let blocks = subjects.into_iter().map(|subject| block_from(subject, TODAY)).collect();
    Measure::new(blocks, vec![]).expect("a measure")
}

fn lifts(subjects: impl IntoIterator<Item = Subject>) -> Measure {
    let lift = |subject| Lift { subject, reason: "the court said so".parse().expect("a line") };
    Measure::new(vec![], subjects.into_iter().map(lift).collect()).expect("a measure")
}

fn zone() -> Zone {
    Zone {
        origin: domain("rpz.example.ua"),
        server: domain("ns.example.ua"),
        contact: domain("hostmaster.example.ua"),
        answer: Answer::NoSuchName,
        times: Times::default(),
    }
}
