//! The log: segments, tiles, checkpoint and marks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use contracts::{Height, OperatorId};
use ledger::TileId;
use store::StoreError;
use store::cql::{Cas, CompareAndSet, Cql, Read, Write};
use uuid::Uuid;

use super::places::Places;
use super::{column, hash, number, operator};
use crate::storage::{LogEntry, Published, Sequenced, StoredCheckpoint};

/// Entries whose segments lie in one partition. Far more than a segment holds, so that one reaches into the next bucket at most.
const ENTRIES_IN_BUCKET: u64 = if cfg!(test) { 32 } else { 16_384 };
/// Tiles in one partition.
const TILES_IN_BUCKET: u64 = 256;
/// Segments read at a time.
const SEGMENTS_AT_A_TIME: i32 = 64;

const LOG_SIZE: &str = "log_size";
const ANNOUNCED: &str = "announced";

/// What this process wrote last to the log. True for as long as nobody else writes: until a segment begins where this ends.
#[derive(Default)]
struct Own {
    size: u64,
    logged: HashMap<OperatorId, Height>,
}

#[derive(Clone)]
pub(super) struct LogTables {
    cql: Cql,
    own: Arc<Mutex<Option<Own>>>,
    pub(super) places: Places,
    segment_up_to: Read,
    segments_from: Read,
    last_segment: Read,
    begins_at: Read,
    settled: Read,
    insert: CompareAndSet,
    put_tile: Write,
    tile: Read,
    checkpoint: Read,
    settled_checkpoint: Read,
    first_checkpoint: CompareAndSet,
    next_checkpoint: CompareAndSet,
    mark: Read,
    advance: Write,
}

type EntryColumns = (Uuid, i64, String);

/// Consecutive entries that got their places together.
struct Segment {
    first: u64,
    end: u64,
    entries: Vec<EntryColumns>,
}

impl Segment {
    fn read((first, count, entries): (i64, i32, Vec<EntryColumns>)) -> Result<Self, StoreError> {
        if i32::try_from(entries.len()) != Ok(count) {
            return Err(StoreError::Damaged("the number of entries of a segment"));
        }
        let first = number(first)?;
        Ok(Self { first, end: first + entries.len() as u64, entries })
    }

    fn at(&self, place: u64) -> Option<&EntryColumns> {
        self.entries.get(usize::try_from(place.checked_sub(self.first)?).ok()?)
    }
}

impl LogTables {
    pub(super) async fn prepare(cql: Cql) -> Result<Self, StoreError> {
        let segment = "SELECT first, count, headers FROM @log_segments WHERE bucket = ? AND first";
        Ok(Self {
            segment_up_to: cql.read(&format!("{segment} <= ? ORDER BY first DESC LIMIT 1")).await?,
            segments_from: cql.read(&format!("{segment} >= ? LIMIT ?")).await?,
            last_segment: cql
                .read("SELECT first, count FROM @log_segments WHERE bucket = ? ORDER BY first DESC LIMIT 1")
                .await?,
            begins_at: cql.read("SELECT first FROM @log_segments WHERE bucket = ? AND first = ?").await?,
            settled: cql.serial_read(&format!("{segment} = ?")).await?,
            insert: cql
                .compare_and_set(
                    "INSERT INTO @log_segments (bucket, first, count, headers) VALUES (?, ?, ?, ?) IF NOT EXISTS",
                )
                .await?,
            places: Places::prepare(cql.clone()).await?,
            put_tile: cql
                .write("INSERT INTO @log_tiles (level, bucket, place, hashes) VALUES (?, ?, ?, ?) USING TIMESTAMP ?")
                .await?,
            tile: cql.read("SELECT hashes FROM @log_tiles WHERE level = ? AND bucket = ? AND place = ?").await?,
            checkpoint: cql.read("SELECT size, root, note FROM @checkpoints WHERE id = 0").await?,
            settled_checkpoint: cql.serial_read("SELECT size, root, note FROM @checkpoints WHERE id = 0").await?,
            first_checkpoint: cql
                .compare_and_set("INSERT INTO @checkpoints (id, size, root, note) VALUES (0, ?, ?, ?) IF NOT EXISTS")
                .await?,
            next_checkpoint: cql
                .compare_and_set("UPDATE @checkpoints SET size = ?, root = ?, note = ? WHERE id = 0 IF size < ?")
                .await?,
            mark: cql.read("SELECT value FROM @marks WHERE name = ?").await?,
            advance: cql.write("INSERT INTO @marks (name, value) VALUES (?, ?) USING TIMESTAMP ?").await?,
            cql,
            own: Arc::default(),
        })
    }

