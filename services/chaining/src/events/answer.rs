//! Answers what ingest asks: the sealed frames that hold a range of a stream.

use std::sync::Arc;

use bus::{Answering, Bus};
use bytes::Bytes;
use contracts::ask::{ANSWER_BYTES_MAX, FramesAnswer, FramesQuery};
use contracts::frame::Frame;
use contracts::{Seq, subjects};

use crate::error::with_causes;
use crate::storage::{StorageError, Store};

/// Answers until dropped.
pub fn answer_frames(bus: &Bus, store: Arc<dyn Store>) -> Answering {
    bus.answer(subjects::ASK_FRAMES, move |question| {
        let store = store.clone();
        async move { answer(&*store, &question).await }
    })
}

async fn answer(store: &dyn Store, question: &[u8]) -> Result<Bytes, String> {
    let query: FramesQuery = serde_json::from_slice(question).map_err(|error| format!("not a question: {error}"))?;
    let answer = frames(store, query).await.map_err(|error| with_causes(&error))?;
    Ok(answer.encode())
}

/// The first sealed frames that overlap the range, up to the size an answer aims at.
async fn frames(store: &dyn Store, query: FramesQuery) -> Result<FramesAnswer, StorageError> {
    let FramesQuery { operator, stream, from, to } = query;
    let sealed_through = store.head(operator).await?.sealed_through(stream);
    let (mut frames, mut bytes, mut next) = (Vec::new(), 0, Some(from));
    while let Some(seq) = next.filter(|seq| *seq <= to && seq.get() <= sealed_through) {
        let Some(height) = store.height_holding(operator, stream, seq).await? else { break };
        let Some(block) = store.block(operator, height).await? else { break };
        next = None;
        for packed in block.frames {
            let Ok(frame) = Frame::decode(&packed) else { continue };
            let overlaps = frame.stream == stream && frame.last_seq() >= seq.get() && frame.first_seq() <= to;
            if !overlaps {
                continue;
            }
            if !frames.is_empty() && bytes + packed.len() > ANSWER_BYTES_MAX {
                return Ok(FramesAnswer { sealed_through, frames });
            }
            bytes += packed.len();
            next = Seq::new(frame.last_seq() + 1);
            frames.push(packed);
        }
    }
    Ok(FramesAnswer { sealed_through, frames })
}
