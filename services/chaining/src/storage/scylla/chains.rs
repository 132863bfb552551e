//! Operators, blocks and frames.

use std::collections::HashMap;

use bytes::Bytes;
use contracts::block::BlockHeader;
use contracts::{Height, OperatorId, Seq, StreamNo, UnixMillis};
use store::StoreError;
use store::cql::{Cas, CompareAndSet, Cql, Read, Timestamp, Write};

use super::{column, hash, number};
use crate::domain::chain::{Head, NewBlock};
use crate::storage::{Appended, StoredBlock};

/// Blocks of a chain in one partition: their rows are some hundred bytes, a few thousand where there are 256 streams. The suite
/// crosses the bounds of small partitions.
const BLOCKS_IN_BUCKET: u64 = if cfg!(test) { 16 } else { 4_096 };
/// Blocks whose frames lie in one partition.
const FRAMES_IN_BUCKET: u64 = if cfg!(test) { 4 } else { 32 };

#[derive(Clone)]
pub(super) struct Chains {
    cql: Cql,
    list: Read,
    enlist: Write,
    hint: Read,
    advance_hint: Write,
    newest: Read,
    near: Read,
    streams_at: Read,
    settled: Read,
    insert: CompareAndSet,
    header_at: Read,
    headers: Read,
    put_frames: Write,
    frames: Read,
}

type HeadRow = (i64, Vec<u8>, Timestamp, i64, HashMap<i16, i64>);

impl Chains {
    pub(super) async fn prepare(cql: Cql) -> Result<Self, StoreError> {
        let block = "WHERE operator = ? AND bucket = ? AND height";
        Ok(Self {
            list: cql.read("SELECT operator FROM @operators WHERE shelf = 0 AND operator > ? LIMIT ?").await?,
            enlist: cql.write("INSERT INTO @operators (shelf, operator) VALUES (0, ?)").await?,
            hint: cql.read("SELECT height FROM @heads WHERE operator = ?").await?,
            advance_hint: cql.write("INSERT INTO @heads (operator, height) VALUES (?, ?) USING TIMESTAMP ?").await?,
            newest: cql
                .read(&format!(
                    "SELECT height, hash, sealed, total, streams FROM @blocks {block} >= ? ORDER BY height DESC LIMIT 1"
                ))
                .await?,
            near: cql.read(&format!("SELECT height, hash FROM @blocks {block} >= ? AND height <= ?")).await?,
            streams_at: cql.read(&format!("SELECT streams, header FROM @blocks {block} = ?")).await?,
            settled: cql.serial_read(&format!("SELECT hash FROM @blocks {block} = ?")).await?,
            insert: cql
                .compare_and_set(
                    "INSERT INTO @blocks (operator, bucket, height, hash, sealed, total, streams, header) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
                )
                .await?,
            header_at: cql.read(&format!("SELECT hash, header FROM @blocks {block} = ?")).await?,
            headers: cql.read(&format!("SELECT height, header FROM @blocks {block} >= ? LIMIT ?")).await?,
            put_frames: cql
                .write("INSERT INTO @frames (operator, bucket, height, hash, frames) VALUES (?, ?, ?, ?, ?)")
                .await?,
            frames: cql.read(&format!("SELECT frames FROM @frames {block} = ? AND hash = ?")).await?,
            cql,
        })
    }

    pub(super) async fn operators(
        &self,
        after: Option<OperatorId>,
        limit: usize,
    ) -> Result<Vec<OperatorId>, StoreError> {
        let after = after.map(|operator| operator.to_string()).unwrap_or_default();
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let rows: Vec<(String,)> = self.cql.pages(&self.list, (after, limit)).await?;
        let parse = |(text,): (String,)| text.parse().map_err(|_| StoreError::Damaged("an operator's id"));
        rows.into_iter().map(parse).collect()
    }

    /// The end of the chain as its last block tells it. The hint may be behind: what follows it is looked at, too.
    pub(super) async fn head(&self, operator: OperatorId) -> Result<Head, StoreError> {
        let mut from = self.reached(operator).await?.0.max(1);
        let mut newest = None;
        loop {
            let bucket = from / BLOCKS_IN_BUCKET;
            let values = (operator.uuid(), column(bucket), column(from));
            let Some(row): Option<HeadRow> = self.cql.row(&self.newest, values).await? else { break };
            let height = number(row.0)?;
            newest = Some(row);
            from = (bucket + 1) * BLOCKS_IN_BUCKET;
            if height + 1 < from {
                break;
            }
        }
        newest.map_or_else(|| Ok(Head::start()), head)
    }

