#![doc = include_str!("../README.md")]
//! Seals accepted records into hash chains and publishes the log.

pub mod actors;
pub mod domain;
pub mod events;
pub mod metrics;
pub mod pipeline;
pub mod storage;
