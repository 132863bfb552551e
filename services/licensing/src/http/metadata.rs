//! What clients and services need to know of the issuer: RFC 8414 metadata and the JWK Sets of the two worlds.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use runtime::auth::ClientCert;
use runtime::openapi::JwkSet;
use serde::Serialize;
use utoipa::ToSchema;

use super::Service;

/// What clients need to know of the issuer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerMetadata)]
pub struct Metadata<'a> {
    /// `iss` of its tokens.
    issuer: &'a str,
    /// Where tokens are asked for.
    token_endpoint: &'a str,
    /// The JWK Set of the market.
    jwks_uri: String,
    /// `client_credentials` alone.
    grant_types_supported: &'static [&'static str],
    /// None: there is no authorization endpoint.
    response_types_supported: &'static [&'static str],
    /// `private_key_jwt` alone.
    token_endpoint_auth_methods_supported: &'static [&'static str],
    /// Algorithms of assertions.
    token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    /// Every scope.
    scopes_supported: &'static [&'static str],
    /// `true` where the service reads the client's certificate (RFC 8705 section 3.3); missing where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tls_client_certificate_bound_access_tokens: Option<bool>,
}

/// The metadata of the authorization server (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "tokens", security(()),
    responses((status = 200, description = "The metadata", body = Metadata))
)]
pub async fn server(service: web::Data<Arc<Service>>) -> HttpResponse {
    let metadata = Metadata {
        issuer: &service.issuer,
        token_endpoint: &service.token_endpoint,
        jwks_uri: format!("{}/jwks.json", service.issuer),
        grant_types_supported: &["client_credentials"],
        response_types_supported: &[],
        token_endpoint_auth_methods_supported: &["private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported: &["Ed25519", "EdDSA", "ES256"],
        scopes_supported: crate::domain::operator::SCOPES,
        tls_client_certificate_bound_access_tokens: (service.client_cert == ClientCert::Header).then_some(true),
    };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "max-age=300")).json(metadata)
}

/// The keys that tokens of the market verify with (RFC 7517): the one that signs, and those before and after it.
#[utoipa::path(
    get, path = "/jwks.json", tag = "tokens", security(()),
    responses((status = 200, description = "The JWK Set", content_type = "application/jwk-set+json", body = JwkSet))
)]
pub async fn live(service: web::Data<Arc<Service>>) -> HttpResponse {
    set(&service.live.jwks)
}

/// The keys that tokens of the sandbox verify with; none of them is one of the market's.
#[utoipa::path(
    get, path = "/test/jwks.json", tag = "tokens", security(()),
    responses((status = 200, description = "The JWK Set", content_type = "application/jwk-set+json", body = JwkSet))
)]
pub async fn test(service: web::Data<Arc<Service>>) -> HttpResponse {
    set(&service.test.jwks)
}

fn set(jwks: &serde_json::Value) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .body(jwks.to_string())
}
