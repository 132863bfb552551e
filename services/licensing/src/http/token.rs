//! `POST /oauth2/token`: client credentials with `private_key_jwt` (RFC 6749 section 4.4, RFC 7523), access tokens as RFC 9068 has them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest::{SHA256, digest};
use contracts::UnixMillis;
use contracts::registry::Env;
use futures::StreamExt;
use runtime::auth::Thumbprint;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{Service, World, schemas};
use crate::actors::{Admit, now};
use crate::domain::client::{self, ClientId};
use crate::domain::operator::keys::{JWS_BYTES_MAX, Jws};
use crate::domain::operator::{Operator, USUAL_SCOPES};
use crate::metrics;
use crate::storage::Admission;

/// How long an access token is good for, in seconds.
pub const TOKEN_S: i64 = 600;
/// `typ` of an access token (RFC 9068).
pub const TOKEN_TYP: &str = "at+jwt";
/// Largest form.
const FORM_BYTES_MAX: usize = JWS_BYTES_MAX + 4 * 1024;
/// How long letting an assertion in may take.
const ADMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The code of RFC 8628 section 3.5, there of a client that asks too often as well.
pub const SLOW_DOWN: &str = "slow_down";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An access token (RFC 6749 section 5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct Granted {
    /// A JWT as RFC 9068 has it.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// For how many seconds it is good.
    expires_in: i64,
    /// Its scopes, with spaces between.
    scope: String,
}

/// Why there is no token (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenRefusal)]
pub struct Refused {
    #[schema(value_type = schemas::tokens::TokenErrorCode)]
    error: &'static str,
    /// The same for people.
    error_description: String,
}

/// A refusal as RFC 6749 section 5.2 has it.
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after_s: Option<u32>,
}

fn refuse<T>(status: StatusCode, error: &'static str, description: impl Into<String>) -> Result<T, OAuthError> {
    Err(OAuthError { status, error, description: description.into(), retry_after_s: None })
}

fn invalid_client<T>(description: impl Into<String>) -> Result<T, OAuthError> {
    refuse(StatusCode::UNAUTHORIZED, "invalid_client", description)
}

fn invalid_request<T>(description: impl Into<String>) -> Result<T, OAuthError> {
    refuse(StatusCode::BAD_REQUEST, "invalid_request", description)
}

/// The members of the form that matter; others are ignored (RFC 6749 section 3.2).
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    assertion_type: Option<String>,
    assertion: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
}

impl Form {
    fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        let Ok(pairs) = serde_urlencoded(body) else { return invalid_request("the body is no form") };
        let mut form = Self::default();
        for (name, value) in pairs {
            let place = match name.as_str() {
                "grant_type" => &mut form.grant_type,
                "client_assertion_type" => &mut form.assertion_type,
                "client_assertion" => &mut form.assertion,
                "client_id" => &mut form.client_id,
                "scope" => &mut form.scope,
                "client_secret" => return invalid_client("there are no client secrets: use private_key_jwt"),
                _ => continue,
            };
            if place.replace(value).is_some() {
                return invalid_request(format!("{name} is there twice"));
            }
        }
        Ok(form)
    }
}

fn serde_urlencoded(body: &[u8]) -> Result<Vec<(String, String)>, ()> {
    let text = std::str::from_utf8(body).map_err(|_| ())?;
    web::Query::<Vec<(String, String)>>::from_query(text).map(web::Query::into_inner).map_err(|_| ())
}

