//! The routes of licensing: decode, one message to a desk, encode.

mod certificates;
mod form;
pub mod history;
pub mod metadata;
pub mod openapi;
pub mod operators;
pub mod people;
mod refusal;
pub mod register;
pub mod sites;
pub mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::Addr;
use actix_web::{HttpRequest, web};
use contracts::problems::Code;
use runtime::ApiError;
use runtime::auth::ClientCert;
use runtime::signing::{BadSigningKey, SigningKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::actors::sites::ListAccess;
use crate::actors::{Admissions, Desks, Directory};
use crate::domain::calendar::Calendar;
use crate::storage::Store;

pub use certificates::{BadCertificateKeys, CertificateKeys};

/// One of the two worlds: its tokens are signed with its own key, for its own audience.
pub struct World {
    /// Signs its tokens.
    pub key: SigningKey,
    /// The JWS header of its tokens.
    pub header: String,
    /// `aud` of its tokens.
    pub audience: String,
    /// Its JWK Set.
    pub jwks: Value,
}

impl World {
    /// Reads the key that signs, and the keys before and after it, which are published beside it.
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn load(key: &Path, beside: &[PathBuf], audience: &str) -> Result<Self, BadSigningKey> {
        let key = SigningKey::load(key)?;
        let mut keys = vec![key.jwk()];
        for other in beside {
            keys.push(SigningKey::load(other)?.jwk());
        }
        let header = key.header(token::TOKEN_TYP);
        Ok(Self { key, header, audience: audience.to_owned(), jwks: json!({"keys": keys}) })
    }
}

/// What the routes work with.
pub struct Service {
    /// The desks that decide.
    pub desks: Desks,
    /// Every operator, for readers.
    pub directory: Arc<Directory>,
    /// The register.
    pub store: Arc<dyn Store>,
    /// Lets assertions in.
    pub admissions: Addr<Admissions>,
    /// Time zone and holidays.
    pub calendar: Arc<Calendar>,
    /// `iss` of tokens.
    pub issuer: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// The market.
    pub live: World,
    /// The sandbox.
    pub test: World,
    /// Where the client's certificate is read from.
    pub client_cert: ClientCert,
    /// The keys of certificates.
    pub certificates: CertificateKeys,
}

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig, service: Arc<Service>, list: ListAccess) {
    sites::configure(routes, list);
    routes
        .app_data(web::Data::new(service))
        // As a resource of its own, another method is answered 405: a form in a query would end up in logs.
        .service(web::resource("/oauth2/token").route(web::post().to(token::post)))
        .route("/.well-known/oauth-authorization-server", web::get().to(metadata::server))
        .route("/jwks.json", web::get().to(metadata::live))
        .route("/test/jwks.json", web::get().to(metadata::test))
        .route("/v1/register", web::get().to(register::json))
        .route("/v1/register.csv", web::get().to(register::csv))
        .route("/v1/proposals", web::get().to(operators::waiting))
        .route("/v1/operators", web::get().to(operators::list))
        .service(
            web::resource("/v1/operators/{operator}")
                .route(web::get().to(operators::get))
                .route(web::put().to(operators::put)),
        )
        .route("/v1/operators/{operator}/history", web::get().to(history::get))
        .route("/v1/operators/{operator}/licences", web::post().to(operators::apply))
        .route("/v1/operators/{operator}/licences/{licence}/steps", web::post().to(operators::step))
        .route("/v1/operators/{operator}/proposals", web::post().to(operators::propose))
        .route("/v1/operators/{operator}/proposals/{proposal}/confirmation", web::post().to(operators::confirm))
        .route("/v1/operators/{operator}/proposals/{proposal}/refusal", web::post().to(operators::decline))
        .route("/v1/operators/{operator}/certificates", web::post().to(operators::certify));
}

/// The query of a request, every member of it known.
fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let read = web::Query::<T>::from_query(request.query_string());
    read.map(web::Query::into_inner).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// How many on a page.
fn limit(given: Option<usize>, usual: usize, most: usize) -> Result<usize, ApiError> {
    match given.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(ApiError::new(Code::BadRequest, format!("limit must be from 1 to {most}"))),
    }
}
