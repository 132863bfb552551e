//! A CQL keyspace, on ScyllaDB or Apache Cassandra 5, through the scylla driver.
//!
//! Statements come in four kinds, and each says what may be done when an answer is lost: reads and plain writes are idempotent
//! and the driver repeats them; a compare-and-set is never repeated, its lost answer is [`Cas::Unknown`] and the caller reads at
//! `SERIAL` what became of it.

mod answers;
mod consistency;
#[cfg(test)]
mod dialect;
mod durable;
mod migrate;
mod readiness;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{ExecutionError, NewSessionError, NextRowError, PrepareError};
use scylla::policies::load_balancing::DefaultPolicy;
pub use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
pub use scylla::value::CqlTimestamp as Timestamp;

use crate::StoreError;
pub use answers::Cas;
use answers::{outcome, unfetched, unreadable};
pub use consistency::Majority;
pub use migrate::Migration;
pub use settings::{EngineKind, Settings, StoreConfig};

/// How long an answer is waited for: longer than the servers wait for each other (2 s for a write, 5 s for a read), so that
/// they say what happened before we stop listening.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the nodes are asked who they are before a keyspace can't be opened, and the pause between.
const LOOKS_MAX: u32 = 5;
const LOOK_RETRY: Duration = Duration::from_secs(1);
/// Statements of one call that are under way at a time.
const IN_FLIGHT_MAX: usize = 32;

/// What a CQL server or its driver says when something fails.
#[derive(Debug, thiserror::Error)]
pub enum CqlError {
    /// The settings lack something.
    #[error("{0}")]
    Settings(String),
    /// No server could be reached, or none let us in.
    #[error("cannot connect to {nodes}")]
    Connect {
        /// The nodes asked.
        nodes: String,
        /// Why.
        #[source]
        source: NewSessionError,
    },
    /// The server does not take a statement: most often the schema is not there.
    #[error("cannot prepare `{statement}`; has `dsom migrate` been run?")]
    Prepare {
        /// The statement.
        statement: String,
        /// Why.
        #[source]
        source: PrepareError,
    },
    /// A statement failed, or its answer did not come: whether a write is durable is not known.
    #[error("a statement failed")]
    Execute(#[source] ExecutionError),
    /// The answer is not of the form the statement asks for.
    #[error("the answer can't be read: {0}")]
    Answer(String),
    /// The schema in the keyspace is not the one of this program.
    #[error("{0}")]
    Schema(String),
    /// What was just written is not what is there.
    #[error(
        "{0} does not read back: a node's clock was ahead when it was written before, or another process writes the same"
    )]
    NotReadBack(&'static str),
    /// Nodes that acknowledge before they sync, each with how it syncs.
    #[error(
        "what is acknowledged can be lost in a power cut: the commit log is not synced before that by {0}; set `commitlog_sync: batch` \
         there and restart them"
    )]
    NotSyncing(String),
}

impl From<CqlError> for StoreError {
    fn from(error: CqlError) -> Self {
        Self::Cql(Arc::new(error))
    }
}

impl From<ExecutionError> for StoreError {
    fn from(error: ExecutionError) -> Self {
        CqlError::Execute(error).into()
    }
}

/// A statement that reads.
#[derive(Debug, Clone)]
pub struct Read(PreparedStatement);
/// A statement that writes the same however often it is repeated.
#[derive(Debug, Clone)]
pub struct Write(PreparedStatement);
/// A statement that writes on a condition.
#[derive(Debug, Clone)]
pub struct CompareAndSet(PreparedStatement);

/// An open keyspace; clones share its connections.
#[derive(Clone)]
pub struct Cql {
    session: Arc<Session>,
    keyspace: Arc<str>,
    majority: Majority,
    datacenter: Option<Arc<str>>,
}

