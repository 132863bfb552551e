//! The operator SDK: sequencing, batching, retry for ever, receipts checked.
#![doc = include_str!("../README.md")]

mod api;
mod batch;
mod batch_key;
mod config;
mod keys;
mod pause;
mod pseudonym;
mod sender;
mod tokens;

pub use api::{Api, Refusal, SendError};
pub use batch::{Batch, Encoding};
pub use batch_key::{BadBatchKey, BatchKey};
pub use config::Config;
pub use keys::{BadReceipt, ReceiptKeys};
pub use pseudonym::pseudonym;
pub use sender::Sender;
pub use tokens::{TokenConfig, TokenError, Tokens};
