//! Pure evidence: RFC 6962 trees, block headers, C2SP notes, checkpoints, tiles and proofs.
