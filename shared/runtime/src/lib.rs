//! Boots a DSOM service: configuration, telemetry, health, problem+json, tokens, shutdown.

pub mod auth;
pub mod config;
mod health;
pub mod metrics;
pub mod openapi;
mod pages;
pub mod people;
pub mod problem;
mod production;
mod query;
pub mod rates;
mod reader;
mod request;
mod run;
pub mod serve;
pub mod signing;
pub mod telemetry;

pub use auth::{Auth, AuthConfig, Caller};
pub use health::Health;
pub use people::{People, Person, Role};
pub use problem::ApiError;
pub use query::query;
pub use reader::Reader;
pub use request::REQUEST_ID_HEADER;
pub use run::{main, once, tell};
pub use serve::{Running, ServeConfig, Service};
