//! The routes of licensing: decode, one message to a desk, encode.

mod as_of;
mod certificates;
mod clients;
mod form;
pub mod history;
pub mod key_requests;
pub mod metadata;
pub mod openapi;
pub mod operators;
pub mod people;
mod refusal;
pub mod register;
pub mod roster;
mod schemas;
pub mod sites;
mod table;
pub mod token;
pub mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::Addr;
use actix_web::web;
use contracts::problems::Code;
use runtime::auth::{ClientCert, KeysError};
use runtime::rates::Rates;
use runtime::serve::at;
use runtime::signing::{BadSigningKey, SigningKey};
use runtime::{ApiError, Auth, AuthConfig, query};
use serde_json::{Value, json};

use crate::actors::sites::ListAccess;
use crate::actors::{Admissions, Desks, Directory};
use crate::domain::calendar::Calendar;
use crate::storage::Store;

pub use people::WriteRates;

pub use certificates::{BadCertificateKeys, CertificateKeys};

/// What both worlds have in common.
pub struct Issuer {
    /// `iss` of tokens.
    pub name: String,
    /// Where the client's certificate is read from.
    pub client_cert: ClientCert,
    /// How operators stand.
    pub directory: Arc<Directory>,
}

/// Why tokens of a world can't be given or taken.
#[derive(Debug, thiserror::Error)]
pub enum BadWorld {
    /// A key that signs.
    #[error(transparent)]
    Signing(#[from] BadSigningKey),
    /// Its public part.
    #[error(transparent)]
    Checking(#[from] KeysError),
}

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
    /// Checks its tokens, for the routes of operators here.
    pub auth: Arc<Auth>,
}

impl World {
    /// Reads the key that signs, and the keys before and after it, which are published beside it.
    ///
    /// # Errors
    /// [`BadWorld`]
    pub async fn load(key: &Path, beside: &[PathBuf], audience: &str, issuer: &Issuer) -> Result<Self, BadWorld> {
        let key = SigningKey::load(key)?;
        let mut keys = vec![key.jwk()];
        for other in beside {
            keys.push(SigningKey::load(other)?.jwk());
        }
        let header = key.header(token::TOKEN_TYP);
        let jwks = json!({"keys": keys});
        let register = Some(Arc::clone(&issuer.directory) as _);
        let auth = AuthConfig {
            jwks: String::new(),
            token_issuer: issuer.name.clone(),
            token_audience: audience.to_owned(),
            client_cert: issuer.client_cert,
        };
        let auth = Auth::of_keys(&jwks, &auth, register).await?;
        Ok(Self { key, header, audience: audience.to_owned(), jwks, auth })
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
    /// How fast each client may ask for tokens, by its id.
    pub token_rates: Rates<String>,
    /// The keys of certificates.
    pub certificates: CertificateKeys,
}

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig, service: Arc<Service>, list: ListAccess, writes: WriteRates) {
    sites::configure(routes, list);
    routes
        .app_data(writes)
        .app_data(web::Data::new(service))
        // By POST alone: a form in a query would end up in logs.
        .service(at("/oauth2/token", web::post().to(token::post)))
        .service(at("/.well-known/oauth-authorization-server", web::get().to(metadata::server)))
        .service(at("/jwks.json", web::get().to(metadata::live)))
        .service(at("/test/jwks.json", web::get().to(metadata::test)))
        .service(at("/v1/register", web::get().to(register::json)))
        .service(at("/v1/register.csv", web::get().to(register::csv)))
        .service(at("/v1/proposals", web::get().to(waiting::get)))
        .service(at("/v1/operators", web::get().to(roster::json)))
        .service(at("/v1/operators.csv", web::get().to(roster::csv)))
        .service(
            web::resource("/v1/operators/{operator}")
                .route(web::get().to(operators::get))
                .route(web::put().to(operators::put)),
        )
        .service(at("/v1/operators/{operator}/history", web::get().to(history::get)))
        .service(
            web::resource("/v1/operators/{operator}/keys/requests")
                .route(web::get().to(key_requests::get))
                .route(web::post().to(key_requests::post)),
        )
        .service(at("/v1/operators/{operator}/licences", web::post().to(operators::apply)))
        .service(at("/v1/operators/{operator}/licences/{licence}/steps", web::post().to(operators::step)))
        .service(at("/v1/operators/{operator}/proposals", web::post().to(operators::propose)))
        .service(at("/v1/operators/{operator}/proposals/{proposal}/confirmation", web::post().to(operators::confirm)))
        .service(at("/v1/operators/{operator}/proposals/{proposal}/refusal", web::post().to(operators::decline)))
        .service(at("/v1/operators/{operator}/certificates", web::post().to(operators::certify)));
}

/// How many on a page.
fn limit(given: Option<usize>, usual: usize, most: usize) -> Result<usize, ApiError> {
    match given.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(ApiError::new(Code::BadRequest, format!("limit must be from 1 to {most}"))),
    }
}
