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
        Self::start_with(db, synced, buffer_bytes_max, |db| Ok(db.persist(PersistMode::SyncAll)?))
    }

    fn start_with(
        db: Database,
        synced: Synced,
        buffer_bytes_max: u64,
        sync: impl FnMut(&Database) -> Result<(), StoreError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write(&db, synced, sync, waiting, &flag))?;
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

/// Says that nothing is written any more, however the thread ended.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn write(
    db: &Database,
    mut count: Synced,
    mut sync: impl FnMut(&Database) -> Result<(), StoreError>,
    mut waiting: mpsc::Receiver<Job>,
    stopped: &AtomicBool,
) {
    let _ending = Ending(stopped);
    let mut group = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        let mut next = Some(first);
        while let Some(job) = next {
            group.push(job(db));
            next = if group.len() < GROUP_JOBS_MAX { waiting.try_recv().ok() } else { None };
        }
        let synced = count.count(db).and_then(|()| sync(db));
        let failed = synced.is_err();
        if let Err(error) = &synced {
            tracing::error!(error = error as &dyn std::error::Error, "a sync failed: nothing more is written");
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
    use fjall::{Database, PersistMode};

    use super::Writer;
    use crate::synced::Synced;
    use crate::{Engine, Limits, StoreError};

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_written_and_what_was_acknowledged_is_there_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut acknowledged = 0_u8;
        {
            let db = Database::builder(dir.path()).manual_journal_persist(true).open().expect("opens");
            let kept = db.keyspace("kept", Default::default).expect("a keyspace");
            let synced = Synced::open(dir.path(), &db).expect("counts");
            let mut left = 3;
            let sync = move |db: &Database| {
                left -= 1;
                let full = || fjall::Error::Io(std::io::ErrorKind::StorageFull.into());
                if left < 0 { Err(full().into()) } else { Ok(db.persist(PersistMode::SyncAll)?) }
            };
            let writer = Writer::start_with(db, synced, 1 << 20, sync).expect("a thread");
            loop {
                assert!(!writer.is_stopped());
                let (kept, n) = (kept.clone(), acknowledged);
                let job = move |changes: &mut crate::Changes| {
                    changes.insert(&kept, [n], "x");
                    Ok(())
                };
                match writer.run(job).await {
                    Ok(()) => acknowledged += 1,
                    Err(error) => break assert!(matches!(error, StoreError::Engine(_)), "{error}"),
                }
            }
            assert!(writer.is_stopped());
            assert!(matches!(writer.run(|_| Ok(())).await, Err(StoreError::Stopped)));
        }
        assert_eq!(acknowledged, 3);
        let engine = Engine::open(dir.path(), Limits::default()).expect("opens again");
        let kept = engine.small_values("kept").expect("a keyspace");
        for n in 0..acknowledged {
            assert!(kept.get([n]).expect("reads").is_some(), "{n} was acknowledged");
        }
        assert!(!engine.is_stopped());
    }

    #[tokio::test]
    async fn a_job_that_panics_stops_the_store() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::open(dir.path(), Limits::default()).expect("opens");
        let gone = engine.write(|_| -> Result<(), StoreError> { panic!("a fault in a job") }).await;
        assert!(matches!(gone, Err(StoreError::Gone)), "{gone:?}");
        let began = std::time::Instant::now();
        while !engine.is_stopped() {
            assert!(began.elapsed().as_secs() < 10, "nobody is told that the thread is gone");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert!(matches!(engine.write(|_| Ok(())).await, Err(StoreError::Stopped)));
    }

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