impl Cql {
    /// Connects to the keyspace of a service. With [`Settings::migrate`] the schema is brought up to date before.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn open(settings: &Settings, service: &str, schema: &[Migration]) -> Result<Self, StoreError> {
        if settings.migrate {
            migrate::migrate(settings, service, schema).await?;
        }
        let cql = connect(settings, &settings.keyspace(service)).await?;
        migrate::verify(&cql, schema).await?;
        durable::check(&cql, settings.production).await?;
        Ok(cql)
    }

    /// Brings the schema of a service up to date; what is up to date stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Cql`]: also when an applied migration is not the one of this program any more.
    pub async fn migrate(settings: &Settings, service: &str, schema: &[Migration]) -> Result<(), StoreError> {
        migrate::migrate(settings, service, schema).await
    }

    /// Prepares a read of a [`Majority`]. In every statement `@name` is the table of that name in this keyspace: statements
    /// that leave the keyspace to the connection are ambiguous once they are prepared.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn read(&self, statement: &str) -> Result<Read, StoreError> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_is_idempotent(true);
        Ok(Read(prepared))
    }

    /// Prepares a read that settles an unfinished compare-and-set before it answers.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn serial_read(&self, statement: &str) -> Result<Read, StoreError> {
        let Read(mut prepared) = self.read(statement).await?;
        prepared.set_consistency(self.majority.serial_read());
        Ok(Read(prepared))
    }

    /// Prepares a write that MUST be repeatable: its keys and values, and its timestamp where order matters, come from its
    /// caller.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn write(&self, statement: &str) -> Result<Write, StoreError> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_is_idempotent(true);
        Ok(Write(prepared))
    }

    /// Prepares a compare-and-set (`IF …`); never repeated by the driver.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn compare_and_set(&self, statement: &str) -> Result<CompareAndSet, StoreError> {
        self.prepare(statement).await.map(CompareAndSet)
    }

    async fn prepare(&self, statement: &str) -> Result<PreparedStatement, StoreError> {
        let statement = statement.replace('@', &format!("{}.", self.keyspace));
        let prepared = self.session.prepare(statement.as_str()).await;
        prepared.map_err(|source| CqlError::Prepare { statement, source }.into())
    }

    /// The rows a statement with a `LIMIT` finds, or whose partition is small: they come in one answer.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn rows<R>(&self, statement: &Read, values: impl SerializeRow) -> Result<Vec<R>, StoreError>
    where
        R: for<'f, 'm> DeserializeRow<'f, 'm>,
    {
        let answer = self.session.execute_unpaged(&statement.0, values).await?;
        let rows = answer.into_rows_result().map_err(unreadable)?;
        rows.rows::<R>().map_err(unreadable)?.map(|row| row.map_err(unreadable)).collect()
    }

    /// The one row a statement finds, if it finds one.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn row<R>(&self, statement: &Read, values: impl SerializeRow) -> Result<Option<R>, StoreError>
    where
        R: for<'f, 'm> DeserializeRow<'f, 'm>,
    {
        let answer = self.session.execute_unpaged(&statement.0, values).await?;
        answer.into_rows_result().map_err(unreadable)?.maybe_first_row::<R>().map_err(unreadable)
    }

    /// All rows a statement finds, page by page.
    ///
    /// # Errors
    /// [`StoreError::Cql`]
    pub async fn pages<R>(&self, statement: &Read, values: impl SerializeRow) -> Result<Vec<R>, StoreError>
    where
        R: for<'f, 'm> DeserializeRow<'f, 'm> + 'static,
    {
        let pager = self.session.execute_iter(statement.0.clone(), values).await.map_err(unfetched)?;
        pager.rows_stream::<R>().map_err(unreadable)?.try_collect().await.map_err(|error| match error {
            NextRowError::NextPageError(error) => unfetched(error.into()),
            error => unreadable(error),
        })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// [`StoreError::Cql`]; then whether it is durable is not known.
    pub async fn run(&self, statement: &Write, values: impl SerializeRow) -> Result<(), StoreError> {
        self.session.execute_unpaged(&statement.0, values).await?;
        Ok(())
    }

    /// Writes rows, some at a time; all are durable when it returns, in whatever order.
    ///
    /// # Errors
    /// [`StoreError::Cql`]; then some of them may be durable.
    pub async fn run_each<V: SerializeRow>(&self, statement: &Write, rows: Vec<V>) -> Result<(), StoreError> {
        futures::stream::iter(rows)
            .map(|values| self.run(statement, values))
            .buffer_unordered(IN_FLIGHT_MAX)
            .try_collect()
            .await
    }

    /// Writes on a condition. Only a failure before anything was sent is an error.
    ///
    /// # Errors
    /// [`StoreError::Cql`]: nothing was written.
    pub async fn cas(&self, statement: &CompareAndSet, values: impl SerializeRow) -> Result<Cas, StoreError> {
        outcome(self.session.execute_unpaged(&statement.0, values).await)
    }

    /// Writes rows of one partition, all if the condition holds for each of them, else none.
    ///
    /// # Errors
    /// [`StoreError::Cql`]: nothing was written.
    pub async fn cas_all<V: SerializeRow>(&self, statement: &CompareAndSet, rows: Vec<V>) -> Result<Cas, StoreError> {
        let mut batch = Batch::new(BatchType::Unlogged);
        rows.iter().for_each(|_| batch.append_statement(statement.0.clone()));
        outcome(self.session.batch(&batch, rows).await)
    }

    /// Whether enough nodes can be talked to now for a majority of the copies; if not, why a service that needs them is not ready.
    ///
    /// # Errors
    /// Too few are connected.
    pub fn reachable(&self) -> Result<(), String> {
        let state = self.session.get_cluster_state();
        readiness::judge(&state, &self.keyspace, self.majority, self.datacenter.as_deref())
    }
}

async fn connect(settings: &Settings, keyspace: &str) -> Result<Cql, StoreError> {
    let nodes = settings.nodes()?;
    let mut balancing = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &settings.datacenter {
        balancing = balancing.prefer_datacenter(datacenter.clone());
    }
    let profile = ExecutionProfile::builder()
        .consistency(settings.consistency.plain())
        .serial_consistency(Some(settings.consistency.serial()))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .load_balancing_policy(balancing.build())
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&nodes)
        .connection_timeout(CONNECT_TIMEOUT)
        // Of no interest are the tables of others, which they may be changing now.
        .keyspaces_to_fetch([keyspace])
        // A session that changes the schema does nothing else; those that read and write come after it.
        .refresh_metadata_on_auto_schema_agreement(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(user) = &settings.user {
        builder = builder.user(user, settings.password()?);
    }
    let failed = |source| CqlError::Connect { nodes: nodes.join(", "), source };
    let session = builder.build().await.map_err(failed)?;
    let mut looks = 1;
    while !knows_its_nodes(&session) {
        match session.refresh_metadata().await {
            Ok(()) => break,
            Err(error) if looks == LOOKS_MAX => return Err(failed(error.into()).into()),
            Err(_) => tokio::time::sleep(LOOK_RETRY).await,
        }
        looks += 1;
    }
    let datacenter = settings.datacenter.as_deref().map(Arc::from);
    Ok(Cql { session: Arc::new(session), keyspace: keyspace.into(), majority: settings.consistency, datacenter })
}

/// When its first look at the ring fails the driver goes on with nodes it makes up, which are in no datacenter and have ids of their own.
/// What it then asks of them it attributes to nodes that are gone with the next look, and waits for them to agree on a schema.
fn knows_its_nodes(session: &Session) -> bool {
    session.get_cluster_state().get_nodes_info().iter().all(|node| node.datacenter.is_some())
}
