//! JetStream as DSOM uses it: declared streams, awaited acknowledgements, fences, rebuilt consumers.
#![doc = include_str!("../README.md")]

mod ask;
mod connect;
mod feed;
mod headers;
mod login;
mod mark;
mod metrics;
mod monitor;
mod open;
mod publish;
mod read;
mod registry;
mod sandbox;
mod streams;
mod trace;
mod trim;

pub use ask::{Answering, AskError};
pub use connect::{Bus, BusConfig, ConnectError, HalfNamed, Link};
pub use feed::{Delivery, Feed, FeedError};
pub use headers::Headers;
pub use login::{Home, Login};
pub use open::OpenError;
pub use publish::{Ack, PublishError};
pub use read::{ReadError, StoredMessage, StreamState};
pub use streams::{ALERTS_OF_SUBJECT_MAX, DeclareError, LostStreams, StreamBytes};
pub use trace::Origin;
pub use trim::{TrimError, Trimmed};