    /// A height that the chain has reached, 0 for none: a hint.
    pub(super) async fn reached(&self, operator: OperatorId) -> Result<Height, StoreError> {
        let found: Option<(i64,)> = self.cql.row(&self.hint, (operator.uuid(),)).await?;
        Ok(Height(found.map_or(Ok(0), |(height,)| number(height))?))
    }

    pub(super) async fn append(&self, block: &NewBlock) -> Result<Appended, StoreError> {
        let (operator, height) = (block.header.operator, block.header.height);
        if let Some(known) = self.standing(block).await? {
            return Ok(known);
        }
        self.put_body(block).await?;
        let key = (operator.uuid(), column(height.0 / BLOCKS_IN_BUCKET), column(height.0));
        let head = &block.head;
        let streams: HashMap<i16, i64> =
            head.streams.iter().map(|(stream, last)| (i16::from(stream.0), column(last.get()))).collect();
        let header = std::str::from_utf8(&block.header_bytes).map_err(|_| StoreError::Damaged("a header"))?;
        let sealed = Timestamp(head.sealed.0);
        let values = (key.0, key.1, key.2, head.hash.0, sealed, column(head.total), streams, header);
        let lost = match self.cql.cas(&self.insert, values).await? {
            Cas::Applied => None,
            Cas::Refused => Some(None),
            Cas::Unknown(error) => Some(Some(error)),
        };
        if let Some(unknown) = lost {
            let found: Option<(Vec<u8>,)> = self.cql.row(&self.settled, key).await?;
            match (found, unknown) {
                (Some((found,)), _) if found == head.hash.0 => {}
                (Some(_), _) => return Ok(Appended::HeadMoved),
                (None, Some(error)) => return Err(error),
                (None, None) => return Err(StoreError::Damaged("a refusal without a row")),
            }
        }
        self.cql.run(&self.advance_hint, (operator.uuid(), column(height.0), column(height.0))).await?;
        Ok(Appended::Appended)
    }

    /// What is to be said of a block without writing anything; `None` when it may be tried. Blocks never change, so what is found
    /// here holds at the compare-and-set as well.
    async fn standing(&self, block: &NewBlock) -> Result<Option<Appended>, StoreError> {
        let (operator, height) = (block.header.operator, block.header.height.0);
        let mut found = HashMap::new();
        let (from, to) = (height.saturating_sub(1).max(1), height + 1);
        for bucket in from / BLOCKS_IN_BUCKET..=to / BLOCKS_IN_BUCKET {
            let values = (operator.uuid(), column(bucket), column(from), column(to));
            let rows: Vec<(i64, Vec<u8>)> = self.cql.rows(&self.near, values).await?;
            for (height, found_hash) in rows {
                found.insert(number(height)?, hash(found_hash)?);
            }
        }
        let is_linked = match height {
            0 => false,
            1 => block.header.previous == contracts::Hash::ZERO,
            _ => found.get(&(height - 1)) == Some(&block.header.previous),
        };
        Ok(match found.get(&height) {
            Some(there) if *there == block.head.hash && !found.contains_key(&to) => Some(Appended::AlreadyThere),
            Some(_) => Some(Appended::HeadMoved),
            None if !is_linked => Some(Appended::HeadMoved),
            None => None,
        })
    }

    /// Everything that must be there when the block is.
    async fn put_body(&self, block: &NewBlock) -> Result<(), StoreError> {
        let (operator, height) = (block.header.operator.uuid(), block.header.height.0);
        let hash = block.head.hash.0;
        let values = (operator, column(height / FRAMES_IN_BUCKET), column(height), hash, &block.frames);
        let frames = self.cql.run(&self.put_frames, values);
        let enlist = async {
            match height {
                1 => self.cql.run(&self.enlist, (operator.to_string(),)).await,
                _ => Ok(()),
            }
        };
        futures::try_join!(frames, enlist)?;
        Ok(())
    }

