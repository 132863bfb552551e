//! Packs batches into the bytes of one frame.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use contracts::UnixMillis;
use contracts::frame::{BadFrame, BatchMeta, Frame, Packer, Part, Remark};

use crate::domain::{Batch, Beside, StreamKey};

/// Packers kept for the next use: as many as pack at a time on a machine of this size.
const PACKERS_KEPT_MAX: usize = 8;
/// Bytes packed on an actor's own thread: more would take longer than 0.2 ms.
const PACK_HERE_BYTES_MAX: usize = 64 * 1024;

/// Packers with their working memory, to borrow one.
#[derive(Default)]
pub struct Packers(Mutex<Vec<Packer>>);

/// A batch as it goes into a frame: without its first `skip` records, which are accepted already.
#[derive(Clone)]
pub struct Piece {
    /// The batch.
    pub batch: Arc<Batch>,
    /// The whole batch packed, if it is large.
    pub part: Option<Part>,
    /// What is kept beside it, if anything.
    pub beside: Option<Arc<Beside>>,
    /// How many of its first records are left out.
    pub skip: usize,
}

impl Packers {
    /// Runs `pack` with a packer.
    ///
    /// # Errors
    /// What `pack` fails with, or that the packer could not get its memory.
    pub fn with<T>(&self, pack: impl FnOnce(&mut Packer) -> Result<T, BadFrame>) -> Result<T, BadFrame> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut packer = match kept {
            Some(packer) => packer,
            None => Packer::new().map_err(|_| BadFrame::Unpack("the packer could not get its memory"))?,
        };
        let done = pack(&mut packer);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < PACKERS_KEPT_MAX {
            kept.push(packer);
        }
        done
    }

    /// The frame of these pieces, all accepted at one time, as bytes, and what it promises.
    ///
    /// # Errors
    /// [`BadFrame`] when the pieces are not consecutive or too many.
    pub fn frame(&self, key: StreamKey, pieces: &[Piece], at: UnixMillis) -> Result<(Bytes, Vec<BatchMeta>), BadFrame> {
        let metas: Vec<BatchMeta> = pieces.iter().filter_map(|piece| piece.meta(at)).collect();
        let mut parts = Vec::new();
        let mut rest = pieces;
        while let Some((first, after)) = rest.split_first() {
            if let Some(part) = first.packed() {
                parts.push(part.clone());
                rest = after;
                continue;
            }
            // What is small is packed together: the more records, the better they pack.
            let run = rest.iter().take_while(|piece| piece.packed().is_none()).count();
            let (together, after) = rest.split_at(run);
            let runs = together.iter().flat_map(|piece| piece.batch.runs_from(piece.skip));
            parts.push(self.with(|packer| packer.pack(runs))?);
            rest = after;
        }
        let remarks = (0..).zip(pieces).flat_map(|(index, piece)| piece.remarks(index)).collect();
        let frame = Frame::new(key.operator, key.stream, metas.clone(), parts)?.with_remarks(remarks)?;
        Ok((frame.encode().into(), metas))
    }
}

impl Packers {
    /// [`Self::frame`], on a thread that may be held up if there is much to pack.
    ///
    /// # Errors
    /// As there, or that the thread is gone.
    pub async fn frame_off_thread(
        self: Arc<Self>,
        key: StreamKey,
        pieces: Vec<Piece>,
        at: UnixMillis,
    ) -> Result<(Bytes, Vec<BatchMeta>), BadFrame> {
        if pieces.iter().map(Piece::unpacked_bytes).sum::<usize>() <= PACK_HERE_BYTES_MAX {
            return self.frame(key, &pieces, at);
        }
        let packed = tokio::task::spawn_blocking(move || self.frame(key, &pieces, at)).await;
        packed.unwrap_or(Err(BadFrame::Unpack("the packing thread is gone")))
    }
}

impl Piece {
    fn packed(&self) -> Option<&Part> {
        self.part.as_ref().filter(|_| self.skip == 0)
    }

    /// Bytes that are still to be packed.
    fn unpacked_bytes(&self) -> usize {
        if self.packed().is_some() { 0 } else { self.batch.memory_bytes() }
    }

    fn remarks(&self, index: u16) -> Vec<Remark> {
        let of = |beside: &Arc<Beside>| beside.remarks(index, self.skip as u32, self.batch.root());
        self.beside.as_ref().map(of).unwrap_or_default()
    }

    fn meta(&self, accepted_at: UnixMillis) -> Option<BatchMeta> {
        let root = if self.skip == 0 { self.batch.root() } else { self.batch.root_from(self.skip) };
        let first_seq = contracts::Seq::new(self.batch.first_seq().get() + self.skip as u64)?;
        Some(BatchMeta { first_seq, count: self.batch.count() - self.skip as u32, accepted_at, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::batch::tests::batch_of;
    use crate::domain::flags::tests::flags_of;
    use contracts::StreamNo;
    use contracts::frame::{Run, Unpacker, Wider};
    use contracts::registry::Flag;

    #[test]
    fn large_small_and_cut_batches_come_out_in_order() {
        let packers = Packers::default();
        let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
        let key = StreamKey { operator, stream: StreamNo(3) };
        let piece = |first, records: &[&str], packed: bool, skip| {
            let batch = Arc::new(batch_of(first, records));
            let part = packed.then(|| packers.with(|p| batch.pack(p)).expect("packs"));
            let signature = Some(format!("signed {first}"));
            let beside = Some(Arc::new(Beside { flags: flags_of(Flag::AfterSuspension, &[1]), signature }));
            Piece { batch, part, beside: beside.filter(|_| packed), skip }
        };
        let pieces = [
            piece(1, &["one", "two", "three"], true, 1),
            piece(4, &["four"], false, 0),
            piece(5, &["five", "six"], true, 0),
            piece(7, &["seven"], false, 0),
        ];
        let (bytes, metas) = packers.frame(key, &pieces, UnixMillis(5)).expect("a frame");
        let frame = Frame::decode(&bytes).expect("decodes");
        assert_eq!(frame.batches(), metas);
        assert_eq!((frame.first_seq().get(), frame.last_seq(), frame.parts().len()), (2, 7, 3));
        let flagged = |batch, offset| Remark::Flagged {
            batch,
            flag: Flag::AfterSuspension,
            runs: vec![Run { offset, count: 1 }],
        };
        let signed = |batch, wider, text: &str| Remark::Signed { batch, wider, text: text.to_owned() };
        let wider = Some(Wider { before: 1, root: pieces[0].batch.root() });
        let remarks = [flagged(0, 0), signed(0, wider, "signed 1"), flagged(2, 1), signed(2, None, "signed 5")];
        assert_eq!(frame.remarks(), remarks);
        let mut unpacker = Unpacker::new().expect("memory");
        let mut records = Vec::new();
        for part in frame.parts() {
            records.extend(unpacker.unpack(part).expect("unpacks").map(|r| String::from_utf8_lossy(r).into_owned()));
        }
        assert_eq!(records, ["two", "three", "four", "five", "six", "seven"]);
        assert_eq!(metas[0].root, ledger::root(&[ledger::leaf_hash(b"two"), ledger::leaf_hash(b"three")]));
    }
}
