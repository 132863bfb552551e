//! Boots a DSOM service: configuration, telemetry, health, problem+json, tokens, shutdown.
