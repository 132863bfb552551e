//! The routes of chaining: decode, read what is stored, hold it against its proof, encode.

pub mod blocks;
pub mod chains;
pub mod export;
pub mod fsck;
pub mod log;
pub mod openapi;
pub mod records;
pub mod turns;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::web;
use contracts::frame::Unpacker;
use contracts::problems::Code;
use contracts::{Height, OperatorId};
use runtime::serve::at;
use runtime::{ApiError, Reader, Role};
use tokio::sync::watch;

use crate::actors::log::Shown;
use crate::domain::key::LogKey;
use crate::domain::read::OpenBlock;
use crate::storage::{StorageError, Store, StoredBlock};
use turns::{Turn, Turns};

/// Scope that lets an operator read its own records, proofs and chain.
pub const RECORDS_READ: &str = "records:read";
/// People who may read those of any operator: who looks into operators, at their taxes, or checks everything.
const READERS: &[Role] = &[Role::Inspector, Role::Tax, Role::Auditor];

/// What the routes work with.
pub struct Service {
    /// Chains and log.
    pub store: Arc<dyn Store>,
    /// The log's name and key.
    pub key: Arc<LogKey>,
    /// What the log shows.
    pub shown: watch::Receiver<Shown>,
    /// Whether a check of everything runs.
    pub checking: Arc<AtomicBool>,
    /// Turns to hold a block.
    pub turns: Turns,
}

impl Service {
    /// A stored block, held against its header, for who has the turn.
    async fn open_block(
        &self,
        _turn: &Turn,
        operator: OperatorId,
        height: Height,
    ) -> Result<(StoredBlock, OpenBlock), ApiError> {
        let stored = self.store.block(operator, height).await.map_err(unavailable)?;
        let Some(stored) = stored else {
            return Err(ApiError::new(Code::NotFound, format!("the chain has no block {height}")));
        };
        let opened = web::block(move || {
            let mut unpacker = Unpacker::new().map_err(|error| ApiError::internal(&error))?;
            let open = OpenBlock::open(&stored.header, &stored.frames, &mut unpacker);
            open.map(|open| (stored, open)).map_err(|error| ApiError::internal(&error))
        });
        opened.await.map_err(|error| ApiError::internal(&error))?
    }
}

/// Adds the routes.
pub fn configure(routes: &mut web::ServiceConfig, service: Arc<Service>) {
    routes
        .app_data(web::Data::new(service))
        .service(at("/v1/records/{operator}/{stream}/{seq}", web::get().to(records::get)))
        .service(at("/v1/records/{operator}/{stream}/{seq}/proof", web::get().to(records::proof)))
        .service(at("/v1/records/{operator}/{stream}/{seq}/signature", web::get().to(records::signature)))
        .service(at("/v1/blocks/{operator}/{height}", web::get().to(blocks::get)))
        .service(at("/v1/chains/{operator}", web::get().to(chains::get)))
        .service(at("/v1/export/{operator}", web::get().to(export::get)))
        .service(at("/v1/fsck", web::post().to(fsck::post)))
        .service(at("/log/checkpoint", web::get().to(log::checkpoint)))
        .service(at("/log/vkey", web::get().to(log::vkey)))
        .service(at("/log/tile/{path:.*}", web::get().to(log::tile)));
}

/// A value of the path, in its one form.
fn part<T: FromStr>(name: &str, text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| ApiError::new(Code::BadRequest, format!("{name}: {error}")))
}

/// The operator of the path, whose records the caller may read.
fn readable(reader: &Reader, text: &str) -> Result<OperatorId, ApiError> {
    let operator = part("operator", text)?;
    reader.require(operator, RECORDS_READ, READERS)?;
    Ok(operator)
}

/// The store could not answer: asking again may work.
fn unavailable(error: StorageError) -> ApiError {
    tracing::error!(error = %crate::error::with_causes(&error), "the store could not be read");
    ApiError::new(Code::Unavailable, "the store could not be read").retry_after(1)
}
