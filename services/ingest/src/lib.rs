//! Accepts batches of records and signs receipts.
pub mod actors;
pub mod domain;
pub mod metrics;
pub mod storage;
