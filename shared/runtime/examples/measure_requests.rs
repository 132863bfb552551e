//! What the runtime costs a request: a service that only checks the token and reads the body, to be put under load with `wrk`.
//!
//! `cargo run --release -p dsom-runtime --example measure_requests` prints where it listens and a token, and serves until its input ends.
#![allow(clippy::print_stdout, reason = "its answer")]

use std::process::ExitCode;
use std::sync::Arc;

use actix_web::web;
use contracts::OperatorId;
use runtime::{ApiError, Auth, AuthConfig, Caller, Health, ServeConfig, Service, serve};
use testkit::{AUDIENCE, ISSUER, Issuer};

fn main() -> ExitCode {
    runtime::main("measure", |config: ServeConfig| async move {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("jwks.json");
        let issuer = Issuer::new();
        issuer.write_jwks(&path);
        let auth = AuthConfig {
            jwks: path.to_string_lossy().into_owned(),
            token_issuer: ISSUER.to_owned(),
            token_audience: AUDIENCE.to_owned(),
            client_cert: Default::default(),
        };
        let auth = Auth::start(&auth, None).await?;
        let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse()?;
        let service = Service {
            configure: Arc::new(|routes| {
                routes.route("/v1/streams/{stream}/batches", web::post().to(post));
            }),
            health: Health::new(),
            auth: Some(auth),
            people: None,
            openapi: String::new(),
        };
        let running = serve::start(&config, service)?;
        println!("{} {}", running.addr(), issuer.token(operator, "records:write"));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((running, async move { drop(dir) }))
    })
}

async fn post(caller: Caller, stream: web::Path<String>, body: web::Bytes) -> Result<String, ApiError> {
    caller.require("records:write")?;
    Ok(format!("{} {}", stream.len(), body.len()))
}
