//! Evidence checked with public keys alone: a whole log, an export, receipts.
//!
//! Nothing here asks a service for an opinion. The log may come over HTTP or from a folder saved earlier; everything else is files.

pub mod export;
pub mod log;
pub mod receipts;
pub mod source;
