//! Every chain: links, sums, streams without a hole, and each block against its records.

use std::collections::BTreeMap;

use bytes::Bytes;
use contracts::frame::{Frame, Unpacker};
use contracts::{Hash, Height, OperatorId, Seq, StreamNo};

use super::{Checked, Finding, Progress, Scope, What, first_difference, operators, unreadable};
use crate::domain::chain::Head;
use crate::domain::frame::Damage;
use crate::domain::read::{BlockFault, OpenBlock};
use crate::error::with_causes;
use crate::storage::Store;

pub(super) async fn check(
    store: &dyn Store,
    scope: Scope<'_>,
    checked: &mut Progress,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Checked<()> {
    let mut unpacker = Unpacker::new().map_err(|error| Finding::new(What::Block, error.to_string()))?;
    let mut after = None;
    loop {
        let operators = operators(store, after).await?;
        for operator in &operators {
            if matches!(scope, Scope::Newest { of, .. } if !of.hold(*operator)) {
                continue;
            }
            chain(store, *operator, scope, &mut unpacker, checked, progress).await?;
            checked.chains += 1;
        }
        match operators.last() {
            Some(last) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

async fn chain(
    store: &dyn Store,
    operator: OperatorId,
    scope: Scope<'_>,
    unpacker: &mut Unpacker,
    checked: &mut Progress,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Checked<()> {
    let of_head = || Finding { operator: Some(operator), ..Finding::new(What::Head, "") };
    let head = store.head(operator).await.map_err(|error| unreadable(&error, of_head()))?;
    let first = match scope {
        Scope::Everything => 1,
        Scope::Newest { blocks, .. } => (head.height.0 + 1).saturating_sub(blocks).max(1),
    };
    // Before the first block looked at nothing is known; the links and sums count from there.
    let mut so_far = (first == 1).then(Head::start);
    for height in (first..=head.height.0).map(Height) {
        let open = block(store, operator, height, unpacker).await?;
        if let Some(before) = so_far.as_ref().filter(|before| before.hash != open.1.header.previous) {
            let named = open.1.header.previous;
            let detail = format!("it names {named} as the block before, which has hash {}", before.hash);
            let found = Finding::of_block(What::Block, operator, height, detail);
            return Err(torn(store, operator, before, named, found).await.into());
        }
        so_far = Some(follow(&open, so_far.as_ref(), first == 1)?);
        index(store, &open.1).await?;
        checked.blocks += 1;
        checked.records += open.1.header.records;
        progress(*checked);
    }
    let Some(derived) = so_far else { return Ok(()) };
    let agrees = derived.hash == head.hash
        && derived.total == head.total
        && derived.sealed == head.sealed
        && derived.streams.iter().all(|(stream, last)| head.streams.get(stream) == Some(last))
        && (first > 1 || derived.streams.len() == head.streams.len());
    if !agrees {
        let detail = "the head says other than the blocks that lead to it";
        let found = Finding::of_block(What::Head, operator, head.height, detail);
        return Err(torn(store, operator, &derived, head.hash, found).await.into());
    }
    Ok(())
}

/// What follows a block does not agree with it. `after` blames what follows, and stands, unless the log has the block's header as
/// what follows names it: then the block itself is wrong.
async fn torn(store: &dyn Store, operator: OperatorId, block: &Head, named: Hash, after: Finding) -> Finding {
    let logged = async || {
        let index = store.index_of(operator, block.height).await.ok()??;
        let entry = store.entries(index, 1).await.ok()?.into_iter().next()?;
        Some(entry.header)
    };
    // What can't be read of the log here is found when the log is looked at; it decides nothing.
    let other = |header: &Bytes| named != block.hash && ledger::block_hash(header) == named;
    let Some(header) = logged().await.filter(other) else { return after };
    let detail = format!("its hash is {}, while the log and what follows it say {named}", block.hash);
    let stored = store.headers(operator, block.height, 1).await.ok();
    let stored = stored.and_then(|headers| headers.into_iter().next());
    let offset = stored.and_then(|stored| first_difference(&stored, &header)).map(|n| n as u64);
    Finding { offset, ..Finding::of_block(What::Block, operator, block.height, detail) }
}

/// Reads a block and derives what its header says from its records. The hash of the header comes with it.
async fn block(
    store: &dyn Store,
    operator: OperatorId,
    height: Height,
    unpacker: &mut Unpacker,
) -> Checked<(Hash, OpenBlock)> {
    let wrong = |detail: &str| Finding::of_block(What::Block, operator, height, detail);
    let found = store.block(operator, height).await.map_err(|error| unreadable(&error, wrong("")))?;
    let stored = found.ok_or_else(|| wrong("the block is missing"))?;
    let open = OpenBlock::open(&stored.header, &stored.frames, unpacker)
        .map_err(|fault| named(operator, height, fault, &stored.frames, unpacker))?;
    if open.header.operator != operator || open.header.height != height {
        return Err(wrong("the header is of another block").into());
    }
    Ok((ledger::block_hash(&stored.header), open))
}

/// The chain's head after this block, if it goes on where the one before it ended. That it names that one's hash is checked before.
fn follow((hash, open): &(Hash, OpenBlock), before: Option<&Head>, whole: bool) -> Checked<Head> {
    let header = &open.header;
    let wrong = |detail: String| Err(Finding::of_block(What::Block, header.operator, header.height, detail).into());
    let mut streams: BTreeMap<StreamNo, Seq> = BTreeMap::new();
    if let Some(before) = before {
        if before.total.checked_add(header.records) != Some(header.total) {
            return wrong(format!("its total is {}, of the block before it was {}", header.total, before.total));
        }
        if before.height.0 > 0 && header.sealed < before.sealed {
            return wrong("it was sealed before the block before it".into());
        }
        for range in &header.streams {
            let known = before.streams.get(&range.stream).copied();
            // A stream not seen yet begins at 1, if everything before was looked at.
            let expected = known.map_or(whole.then_some(1), |last| Some(last.get() + 1));
            if expected.is_some_and(|expected| expected != range.first.get()) {
                return wrong(format!("stream {} begins at {} in it", range.stream, range.first));
            }
        }
        streams.clone_from(&before.streams);
    }
    streams.extend(header.streams.iter().map(|range| (range.stream, range.last)));
    Ok(Head { height: header.height, hash: *hash, total: header.total, sealed: header.sealed, streams })
}

/// The table that leads from a record to its block leads to this one.
async fn index(store: &dyn Store, open: &OpenBlock) -> Checked<()> {
    let (operator, height) = (open.header.operator, open.header.height);
    for range in &open.header.streams {
        for seq in [range.first, range.last] {
            let wrong = || Finding {
                stream: Some(range.stream),
                seq: Some(seq.get()),
                ..Finding::of_block(What::Index, operator, height, "the record is not found in its block")
            };
            let found = store.height_holding(operator, range.stream, seq).await;
            if found.map_err(|error| unreadable(&error, wrong()))? != Some(height) {
                return Err(wrong().into());
            }
        }
    }
    Ok(())
}

/// A fault in a block with the most exact place that can be said.
fn named(
    operator: OperatorId,
    height: Height,
    fault: BlockFault,
    frames: &[bytes::Bytes],
    unpacker: &mut Unpacker,
) -> Finding {
    let detail = with_causes(&fault);
    let of = |what| Finding::of_block(what, operator, height, detail);
    match fault {
        BlockFault::Header(_) | BlockFault::Root { .. } => of(What::Block),
        BlockFault::Streams { stream } => Finding { stream: Some(stream), ..of(What::Block) },
        BlockFault::Frame { number, .. } => {
            let frame = frames.get(number).and_then(|bytes| Some(Frame::examine(bytes).ok()?.0));
            Finding {
                frame: Some(number),
                stream: frame.as_ref().map(|frame| frame.stream),
                seq: frame.as_ref().map(|frame| frame.first_seq().get()),
                last_seq: frame.as_ref().map(Frame::last_seq),
                ..of(What::Record)
            }
        }
        BlockFault::Batch { number, stream, damage } => {
            let frame = frames.get(number).and_then(|bytes| Some(Frame::examine(bytes).ok()?.0));
            let (first, last) = frame.map_or((None, None), |frame| suspects(&frame, &damage, unpacker));
            Finding { frame: Some(number), stream: Some(stream), seq: first, last_seq: last, ..of(What::Record) }
        }
    }
}

/// The records of a batch that may be the wrong one: the first that does not say its own seq, or else all.
fn suspects(frame: &Frame, damage: &Damage, unpacker: &mut Unpacker) -> (Option<u64>, Option<u64>) {
    let Damage::Root { first_seq, .. } = damage else { return (None, None) };
    let Some(batch) = frame.batches().iter().find(|batch| batch.first_seq == *first_seq) else { return (None, None) };
    let mut seq = frame.first_seq().get();
    for part in frame.parts() {
        let Ok(records) = unpacker.unpack(part) else { break };
        for record in records {
            if seq >= first_seq.get() && seq <= batch.last_seq() && !says_seq(record, seq) {
                return (Some(seq), None);
            }
            seq += 1;
        }
    }
    (Some(first_seq.get()), Some(batch.last_seq()))
}

/// Whether a record is a JSON object with this seq.
fn says_seq(record: &[u8], seq: u64) -> bool {
    #[derive(serde::Deserialize)]
    struct Numbered {
        seq: u64,
    }
    serde_json::from_slice::<Numbered>(record).is_ok_and(|record| record.seq == seq)
}