    async fn mark(&self, name: &str) -> Result<u64, StoreError> {
        let found: Option<(i64,)> = self.cql.row(&self.mark, (name,)).await?;
        found.map_or(Ok(0), |(value,)| number(value))
    }

    async fn advance(&self, name: &str, value: u64) -> Result<(), StoreError> {
        self.cql.run(&self.advance, (name, column(value), column(value))).await
    }

    /// The end of the last segment. The mark may be behind: what follows it is looked at, too.
    pub(super) async fn size(&self) -> Result<u64, StoreError> {
        let mark = self.mark(LOG_SIZE).await?;
        let (mut size, mut bucket) = (mark, mark / ENTRIES_IN_BUCKET);
        loop {
            let last: Option<(i64, i32)> = self.cql.row(&self.last_segment, (column(bucket),)).await?;
            let Some((first, count)) = last else { return Ok(size) };
            size = number(first)? + number(i64::from(count))?;
            if size / ENTRIES_IN_BUCKET == bucket {
                return Ok(size);
            }
            bucket = size / ENTRIES_IN_BUCKET;
        }
    }

    /// The segment that holds a place, or the last before it.
    async fn segment_up_to(&self, place: u64) -> Result<Option<Segment>, StoreError> {
        let bucket = place / ENTRIES_IN_BUCKET;
        for bucket in (bucket.saturating_sub(1)..=bucket).rev() {
            let row = self.cql.row(&self.segment_up_to, (column(bucket), column(place))).await?;
            if let Some(row) = row {
                return Segment::read(row).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether a segment ends at this size: a fact that never changes.
    async fn ends_at(&self, size: u64) -> Result<bool, StoreError> {
        match size.checked_sub(1) {
            None => Ok(true),
            Some(last) => Ok(self.segment_up_to(last).await?.is_some_and(|segment| segment.end == size)),
        }
    }

    fn own(&self) -> MutexGuard<'_, Option<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn sequence(&self, expected: u64, entries: &[LogEntry]) -> Result<Sequenced, StoreError> {
        let done = self.try_sequence(expected, entries).await;
        let mut own = self.own();
        match (&done, own.as_mut()) {
            (Ok(Sequenced::Sequenced), Some(own)) if own.size == expected => {
                own.size = expected + entries.len() as u64;
                own.logged.extend(entries.iter().map(|entry| (entry.operator, entry.height)));
            }
            // Where others wrote in between, what is remembered of their operators is old: only this is known.
            (Ok(Sequenced::Sequenced), _) => {
                let logged = entries.iter().map(|entry| (entry.operator, entry.height)).collect();
                *own = Some(Own { size: expected + entries.len() as u64, logged });
            }
            _ => *own = None,
        }
        done
    }

    async fn try_sequence(&self, expected: u64, entries: &[LogEntry]) -> Result<Sequenced, StoreError> {
        // A size that was once the log's stays the end of a segment: if it is no longer the last, the insert is refused.
        let is_own = self.own().as_ref().is_some_and(|own| own.size == expected);
        if !is_own {
            let size = self.size().await?;
            if size != expected || !self.ends_at(expected).await? {
                return Ok(Sequenced::SizeMoved { size });
            }
        }
        let count = match i32::try_from(entries.len()) {
            Ok(0) => return Ok(Sequenced::Sequenced),
            Ok(count) if entries.len() as u64 <= ENTRIES_IN_BUCKET => count,
            _ => return Err(StoreError::Damaged("too many entries at a time")),
        };
        let mut lowest = BTreeMap::new();
        for entry in entries {
            lowest.entry(entry.operator).or_insert(entry.height);
        }
        for (operator, height) in lowest {
            let own = self.own().as_ref().filter(|_| is_own).and_then(|own| own.logged.get(&operator).copied());
            let is_placed = match own {
                Some(logged) => height <= logged,
                None => self.index_of(operator, height).await?.is_some(),
            };
            if is_placed {
                return Err(StoreError::Damaged("a second place for one header"));
            }
        }
        let (mut places, mut texts) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for (place, entry) in (expected..).zip(entries) {
            let (operator, height) = (entry.operator.uuid(), entry.height.0);
            places.push((entry.operator, entry.height, place));
            let header = std::str::from_utf8(&entry.header).map_err(|_| StoreError::Damaged("a header"))?;
            texts.push((operator, column(height), header.to_owned()));
        }
        self.places.put(places).await?;
        let key = (column(expected / ENTRIES_IN_BUCKET), column(expected));
        match self.cql.cas(&self.insert, (key.0, key.1, count, &texts)).await? {
            Cas::Applied => {}
            Cas::Refused => return Ok(Sequenced::SizeMoved { size: self.size().await? }),
            Cas::Unknown(error) => {
                let found = self.cql.row(&self.settled, key).await?.map(Segment::read).transpose()?;
                match found {
                    Some(segment) if segment.entries == texts => {}
                    Some(segment) => return Ok(Sequenced::SizeMoved { size: segment.end }),
                    None => return Err(error),
                }
            }
        }
        self.advance(LOG_SIZE, expected + entries.len() as u64).await?;
        Ok(Sequenced::Sequenced)
    }

    pub(super) async fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let mut found: Vec<LogEntry> = Vec::new();
        let mut next = from;
        let Some(mut segment) = self.segment_up_to(from).await? else { return Ok(found) };
        let mut following = Vec::new().into_iter();
        while found.len() < limit && segment.end > next && segment.first <= next {
            let skipped = (next - segment.first) as usize;
            next = segment.end;
            for (id, height, header) in segment.entries.into_iter().skip(skipped).take(limit - found.len()) {
                let header = header.into();
                found.push(LogEntry { operator: operator(id)?, height: Height(number(height)?), header });
            }
            if following.len() == 0 {
                let values = (column(next / ENTRIES_IN_BUCKET), column(next), SEGMENTS_AT_A_TIME);
                let rows: Vec<(i64, i32, Vec<EntryColumns>)> = self.cql.pages(&self.segments_from, values).await?;
                following = rows.into_iter();
            }
            let Some(row) = following.next() else { break };
            segment = Segment::read(row)?;
        }
        Ok(found)
    }

    /// Whether the entry at a place is this one: a place alone says only that somebody wanted to put it there.
    async fn is_at(&self, place: u64, operator: OperatorId, height: Height) -> Result<bool, StoreError> {
        let segment = self.segment_up_to(place).await?;
        let entry = segment.as_ref().and_then(|segment| segment.at(place));
        Ok(entry.is_some_and(|(id, at, _)| *id == operator.uuid() && *at == column(height.0)))
    }

    /// Looks at the highest place first: once a header has its place nobody wants another for it, but for writers that were under way.
    pub(super) async fn index_of(&self, operator: OperatorId, height: Height) -> Result<Option<u64>, StoreError> {
        let mut below = None;
        loop {
            let page = self.places.of(operator, height, below).await?;
            for place in &page {
                if self.is_at(*place, operator, height).await? {
                    return Ok(Some(*place));
                }
            }
            let Some(lowest) = page.last() else { return Ok(None) };
            below = Some(*lowest);
        }
    }

    /// The newest height of an operator in the log, if this process put it there and nobody wrote to the log since.
    pub(super) async fn own_logged(&self, operator: OperatorId) -> Result<Option<Height>, StoreError> {
        let own = self.own().as_ref().and_then(|own| Some((own.size, *own.logged.get(&operator)?)));
        let Some((size, logged)) = own else { return Ok(None) };
        let next: Option<(i64,)> =
            self.cql.row(&self.begins_at, (column(size / ENTRIES_IN_BUCKET), column(size))).await?;
        Ok(next.is_none().then_some(logged))
    }

    /// The newest height of an operator in the log, looked for from somewhere near the head of its chain.
    pub(super) async fn logged(&self, operator: OperatorId, near: Height) -> Result<Height, StoreError> {
        // The hint of the head may lie a little behind what is logged.
        for bucket in (0..=Places::bucket(near) + 1).rev() {
            let mut below = None;
            loop {
                let page = self.places.down(operator, bucket, below).await?;
                for (height, place) in &page {
                    if self.is_at(*place, operator, *height).await? {
                        return Ok(*height);
                    }
                }
                let Some(lowest) = page.last() else { break };
                below = Some(*lowest);
            }
        }
        Ok(Height(0))
    }

    pub(super) async fn put_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) -> Result<(), StoreError> {
        let row = |(tile, hashes): (TileId, Vec<u8>)| {
            let width = (hashes.len() / 32) as i64;
            let bucket = column(tile.index / TILES_IN_BUCKET);
            (i16::from(tile.level), bucket, column(tile.index), hashes, width)
        };
        self.cql.run_each(&self.put_tile, tiles.into_iter().map(row).collect()).await
    }

