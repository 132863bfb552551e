//! Golden proofs.
