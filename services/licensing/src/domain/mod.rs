//! What licensing decides, without a clock, a disk or a network: facts come in, decisions go out.

pub mod calendar;
pub mod client;
pub mod edrpou;
pub mod history;
pub mod operator;
pub mod sites;
pub(crate) mod tagged;
pub mod text;
