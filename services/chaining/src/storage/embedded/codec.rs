//! Keys and values of the embedded store as bytes. Numbers in keys are big-endian, so that keys sort as numbers do.

use bytes::Bytes;
use contracts::{Hash, Height, OperatorId, Seq, StreamNo, UnixMillis};
use store::StoreError;

use crate::domain::chain::Head;
use crate::storage::{LogEntry, StoredCheckpoint};

pub(super) fn number_key(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

pub(super) fn block_key(operator: OperatorId, height: Height) -> [u8; 24] {
    let mut key = [0; 24];
    let (left, right) = key.split_at_mut(16);
    left.copy_from_slice(operator.as_bytes());
    right.copy_from_slice(&height.0.to_be_bytes());
    key
}

pub(super) fn frame_key(operator: OperatorId, height: Height, n: u32) -> Vec<u8> {
    [&block_key(operator, height)[..], &n.to_be_bytes()].concat()
}

pub(super) fn range_key(operator: OperatorId, stream: StreamNo, last: u64) -> Vec<u8> {
    [&operator.as_bytes()[..], &[stream.0], &last.to_be_bytes()].concat()
}

pub(super) fn tile_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [0; 9];
    let (left, right) = key.split_at_mut(1);
    left.copy_from_slice(&[level]);
    right.copy_from_slice(&index.to_be_bytes());
    key
}

pub(super) fn number(value: &[u8]) -> Result<u64, StoreError> {
    value.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged("a number"))
}

pub(super) fn two_numbers(value: &[u8]) -> Result<(u64, u64), StoreError> {
    let (one, other) = value.split_first_chunk::<8>().ok_or(StoreError::Damaged("a pair of numbers"))?;
    Ok((u64::from_be_bytes(*one), number(other)?))
}

pub(super) fn operator(key: &[u8]) -> Result<OperatorId, StoreError> {
    let id = uuid::Uuid::from_slice(key).ok().and_then(OperatorId::new);
    id.ok_or(StoreError::Damaged("an operator's id"))
}

pub(super) fn block_row(frames: u32, header: &[u8]) -> Vec<u8> {
    [&frames.to_be_bytes()[..], header].concat()
}

pub(super) fn block_parts(row: &[u8]) -> Result<(u32, Bytes), StoreError> {
    let (frames, header) = row.split_first_chunk::<4>().ok_or(StoreError::Damaged("the row"))?;
    Ok((u32::from_be_bytes(*frames), Bytes::copy_from_slice(header)))
}

pub(super) fn head_bytes(head: &Head) -> Vec<u8> {
    let mut out = Vec::with_capacity(56 + head.streams.len() * 9);
    out.extend_from_slice(&head.height.0.to_be_bytes());
    out.extend_from_slice(&head.hash.0);
    out.extend_from_slice(&head.total.to_be_bytes());
    out.extend_from_slice(&head.sealed.0.to_be_bytes());
    for (stream, last) in &head.streams {
        out.push(stream.0);
        out.extend_from_slice(&last.get().to_be_bytes());
    }
    out
}

pub(super) fn head(value: &[u8]) -> Result<Head, StoreError> {
    let mut rest = value;
    let mut head = Head {
        height: Height(u64::from_be_bytes(take(&mut rest, "the head's height")?)),
        hash: Hash(take(&mut rest, "the head's hash")?),
        total: u64::from_be_bytes(take(&mut rest, "the head's total")?),
        sealed: UnixMillis(i64::from_be_bytes(take(&mut rest, "the head's time")?)),
        streams: Default::default(),
    };
    while !rest.is_empty() {
        let [stream] = take(&mut rest, "a stream")?;
        let last = Seq::new(u64::from_be_bytes(take(&mut rest, "a stream's last seq")?));
        head.streams.insert(StreamNo(stream), last.ok_or(StoreError::Damaged("a stream's last seq"))?);
    }
    Ok(head)
}

pub(super) fn entry_bytes(entry: &LogEntry) -> Vec<u8> {
    [&block_key(entry.operator, entry.height)[..], &entry.header].concat()
}

pub(super) fn entry(value: &[u8]) -> Result<LogEntry, StoreError> {
    let mut rest = value;
    let id: [u8; 16] = take(&mut rest, "an entry's operator")?;
    let height = Height(u64::from_be_bytes(take(&mut rest, "an entry's height")?));
    Ok(LogEntry { operator: operator(&id)?, height, header: Bytes::copy_from_slice(rest) })
}

pub(super) fn checkpoint_bytes(checkpoint: &StoredCheckpoint) -> Vec<u8> {
    [&checkpoint.size.to_be_bytes()[..], &checkpoint.root.0, &checkpoint.note].concat()
}

pub(super) fn checkpoint(value: &[u8]) -> Result<StoredCheckpoint, StoreError> {
    let mut rest = value;
    let size = u64::from_be_bytes(take(&mut rest, "the size")?);
    let root = Hash(take(&mut rest, "the root")?);
    Ok(StoredCheckpoint { size, root, note: Bytes::copy_from_slice(rest) })
}

fn take<const N: usize>(rest: &mut &[u8], what: &'static str) -> Result<[u8; N], StoreError> {
    let (found, after) = rest.split_first_chunk::<N>().ok_or(StoreError::Damaged(what))?;
    *rest = after;
    Ok(*found)
}
