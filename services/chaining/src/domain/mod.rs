//! What chaining decides, without a clock, a disk or a network: facts come in, decisions go out.

pub mod chain;
pub mod frame;
pub mod key;
pub mod partitions;
pub mod places;
pub mod read;
