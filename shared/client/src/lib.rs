//! The operator SDK: sequencing, batching, retry for ever, receipts checked.
#![doc = include_str!("../README.md")]

mod api;
mod batch;
mod batch_key;
mod config;
mod keys;
mod observer;
mod pause;
mod pseudonym;
mod refusal;
mod sender;
mod token_source;
mod tokens;

pub use api::Api;
pub use batch::{Batch, Encoding};
pub use batch_key::{BadBatchKey, BatchKey};
pub use config::Config;
pub use keys::{BadReceipt, ReceiptKeys};
pub use observer::{Observer, Waiting};
pub use pseudonym::pseudonym;
pub use refusal::{BadRecord, RecordError, Refusal, SendError, Unfinished};
pub use sender::Sender;
pub use token_source::{Renewal, TokenSource};
pub use tokens::{TokenConfig, TokenError, Tokens};
