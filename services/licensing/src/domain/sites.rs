//! The block list: what is listed, by which decision, and the feeds that tell providers.
//!
//! The list is one entity with one history. A decision is proposed by one clerk with up to 2,000 subjects and confirmed
//! by another; nothing is ever taken out, lifting is a decision, too. The serial of the list rises by one with every
//! change of what is in force, and of the form of the zone that carries it. Whose domains are licensed is not of this history: [`licensed::Licensed`] is told by the
//! operators' own.

pub mod decide;
pub mod delta;
pub mod domain_name;
pub mod fact;
pub mod feeds;
pub mod licensed;
pub mod list;
pub mod look_up;
pub mod measure;
pub mod proposal;
pub mod public_suffix;
pub mod rpz;
pub mod serial;
pub mod standing;
pub mod state;
pub mod subject;

#[cfg(test)]
mod tests;
