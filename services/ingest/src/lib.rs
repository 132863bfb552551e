//! Accepts batches of records and signs receipts.
