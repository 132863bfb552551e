//! Whether a frame whose seqs are sealed holds the records that are.

use bytes::Bytes;
use contracts::frame::{Frame, Unpacker};
use contracts::{Hash, Seq};

use crate::domain::frame::{Damage, check_roots, leaves};
use crate::storage::{StorageError, Store};

/// `Ok(Ok(()))` when every record of the frame is sealed under its seq. The same frame is found by its bytes; one that was cut otherwise,
/// as when a sender repeats what a lost `TX` held, is compared record by record.
///
/// # Errors
/// The store failed: try again.
pub(super) async fn is_sealed(store: &dyn Store, bytes: &Bytes) -> Result<Result<(), Damage>, StorageError> {
    match compare(store, bytes).await {
        Ok(()) => Ok(Ok(())),
        Err(Differs::Damage(damage)) => Ok(Err(damage)),
        Err(Differs::Store(StorageError::Damaged { what })) => Ok(Err(Damage::Unreadable { what })),
        Err(Differs::Store(error)) => Err(error),
    }
}

enum Differs {
    Damage(Damage),
    Store(StorageError),
}

impl From<Damage> for Differs {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<StorageError> for Differs {
    fn from(error: StorageError) -> Self {
        Self::Store(error)
    }
}

async fn compare(store: &dyn Store, bytes: &Bytes) -> Result<(), Differs> {
    let frame = Frame::decode(bytes).map_err(Damage::Frame)?;
    let (operator, stream, first, last) = (frame.operator, frame.stream, frame.first_seq(), frame.last_seq());
    let other = || Damage::Sealed { first, last };
    let unpacker = || Unpacker::new().map_err(|error| Damage::Unreadable { what: error.to_string() });
    let mut sealed: Vec<Hash> = Vec::new();
    while sealed.len() < frame.records() as usize {
        let next = Seq::new(first.get() + sealed.len() as u64).ok_or_else(other)?;
        let height = store.height_holding(operator, stream, next).await?.ok_or_else(other)?;
        let block = store.block(operator, height).await?.ok_or_else(other)?;
        if block.frames.contains(bytes) {
            return Ok(());
        }
        let found = sealed.len();
        for packed in &block.frames {
            let one = Frame::decode(packed).map_err(Damage::Frame)?;
            if one.stream != stream || one.last_seq() < first.get() || one.first_seq().get() > last {
                continue;
            }
            let hashes = leaves(&one, &mut unpacker()?).map_err(Damage::Frame)?;
            let wanted = (one.first_seq().get()..).zip(hashes).filter(|(seq, _)| (first.get()..=last).contains(seq));
            sealed.extend(wanted.map(|(_, hash)| hash));
        }
        if sealed.len() == found {
            return Err(other().into());
        }
    }
    let own = leaves(&frame, &mut unpacker()?).map_err(Damage::Frame)?;
    check_roots(&frame, &own)?;
    if own == sealed { Ok(()) } else { Err(other().into()) }
}
