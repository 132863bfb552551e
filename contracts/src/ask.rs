//! What is asked and told over core NATS: ingest asks chaining for the sealed frames that hold a range of a stream; processes of
//! chaining tell the one that writes the log what they sealed.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::block::{take_sized, take_u32};
use crate::frame::FRAME_BYTES_MAX;
use crate::{Height, OperatorId, Seq, StreamNo, UnixMillis};

/// Bytes of frames an answer aims to stay under; one larger frame still goes alone.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The question, sent as JSON on `ask.chaining.frames`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesQuery {
    /// Whose records.
    pub operator: OperatorId,
    /// In which stream.
    pub stream: StreamNo,
    /// First seq wanted.
    pub from: Seq,
    /// Last seq wanted.
    pub to: Seq,
}

/// Told as JSON on `tell.chaining.sealed`; the answer is empty. May be lost: the log's writer looks for itself from time to time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedNotice {
    /// Whose block.
    pub operator: OperatorId,
    /// Its height.
    pub height: Height,
    /// When the oldest batch of each of its frames was accepted.
    pub accepted_at: Vec<UnixMillis>,
}

/// The answer: the first sealed frames that overlap the range, in order. Who needs more asks again from the end of the last.
///
/// ```text
/// status          u8  0 an answer, 1 could not be answered now
/// sealed through  u64 last sealed seq of the stream, 0 for none
/// frames          u32 number, then each: u32 length, bytes
/// ```
/// Integers are little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramesAnswer {
    /// Last sealed seq of the stream; 0 for none.
    pub sealed_through: u64,
    /// Encoded frames, at least one when the range overlaps what is sealed.
    pub frames: Vec<Bytes>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Chaining could not read its store now; asking again may work.
    #[error("chaining could not answer now")]
    Unavailable,
    /// The bytes are not an answer.
    #[error("the bytes are not an answer")]
    Malformed,
}

impl FramesAnswer {
    /// The bytes of an answer that says: not now.
    pub const UNAVAILABLE: &'static [u8] = &[1];

    /// The bytes of the answer.
    pub fn encode(&self) -> Bytes {
        let frames: usize = self.frames.iter().map(|frame| 4 + frame.len()).sum();
        let mut out = BytesMut::with_capacity(13 + frames);
        out.put_u8(0);
        out.put_u64_le(self.sealed_through);
        out.put_u32_le(self.frames.len() as u32);
        for frame in &self.frames {
            out.put_u32_le(frame.len() as u32);
            out.put_slice(frame);
        }
        out.freeze()
    }

    /// Reads an answer. The frames share `bytes`.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn decode(bytes: &Bytes) -> Result<Self, NoAnswer> {
        let mut rest = bytes.clone();
        if *rest == *Self::UNAVAILABLE {
            return Err(NoAnswer::Unavailable);
        }
        let head = rest.first_chunk::<9>().copied().ok_or(NoAnswer::Malformed)?;
        let [0, through @ ..] = head else { return Err(NoAnswer::Malformed) };
        rest = rest.slice(9..);
        let count = take_u32(&mut rest).ok_or(NoAnswer::Malformed)?;
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(take_sized(&mut rest, FRAME_BYTES_MAX).ok_or(NoAnswer::Malformed)?);
        }
        match rest.is_empty() {
            true => Ok(Self { sealed_through: u64::from_le_bytes(through), frames }),
            false => Err(NoAnswer::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_and_damage_is_refused() {
        let answer = FramesAnswer { sealed_through: 77, frames: vec![Bytes::from_static(b"abc"), Bytes::new()] };
        let bytes = answer.encode();
        assert_eq!(FramesAnswer::decode(&bytes), Ok(answer));
        for cut in 0..bytes.len() {
            assert!(FramesAnswer::decode(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        let unavailable = Bytes::from_static(FramesAnswer::UNAVAILABLE);
        assert_eq!(FramesAnswer::decode(&unavailable), Err(NoAnswer::Unavailable));
    }
}
