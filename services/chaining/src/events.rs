//! The bus: what comes from `TX`, what goes to `LEDGER` and `ALERTS`, and what ingest asks. Decisions are the actors'.

mod alert;
mod announce;
mod answer;
mod feed;
mod keep;
mod tell;
mod witness;

pub use alert::{log_frozen, store_damaged};
pub use announce::announce;
pub use answer::answer_frames;
pub use feed::Feeder;
pub use keep::{keep_own, keep_room};
pub use tell::{BusHerald, hear_sealed};
pub use witness::BusWitness;