    pub(super) async fn block(&self, operator: OperatorId, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        let values = (operator.uuid(), column(height.0 / BLOCKS_IN_BUCKET), column(height.0));
        let found: Option<(Vec<u8>, String)> = self.cql.row(&self.header_at, values).await?;
        let Some((hash, header)) = found else { return Ok(None) };
        let values = (operator.uuid(), column(height.0 / FRAMES_IN_BUCKET), column(height.0), hash);
        let frames: Option<(Vec<Bytes>,)> = self.cql.row(&self.frames, values).await?;
        let (frames,) = frames.ok_or(StoreError::Damaged("a missing frame"))?;
        Ok(Some(StoredBlock { header: header.into(), frames }))
    }

    pub(super) async fn headers(
        &self,
        operator: OperatorId,
        from: Height,
        limit: usize,
    ) -> Result<Vec<Bytes>, StoreError> {
        let mut headers = Vec::new();
        let mut next = from.0;
        while headers.len() < limit {
            let bucket = next / BLOCKS_IN_BUCKET;
            let left = i32::try_from(limit - headers.len()).unwrap_or(i32::MAX);
            let values = (operator.uuid(), column(bucket), column(next), left);
            let rows: Vec<(i64, String)> = self.cql.pages(&self.headers, values).await?;
            for (height, header) in rows {
                if number(height)? != next {
                    return Ok(headers);
                }
                headers.push(header.into());
                next += 1;
            }
            if next < (bucket + 1) * BLOCKS_IN_BUCKET {
                break;
            }
        }
        Ok(headers)
    }

    /// Looks where the seq should be if blocks held equally many, and in the middle, in turn: a few reads of a row where they do,
    /// and never more than twice as many as halving takes.
    pub(super) async fn height_holding(
        &self,
        operator: OperatorId,
        stream: StreamNo,
        seq: Seq,
    ) -> Result<Option<Height>, StoreError> {
        let head = self.head(operator).await?;
        let seq = seq.get();
        // It is in a block from `low` to `high`; before them the stream is sealed through `below`, with them through `through`.
        let (mut low, mut high, mut below, mut through) = (1, head.height.0, 0, head.sealed_through(stream));
        let mut halve = false;
        while seq <= through && low <= high {
            let (wide, share) = (u128::from(high - low), u128::from(seq - below - 1));
            let guess = if halve { wide / 2 } else { wide * share / u128::from(through - below) };
            let height = low + guess as u64;
            let (range, reached) = self.range(operator, Height(height), stream).await?;
            match range {
                Some((first, last)) if first <= seq && seq <= last => return Ok(Some(Height(height))),
                _ if reached >= seq => (high, through) = (height - 1, range.map_or(reached, |(first, _)| first - 1)),
                _ => (low, below) = (height + 1, reached),
            }
            halve = !halve;
        }
        if seq <= through { Err(StoreError::Damaged("the ranges")) } else { Ok(None) }
    }

    /// First and last seq of a stream in a block, if it has any, and through what the stream is sealed with it.
    async fn range(
        &self,
        operator: OperatorId,
        height: Height,
        stream: StreamNo,
    ) -> Result<(Option<(u64, u64)>, u64), StoreError> {
        let values = (operator.uuid(), column(height.0 / BLOCKS_IN_BUCKET), column(height.0));
        let found: Option<(HashMap<i16, i64>, String)> = self.cql.row(&self.streams_at, values).await?;
        let (streams, header) = found.ok_or(StoreError::Damaged("a missing block"))?;
        let header = BlockHeader::parse(header.as_bytes()).map_err(|_| StoreError::Damaged("a header"))?;
        let range = header.streams.iter().find(|range| range.stream == stream);
        let reached = streams.get(&i16::from(stream.0)).map_or(Ok(0), |reached| number(*reached))?;
        Ok((range.map(|range| (range.first.get(), range.last.get())), reached))
    }
}

fn head((height, found, sealed, total, streams): HeadRow) -> Result<Head, StoreError> {
    let stream = |(stream, last): (i16, i64)| {
        let last = Seq::new(number(last)?).ok_or(StoreError::Damaged("a stream's last seq"))?;
        let stream = u8::try_from(stream).map_err(|_| StoreError::Damaged("a stream"))?;
        Ok((StreamNo(stream), last))
    };
    Ok(Head {
        height: Height(number(height)?),
        hash: hash(found)?,
        total: number(total)?,
        sealed: UnixMillis(sealed.0),
        streams: streams.into_iter().map(stream).collect::<Result<_, StoreError>>()?,
    })
}
