//! Reads `REGISTRY`: how operators stand, and how far licensing has told, from the first message on and for ever.
//!
//! Message by message, and not with a consumer: who may make those may have messages sent to whoever listens in the stream's account, and
//! as many as they like. So a reader of the register, the sandbox's too, needs two questions and no more: which message is the next, and how is the
//! stream. It hears beside it when something is told, and asks then.

use std::time::Duration;

use contracts::registry::Told;
use contracts::subjects;
use futures::StreamExt;

use crate::connect::Bus;
use crate::read::{ReadError, StoredMessage};

/// Pause before a stream that could not be read is read on.
const RETRY: Duration = Duration::from_secs(1);
/// How long after something was told the next message is asked for: one is heard of a moment before it is kept. Doubled until it is there.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// How often is asked while nothing is heard, for what is heard may be lost on the way.
const EVERY: Duration = Duration::from_secs(1);

/// How far the stream was read.
#[derive(Default)]
struct Place {
    /// When it was made, in nanoseconds: one that was deleted and made again begins anew.
    made: i128,
    /// The last message read.
    read: u64,
}

/// Which stream it is, and where it ends.
struct Look {
    made: i128,
    last: u64,
    /// Where what is there ends; 0 when nothing is.
    end: u64,
}

impl Bus {
    /// Gives all that `REGISTRY` tells to `take`, for as long as it is polled; [`Told::Read`] once what was there at the beginning has been
    /// given. Safe to cancel. When the stream was made anew it is read anew, so what was told may be told again.
    pub async fn follow_registry(self, take: impl Fn(Told)) {
        let (mut place, mut failing) = (Place::default(), false);
        loop {
            let done = self.follow_on(&mut place, &take).await;
            // Said once an outage.
            if let Some(error) = done.as_ref().err().filter(|_| !failing) {
                tracing::warn!(error = error as &dyn std::error::Error, "cannot follow REGISTRY; trying again");
            }
            failing = done.is_err();
            if failing {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Reads to the end, and what comes after it until nothing has for a while.
    async fn follow_on(&self, place: &mut Place, take: &impl Fn(Told)) -> Result<(), ReadError> {
        // Only that something was told is taken from there; what it is, is what the stream keeps.
        let news = self.inner.client.subscribe(subjects::REGISTRY_ALL).await;
        let mut news = news.map_err(|error| ReadError::Away(Box::new(error)))?;
        let now = self.look().await?;
        if place.made != now.made || now.last < place.read {
            *place = Place { made: now.made, read: 0 };
        }
        let mut pause = PAUSE_MIN;
        loop {
            let next = async |after: u64| self.next_of(subjects::REGISTRY, subjects::REGISTRY_ALL, after + 1).await;
            while let Some(message) = next(place.read).await? {
                (place.read, pause) = (message.seq, PAUSE_MIN);
                if let Some(told) = parse(&message) {
                    take(told);
                }
            }
            // A server that follows may not have all of it yet.
            if place.read >= now.end {
                take(Told::Read);
            }
            tokio::select! {
                Some(_) = news.next() => pause = PAUSE_MIN,
                () = tokio::time::sleep(pause) => {
                    if pause >= EVERY {
                        return Ok(());
                    }
                    pause = (pause * 2).min(EVERY);
                }
            }
        }
    }

    async fn look(&self) -> Result<Look, ReadError> {
        let info = self.info_of(subjects::REGISTRY).await?;
        let (made, last) = (info.created.unix_timestamp_nanos(), info.state.last_sequence);
        Ok(Look { made, last, end: if info.state.messages == 0 { 0 } else { last } })
    }
}

fn parse(message: &StoredMessage) -> Option<Told> {
    let read = if message.subject == subjects::REGISTRY_BEAT {
        serde_json::from_slice(&message.payload).map(Told::Beat)
    } else {
        serde_json::from_slice(&message.payload).map(Told::Operator)
    };
    // Of a later version of licensing, or damaged: what was known before stays.
    let (seq, subject) = (message.seq, &message.subject);
    read.inspect_err(|error| tracing::error!(%error, seq, subject, "a message of REGISTRY can't be read")).ok()
}
