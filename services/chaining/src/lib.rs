//! Seals accepted records into hash chains and publishes the log.
