//! `/v1/sites`: the block list for everybody, and the decisions about it for clerks.

pub mod decisions;
pub mod feeds;
mod form;
pub mod history;
pub mod look_up;
mod refusal;
#[cfg(test)]
mod tests;
mod view;

use actix_web::web;
use contracts::problems::Code;
use runtime::openapi::Refusals;
use runtime::serve::at;

use crate::actors::sites::ListAccess;

/// What every route with a token can answer.
const ALWAYS: &[Code] = &[Code::Unauthorized, Code::Forbidden, Code::Unavailable, Code::Internal];
const FORM: &[Code] = &[Code::BadBody, Code::UnsupportedMediaType, Code::TooBig, Code::InvalidForm];
const CHANGE: &[Code] =
    &[Code::BadRequest, Code::PreconditionRequired, Code::Stale, Code::Conflict, Code::TooManyRequests];
const FEED: &[Code] = &[Code::BadRequest, Code::Gone, Code::Unavailable, Code::Internal];
const PROPOSAL: &[Code] = &[Code::NotFound, Code::ProposalOver];

/// The refusals of each route.
pub const REFUSALS: &[Refusals] = &[
    ("/v1/sites", "get", &[&[Code::BadRequest, Code::Internal]]),
    ("/v1/sites/{domain}", "get", &[&[Code::BadRequest, Code::Unavailable, Code::Internal]]),
    ("/v1/accounts/{platform}/{handle}", "get", &[&[Code::BadRequest]]),
    ("/v1/sites.json", "get", &[FEED]),
    ("/v1/sites.txt", "get", &[FEED]),
    ("/v1/sites.rpz", "get", &[FEED]),
    ("/v1/sites.json.jws", "get", &[FEED]),
    ("/v1/sites.txt.jws", "get", &[FEED]),
    ("/v1/sites.rpz.jws", "get", &[FEED]),
    ("/v1/sites/history", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/sites/proposals", "get", &[ALWAYS, &[Code::BadRequest]]),
    ("/v1/sites/proposals", "post", &[ALWAYS, FORM, CHANGE]),
    ("/v1/sites/proposals/{proposal}", "get", &[ALWAYS, &[Code::BadRequest, Code::NotFound]]),
    ("/v1/sites/proposals/{proposal}/confirmation", "post", &[ALWAYS, CHANGE, PROPOSAL, &[Code::OwnProposal]]),
    ("/v1/sites/proposals/{proposal}/refusal", "post", &[ALWAYS, FORM, CHANGE, PROPOSAL]),
];

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig, list: ListAccess) {
    routes
        .app_data(web::Data::new(list))
        .service(at("/v1/sites.json", web::get().to(feeds::json)))
        .service(at("/v1/sites.txt", web::get().to(feeds::text)))
        .service(at("/v1/sites.rpz", web::get().to(feeds::zone)))
        .service(at("/v1/sites.json.jws", web::get().to(feeds::json_signature)))
        .service(at("/v1/sites.txt.jws", web::get().to(feeds::text_signature)))
        .service(at("/v1/sites.rpz.jws", web::get().to(feeds::zone_signature)))
        .service(at("/v1/sites", web::get().to(look_up::list)))
        // No domain has one label, so these are none.
        .service(at("/v1/sites/history", web::get().to(history::get)))
        .service(
            web::resource("/v1/sites/proposals")
                .route(web::get().to(decisions::list))
                .route(web::post().to(decisions::propose)),
        )
        .service(at("/v1/sites/proposals/{proposal}", web::get().to(decisions::get)))
        .service(at("/v1/sites/proposals/{proposal}/confirmation", web::post().to(decisions::confirm)))
        .service(at("/v1/sites/proposals/{proposal}/refusal", web::post().to(decisions::decline)))
        .service(at("/v1/sites/{domain}", web::get().to(look_up::site)))
        .service(at("/v1/accounts/{platform}/{handle}", web::get().to(look_up::account)));
}
