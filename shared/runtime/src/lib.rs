//! Boots a DSOM service: configuration, telemetry, health, problem+json, tokens, shutdown.

pub mod problem;

pub use problem::ApiError;
