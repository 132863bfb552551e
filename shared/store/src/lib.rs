#![doc = include_str!("../README.md")]
//! Opens the embedded engine and commits to it in groups; opens a CQL keyspace and keeps its schema.

pub mod cql;
mod synced;
mod writer;

use std::path::Path;
use std::sync::Arc;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, KeyspaceCreateOptions, KvSeparationOptions};
pub use fjall::{Guard, Keyspace, OwnedWriteBatch as Changes, Slice};

use synced::Synced;
use writer::Writer;

/// How much memory and disk the engine may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest size of the cache of blocks read from disk.
    pub cache_bytes_max: u64,
    /// Largest size of one keyspace's write buffer before it is flushed.
    pub buffer_bytes_max: u64,
    /// Largest size of the journal on disk; the engine wants at least 64 MiB.
    pub journal_bytes_max: u64,
    /// Largest number of files held open.
    pub open_files_max: usize,
}

impl Default for Limits {
    /// Small enough for several services on a laptop.
    fn default() -> Self {
        Self {
            cache_bytes_max: 16 * 1024 * 1024,
            buffer_bytes_max: 8 * 1024 * 1024,
            journal_bytes_max: 64 * 1024 * 1024,
            open_files_max: 128,
        }
    }
}

/// Why the engine could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The directory could not be opened: in use, damaged, or not ours to write.
    #[error("the store in {dir} could not be opened")]
    Open {
        /// The directory.
        dir: String,
        /// What the engine says.
        #[source]
        source: Arc<fjall::Error>,
    },
    /// Changes that were synced are gone: a bit of the engine's files is wrong, or an older copy of some was put in their place.
    #[error(
        "the store in {dir} has lost changes that were durable: {synced} groups of them were synced, it holds {found}. Its files are \
         damaged or were replaced: put back a backup of the whole folder"
    )]
    SetBack {
        /// The directory.
        dir: String,
        /// Groups of changes that were synced.
        synced: u64,
        /// Groups of changes that are there.
        found: u64,
    },
    /// The embedded engine was chosen, and no directory.
    #[error("data_dir is not set: the embedded engine needs a directory")]
    NoDirectory,
    /// Reading failed, or writing did; whether what was written is durable is not known.
    #[error("the embedded engine failed")]
    Engine(#[source] Arc<fjall::Error>),
    /// What was read is not what this program writes.
    #[error("the store holds {0}, which this program does not write")]
    Damaged(&'static str),
    /// An earlier sync failed: nothing is written any more until a restart.
    #[error("an earlier sync failed: nothing is written until the service is restarted")]
    Stopped,
    /// The CQL server did not do it, or its answer was lost: whether what was written is durable is not known.
    #[error("the CQL server failed")]
    Cql(#[source] Arc<cql::CqlError>),
    /// The thread that ran the job is gone: the process is ending, or the job panicked.
    #[error("the store's thread is gone")]
    Gone,
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        Self::Engine(Arc::new(error))
    }
}

/// An open engine; clones share it. The directory is free again when the last clone and the last keyspace are dropped.
#[derive(Clone)]
pub struct Engine {
    db: Database,
    writer: Arc<Writer>,
}

impl Engine {
    /// Opens or creates the engine in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Open`]; [`StoreError::SetBack`] when it holds less than was synced.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { dir: dir.display().to_string(), source: Arc::new(source) };
        let db = Database::builder(dir)
            .cache_size(limits.cache_bytes_max)
            .max_journaling_size(limits.journal_bytes_max.max(64 * 1024 * 1024))
            .max_cached_files(Some(limits.open_files_max.max(16)))
            .worker_threads(1)
            // What is large is packed already.
            .journal_compression(CompressionType::None)
            // The writer syncs each group: flushing each change before would only cost a system call.
            .manual_journal_persist(true)
            .open()
            .map_err(failed)?;
        let synced = Synced::open(dir, &db)?;
        let writer =
            Writer::start(db.clone(), synced, limits.buffer_bytes_max).map_err(|error| failed(error.into()))?;
        Ok(Self { db, writer: Arc::new(writer) })
    }

    /// Opens or creates a keyspace whose values are small; they lie beside their keys.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn small_values(&self, name: &str) -> Result<Keyspace, StoreError> {
        let buffer = self.writer.buffer_bytes_max;
        Ok(self.db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(buffer))?)
    }

    /// Opens or creates a keyspace whose values are large and already packed; those of 1 KiB and more lie in files of their own.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn large_values(&self, name: &str) -> Result<Keyspace, StoreError> {
        let buffer = self.writer.buffer_bytes_max;
        Ok(self.db.keyspace(name, || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(buffer)
                .data_block_compression_policy(CompressionPolicy::disabled())
                .with_kv_separation(Some(KvSeparationOptions::default().compression(CompressionType::None)))
        })?)
    }

    /// Runs `job` on the writer thread, applies its changes whole or, when it fails, not at all, and returns what it returned
    /// once they are synced.
    ///
    /// # Errors
    /// What the job failed with, or [`StoreError`]; then whether the changes are durable is not known.
    pub async fn write<T, J>(&self, job: J) -> Result<T, StoreError>
    where
        T: Send + 'static,
        J: FnOnce(&mut Changes) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(job).await
    }

    /// Runs `job` on a thread that may block.
    ///
    /// # Errors
    /// What the job failed with, or [`StoreError::Gone`].
    pub async fn read<T, J>(&self, job: J) -> Result<T, StoreError>
    where
        T: Send + 'static,
        J: FnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        tokio::task::spawn_blocking(job).await.map_err(|_| StoreError::Gone)?
    }

    /// Whether nothing is written any more, because a sync failed or the thread that writes is gone.
    pub fn is_stopped(&self) -> bool {
        self.writer.is_stopped()
    }

    /// Whether it can be written to. What fails here does not pass: the process should end, and be started again.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn well(&self) -> Result<(), String> {
        match self.is_stopped() {
            true => {
                Err("a sync failed, or the thread that writes is gone: nothing is written until a new start".to_owned())
            }
            false => Ok(()),
        }
    }
}