/// Gives an access token for a signed assertion.
///
/// The form has `grant_type=client_credentials`, `client_assertion_type` as RFC 7523 names it, and `client_assertion`: a JWT by one of the
/// client's registered keys with `iss` and `sub` the client id, `aud` the issuer or this address, `exp` at most an hour ahead, and a `jti`
/// that was not used before. `scope` may ask for less than the usual
/// `records:write records:read`, or for `keys:propose`. Where the service reads the client's certificate, a
/// token that is asked for with one is bound to it (`cnf`, RFC 8705) and good with it alone.
#[utoipa::path(
    post, path = "/oauth2/token", tag = "tokens", security(()),
    request_body(content = schemas::tokens::TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = Granted),
        (status = 400, description = "The request is refused", body = Refused),
        (status = 401, description = "`invalid_client`", body = Refused),
        (
            status = 429, description = "`slow_down`: the client asks too fast", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait before the next request"))
        ),
        (
            status = 503, description = "`temporarily_unavailable`", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait before the next request"))
        ),
    )
)]
pub async fn post(request: HttpRequest, payload: web::Payload, service: web::Data<Arc<Service>>) -> HttpResponse {
    let mut answer = match grant(&request, payload, &service).await {
        Ok(granted) => {
            metrics::token("granted");
            HttpResponse::Ok().json(granted)
        }
        Err(OAuthError { status, error, description, retry_after_s }) => {
            metrics::token(error);
            let mut answer = HttpResponse::build(status);
            if let Some(seconds) = retry_after_s {
                answer.insert_header((RETRY_AFTER, seconds));
            }
            if let Some(challenge) = challenge(&request).filter(|_| status == StatusCode::UNAUTHORIZED) {
                answer.insert_header((WWW_AUTHENTICATE, challenge));
            }
            answer.json(Refused { error, error_description: plain(&description) })
        }
    };
    // RFC 6749 section 5.1.
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, actix_web::http::header::HeaderValue::from_static("no-cache"));
    answer
}

/// What is said to a client that tried the Authorization header, in its own scheme (RFC 6749 section 5.2).
fn challenge(request: &HttpRequest) -> Option<&'static str> {
    let given = request.headers().get(AUTHORIZATION)?.to_str().unwrap_or_default();
    let scheme = given.split(' ').next().unwrap_or_default();
    Some(if scheme.eq_ignore_ascii_case("bearer") { "Bearer" } else { "Basic realm=\"dsom\"" })
}

/// A description as RFC 6749 section 5.2 lets it be written: ASCII, without quotation marks and backslashes.
fn plain(description: &str) -> String {
    let allowed = |c: char| match c {
        '"' | '\\' => '\'',
        ' '..='~' => c,
        _ => '?',
    };
    description.chars().map(allowed).collect()
}

async fn grant(request: &HttpRequest, mut payload: web::Payload, service: &Service) -> Result<Granted, OAuthError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return invalid_request("Content-Type must be application/x-www-form-urlencoded");
    }
    if request.headers().contains_key(AUTHORIZATION) {
        return invalid_client("use private_key_jwt, and no Authorization header beside it");
    }
    // Before the assertion is used up: a proxy with wrong settings costs the client none.
    let certificate = match service.client_cert.thumbprint(request.headers()) {
        Ok(certificate) => certificate,
        Err(error) => return invalid_request(error.to_string()),
    };
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let Ok(chunk) = chunk else { return invalid_request("the body was cut short") };
        if body.len() + chunk.len() > FORM_BYTES_MAX {
            return invalid_request(format!("the form has more than {FORM_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let form = Form::parse(&body)?;
    match form.grant_type.as_deref() {
        None => return invalid_request("grant_type is missing"),
        Some("client_credentials") => {}
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", "only client_credentials"),
    }
    let (Some(ASSERTION_TYPE), Some(assertion)) = (form.assertion_type.as_deref(), &form.assertion) else {
        return invalid_client(format!("client_assertion_type must be {ASSERTION_TYPE}, with a client_assertion"));
    };
    let proved = prove(service, assertion, form.client_id.as_deref()).await?;
    service.access_token(&proved, form.scope.as_deref(), certificate)
}

/// A client that has proved itself.
struct Proved {
    client: ClientId,
    operator: Arc<Operator>,
    kid: String,
}

async fn prove(service: &Service, assertion: &str, client_id: Option<&str>) -> Result<Proved, OAuthError> {
    let refused = |error: client::BadAssertion| OAuthError {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        description: error.to_string(),
        retry_after_s: None,
    };
    let jws = Jws::parse(assertion).map_err(|error| refused(error.into()))?;
    let client = client::claimed(&jws).map_err(refused)?;
    if client_id.is_some_and(|given| given != client.to_string()) {
        return invalid_client("client_id is not the one of the assertion");
    }
    let Some(operator) = service.directory.get(client.operator) else {
        return invalid_client(format!("the register knows no client {client}"));
    };
    let now = now();
    let audiences = [service.issuer.as_str(), service.token_endpoint.as_str()];
    let checked = client::check(&jws, client, &operator, audiences, now).map_err(refused)?;
    // By who has proved itself alone: nobody can use up another's rate. Before the assertion is: it may be sent again.
    service.token_rates.take(client.to_string(), 1, now).map_err(|over| OAuthError {
        status: StatusCode::TOO_MANY_REQUESTS,
        error: SLOW_DOWN,
        description: over.to_string(),
        retry_after_s: Some(over.wait_s),
    })?;
    if !admit(service, client, &checked.jti, checked.expires).await? {
        return invalid_client("jti was used before: make a new assertion for each request");
    }
    Ok(Proved { client, operator, kid: checked.kid })
}

async fn admit(service: &Service, client: ClientId, jti: &str, expires: UnixMillis) -> Result<bool, OAuthError> {
    let unavailable = || OAuthError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: "temporarily_unavailable",
        description: "whether the assertion was used before can't be said now: ask again with a new one".to_owned(),
        retry_after_s: Some(1),
    };
    let named = digest(&SHA256, format!("{client}\0{jti}").as_bytes());
    let Ok(digest) = named.as_ref().try_into() else { return Err(unavailable()) };
    let (answer, answered) = oneshot::channel();
    let sent = service.admissions.try_send(Admit { assertion: Admission { digest, expires }, answer });
    if sent.is_err() {
        return Err(unavailable());
    }
    match tokio::time::timeout(ADMIT_TIMEOUT, answered).await {
        Ok(Ok(Ok(let_in))) => Ok(let_in),
        Ok(Ok(Err(error))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "an assertion could not be let in");
            Err(unavailable())
        }
        _ => Err(unavailable()),
    }
}

