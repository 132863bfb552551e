//! The one thread that writes: takes all jobs that wait, applies each, syncs once, then answers all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use fjall::{Database, PersistMode};
use tokio::sync::{mpsc, oneshot};

use crate::synced::Synced;
use crate::{Changes, StoreError};

/// Most jobs that wait for the writer; more wait at their callers.
const JOBS_WAITING_MAX: usize = 1_024;
/// Most jobs synced together: bounds how long the first of a group waits.
const GROUP_JOBS_MAX: usize = 256;

/// Applies a job and returns what answers its caller once the outcome of the sync is known.
type Job = Box<dyn FnOnce(&Database) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
    pub(crate) buffer_bytes_max: u64,
}

impl Writer {
    pub(crate) fn start(db: Database, synced: Synced, buffer_bytes_max: u64) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write(&db, synced, waiting, &flag))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), stopped, buffer_bytes_max })
    }

    pub(crate) async fn run<T, J>(&self, job: J) -> Result<T, StoreError>
    where
        T: Send + 'static,
        J: FnOnce(&mut Changes) -> Result<T, StoreError> + Send + 'static,
    {
        if self.is_stopped() {
            return Err(StoreError::Stopped);
        }
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            let mut changes = db.batch();
            let done = job(&mut changes).and_then(|value| {
                changes.commit()?;
                Ok(value)
            });
            // The caller may be gone: its changes count all the same.
            Box::new(move |synced| drop(answer.send(synced.and(done))))
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Gone)?;
        jobs.send(job).await.map_err(|_| StoreError::Gone)?;
        answered.await.map_err(|_| StoreError::Gone)?
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Drop for Writer {
    /// Waits for the jobs that were taken, so that the directory is free when this returns.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to wait for; its callers were told `Gone`.
            drop(thread.join());
        }
    }
}

fn write(db: &Database, mut count: Synced, mut waiting: mpsc::Receiver<Job>, stopped: &AtomicBool) {
    let mut group = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        let mut next = Some(first);
        while let Some(job) = next {
            group.push(job(db));
            next = if group.len() < GROUP_JOBS_MAX { waiting.try_recv().ok() } else { None };
        }
        let synced = count.count(db).and_then(|()| Ok(db.persist(PersistMode::SyncAll)?));
        let failed = synced.is_err();
        if failed {
            stopped.store(true, Ordering::Release);
        } else if let Err(error) = count.note() {
            tracing::warn!(%error, "the count of what is synced could not be noted; it lags until it can");
        }
        for answer in group.drain(..) {
            answer(synced.clone());
        }
        if failed {
            // Those who wait are told `Gone`, those who come `Stopped`.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, Limits, StoreError};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_compare_and_sets_have_one_winner() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::open(dir.path(), Limits::default()).expect("opens");
        let heads = engine.small_values("heads").expect("a keyspace");
        let tries: Vec<_> = (0..50_u8)
            .map(|n| {
                let (engine, heads) = (engine.clone(), heads.clone());
                tokio::spawn(async move {
                    let job = move |changes: &mut crate::Changes| {
                        let free = heads.get("head")?.is_none();
                        if free {
                            changes.insert(&heads, "head", [n]);
                        }
                        Ok(free)
                    };
                    engine.write(job).await.expect("writes")
                })
            })
            .collect();
        let mut winners = 0;
        for one in tries {
            winners += usize::from(one.await.expect("ends"));
        }
        assert_eq!(winners, 1);
    }

    #[tokio::test]
    async fn a_failed_job_changes_nothing_and_what_was_written_is_there_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        {
            let engine = Engine::open(dir.path(), Limits::default()).expect("opens");
            let kept = engine.large_values("kept").expect("a keyspace");
            let writing = kept.clone();
            let big = vec![7_u8; 100_000];
            let sent = big.clone();
            engine
                .write(move |changes| {
                    changes.insert(&writing, "a", sent);
                    Ok(())
                })
                .await
                .expect("writes");
            let writing = kept.clone();
            let failed: Result<(), _> = engine
                .write(move |changes| {
                    changes.insert(&writing, "b", "x");
                    Err(StoreError::Damaged("a thing"))
                })
                .await;
            assert!(matches!(failed, Err(StoreError::Damaged("a thing"))));
            assert_eq!(kept.get("a").expect("reads").as_deref(), Some(&big[..]));
        }
        let engine = Engine::open(dir.path(), Limits::default()).expect("opens again");
        let kept = engine.large_values("kept").expect("a keyspace");
        assert_eq!(kept.get("a").expect("reads").map(|v| v.len()), Some(100_000));
        assert!(kept.get("b").expect("reads").is_none());
        assert!(!engine.is_stopped());
    }
}
