//! `Follower`: stands in for the log in every process that is not its writer.
//!
//! It exists so that all processes show the same log and the writer hears of what they seal. It owns what this process shows of the
//! log: the newest stored checkpoint, never an older one than it showed, and only one that verifies. What the writer does not hear it
//! finds by itself a little later.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use tokio::sync::watch;

use super::chain::BlockSealed;
use super::log::Shown;
use crate::domain::key::LogKey;
use crate::error::with_causes;
use crate::storage::{StorageError, Store};

/// How often the stored checkpoint is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Blocks that wait to be told of; more are found by the writer.
const MAILBOX_MESSAGES_MAX: usize = 1_024;

/// Tells the log's writer, wherever it runs.
#[async_trait]
pub trait Herald: Send + Sync + 'static {
    /// A block was sealed here. May be lost.
    async fn sealed(&self, block: BlockSealed);
}

/// The actor. See the module's text.
pub struct Follower {
    store: Arc<dyn Store>,
    key: Arc<LogKey>,
    herald: Arc<dyn Herald>,
    shown: watch::Sender<Shown>,
    busy: bool,
}

impl Follower {
    /// A follower, and where it shows the log.
    pub fn new(store: Arc<dyn Store>, key: Arc<LogKey>, herald: Arc<dyn Herald>) -> (Self, watch::Receiver<Shown>) {
        let (shown, seen) = watch::channel(Shown::default());
        (Self { store, key, herald, shown, busy: false }, seen)
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        self.busy = true;
        let (store, key) = (self.store.clone(), self.key.clone());
        let look = async move { newest(&*store, &key).await };
        ctx.spawn(look.into_actor(self).map(|found, follower, _| {
            follower.busy = false;
            match found {
                Ok(now) => follower.show(now),
                Err(why) => tracing::warn!(why, "the log can't be followed, trying again"),
            }
        }));
    }

    fn show(&self, now: Shown) {
        self.shown.send_if_modified(|shown| {
            let is_news = !shown.ready || now.size > shown.size;
            if is_news {
                *shown = now;
            }
            is_news
        });
    }
}

/// What is to be shown by the newest stored checkpoint, if it is one of this log.
async fn newest(store: &dyn Store, key: &LogKey) -> Result<Shown, String> {
    let stored = store.checkpoint().await.map_err(|error: StorageError| with_causes(&error))?;
    let Some(stored) = stored else { return Ok(Shown { ready: true, ..Shown::default() }) };
    let signed = key.open(&stored.note).map_err(|error| with_causes(&error))?;
    Ok(Shown { ready: true, size: signed.size, note: Some(stored.note), frozen: None })
}

impl Actor for Follower {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MESSAGES_MAX);
        self.tick(ctx);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<BlockSealed> for Follower {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, sealed: BlockSealed, _: &mut Self::Context) -> Self::Result {
        let herald = self.herald.clone();
        Box::pin(async move { herald.sealed(sealed).await })
    }
}
