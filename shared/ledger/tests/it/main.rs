//! The ledger seen from outside: published vectors, properties, the shared data, and golden proofs made elsewhere.

mod data;
mod golden;
mod log;
mod notes;
mod tree;