    pub(super) async fn tile(&self, level: u8, index: u64) -> Result<Option<Bytes>, StoreError> {
        let values = (i16::from(level), column(index / TILES_IN_BUCKET), column(index));
        let found: Option<(Bytes,)> = self.cql.row(&self.tile, values).await?;
        Ok(found.map(|(hashes,)| hashes))
    }

    pub(super) async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        let found = self.cql.row(&self.checkpoint, ()).await?;
        found.map(stored).transpose()
    }

    pub(super) async fn publish(&self, checkpoint: &StoredCheckpoint) -> Result<Published, StoreError> {
        let note = std::str::from_utf8(&checkpoint.note).map_err(|_| StoreError::Damaged("a note"))?;
        let (size, root) = (column(checkpoint.size), &checkpoint.root.0[..]);
        let done = match self.checkpoint().await? {
            Some(held) if held.size >= checkpoint.size => return Ok(Published::NotNewer { size: held.size }),
            Some(_) => self.cql.cas(&self.next_checkpoint, (size, root, note, size)).await?,
            None => self.cql.cas(&self.first_checkpoint, (size, root, note)).await?,
        };
        let unknown = match done {
            Cas::Applied => return Ok(Published::Published),
            Cas::Refused => None,
            Cas::Unknown(error) => Some(error),
        };
        let held = self.cql.row(&self.settled_checkpoint, ()).await?.map(stored).transpose()?;
        match (held, unknown) {
            (Some(held), Some(_)) if held == *checkpoint => Ok(Published::Published),
            (Some(held), _) if held.size >= checkpoint.size => Ok(Published::NotNewer { size: held.size }),
            (_, Some(error)) => Err(error),
            // Another writer made the first one, and a smaller one: the caller looks again.
            (held, None) => Ok(Published::NotNewer { size: held.map_or(0, |held| held.size) }),
        }
    }

    pub(super) async fn announced(&self) -> Result<u64, StoreError> {
        self.mark(ANNOUNCED).await
    }

    pub(super) async fn advance_announced(&self, announced: u64) -> Result<(), StoreError> {
        self.advance(ANNOUNCED, announced).await
    }
}

fn stored((size, root, note): (i64, Vec<u8>, String)) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint { size: number(size)?, root: hash(root)?, note: note.into() })
}
