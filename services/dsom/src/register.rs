//! The register as clerks and operators' engineers reach it: requests to licensing, and development operators taken through it.

mod clerk;
mod enrol;
mod keys;
mod problem;
mod route;

pub use clerk::{Clerk, Place, Shown};
pub use enrol::{enrol, next_test_key, test_client};
pub use problem::{Problem, Wrong};
pub use route::Route;

use std::sync::Arc;

use client::Tokens;
use contracts::OperatorId;
use contracts::receipt::Env;

use crate::Failure;
use crate::mesh::Layout;

/// What an operator's engineer hands in to have a key registered: the public key and the proof that the private part is theirs, as JSON.
/// The key is made when it is not there.
///
/// # Errors
/// The key can't be written or read.
pub async fn key_request(
    operator: OperatorId,
    pem: &std::path::Path,
    env: &str,
    licensing: &str,
) -> Result<serde_json::Value, Failure> {
    let key = keys::OperatorKey::at(pem)?;
    let proof = enrol::proof(&key, operator, &enrol::issuer(licensing).await?, env);
    Ok(serde_json::json!({"operator": operator, "kid": key.kid, "env": env, "jwk": key.jwk, "proof": proof}))
}

/// A certificate of the published checks: a compact JWS by the key in a file, or by the development key of a mesh.
///
/// # Errors
/// The key is not there or can't be read.
pub fn certificate(
    pem: Option<&std::path::Path>,
    layout: impl FnOnce() -> Result<Layout, Failure>,
    claims: &serde_json::Value,
) -> Result<String, Failure> {
    let key = match pem {
        Some(pem) => keys::OperatorKey::existing(pem)?,
        None => keys::OperatorKey::new(crate::mesh::keys::read_pem(&layout()?, crate::mesh::keys::CONFORMANCE)?),
    };
    Ok(key.jws("dsom-conformance+jwt", claims))
}

/// The moment so many days from now: RFC 3339 UTC.
pub fn days_from_now(days: i64) -> String {
    enrol::moment(days * 86_400)
}

/// Tokens of a development operator for one of the worlds. The operator is taken through the register first if need be. They are renewed as long as this is held.
///
/// # Errors
/// [`Failure`]
pub async fn tokens(
    layout: &Layout,
    licensing: &str,
    operator: OperatorId,
    env: Env,
    scope: &str,
) -> Result<Arc<Tokens>, Failure> {
    let config = enrol(layout, licensing, operator, env, scope).await?;
    Tokens::start(config).await.map_err(|error| Failure::bad(format!("no token for {operator}")).because(&error))
}
