//! The operator SDK: sequencing, batching, retry for ever, receipts checked.