impl Service {
    fn world(&self, env: Env) -> &World {
        match env {
            Env::Live => &self.live,
            Env::Test => &self.test,
        }
    }

    fn access_token(
        &self,
        proved: &Proved,
        wanted: Option<&str>,
        certificate: Option<Thumbprint>,
    ) -> Result<Granted, OAuthError> {
        let Proved { client, operator, kid } = proved;
        let allowed = operator.scopes(client.env);
        if allowed.is_empty() {
            let stage = json!(operator.stage());
            let stage = stage.as_str().unwrap_or_default();
            let why = format!("the operator is at the stage {stage}: a live client gets tokens once it is live");
            return refuse(StatusCode::BAD_REQUEST, "unauthorized_client", why);
        }
        let wanted: Vec<&str> = wanted.unwrap_or_default().split_ascii_whitespace().collect();
        if let Some(other) = wanted.iter().find(|one| !allowed.contains(one)) {
            let why = format!("{other:.64} is not one of {}", allowed.join(" "));
            return refuse(StatusCode::BAD_REQUEST, "invalid_scope", why);
        }
        let scope = if wanted.is_empty() { USUAL_SCOPES } else { &wanted }.join(" ");
        let world = self.world(client.env);
        let iat = now().0.div_euclid(1000);
        let mut claims = json!({
            "iss": self.issuer, "sub": client.operator, "client_id": client.to_string(), "aud": world.audience,
            "scope": scope, "iat": iat, "exp": iat + TOKEN_S, "jti": uuid::Uuid::new_v4(), "client_key": kid,
        });
        if let (Some(certificate), Some(members)) = (certificate, claims.as_object_mut()) {
            members.insert("cnf".to_owned(), certificate.cnf());
        }
        let token = world.key.jws(&world.header, claims.to_string().as_bytes());
        Ok(Granted { access_token: token, token_type: "Bearer", expires_in: TOKEN_S, scope })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn descriptions_hold_what_the_rfc_allows() {
        let said = plain(&client::BadAssertion::Client.to_string());
        assert_eq!(said, "iss and sub must both be the client id, dsom_live_ or dsom_test_ and the operator's id");
        assert_eq!(plain("a \"b\" \\ … й\n"), "a 'b' ' ? ??");
    }

    #[test]
    fn a_client_is_answered_in_the_scheme_it_tried() {
        let to =
            |given: &str| challenge(&TestRequest::default().insert_header((AUTHORIZATION, given)).to_http_request());
        assert_eq!(to("Basic YTpi"), Some("Basic realm=\"dsom\""));
        assert_eq!(to("bearer x"), Some("Bearer"));
        assert_eq!(challenge(&TestRequest::default().to_http_request()), None);
    }
}
