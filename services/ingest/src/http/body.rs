//! Reads and unpacks the body of a batch, within a size, a deadline and the memory budget.

use std::io::Read;
use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use contracts::batch::{BATCH_BYTES_MAX, SENT_BYTES_MAX};
use futures::{Stream, StreamExt as _};

use crate::domain::Lease;

/// How long the whole body may take: 4 MiB at 420 KB/s.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How much is unpacked before the budget is asked again.
const UNPACK_STEP_BYTES: usize = 256 * 1024;
/// Room made at first for a body whose length is announced: the usual ones fit, and more is made as it comes.
const READ_STEP_BYTES: usize = 512 * 1024;
/// Largest window of a Zstandard body, as a power of two: 8 MiB, as much as a batch may hold.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Why a body could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    /// More bytes than may be sent.
    #[error("the body has more than {SENT_BYTES_MAX} bytes as sent")]
    SentTooBig,
    /// More bytes than a batch may have.
    #[error("the batch has more than {BATCH_BYTES_MAX} bytes unpacked")]
    UnpackedTooBig,
    /// It did not come in time.
    #[error("the body did not arrive within {} s", READ_TIMEOUT.as_secs())]
    Slow,
    /// It ended before its length, or its framing is wrong.
    #[error("the body was cut short: {0}")]
    Cut(PayloadError),
    /// It does not unpack.
    #[error("the body is not valid {coding:?}: {source}")]
    Packing {
        /// What it was said to be.
        coding: Coding,
        /// What the unpacker says.
        source: std::io::Error,
    },
    /// Too many batches are held in memory now.
    #[error("too many batches are in memory")]
    NoMemory,
}

/// Reads a body as sent. What has come is leased, not what was announced: who announces much and sends little holds little.
///
/// # Errors
/// [`BadBody`]
pub async fn read(
    payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    length: Option<usize>,
    lease: &mut Lease,
) -> Result<Bytes, BadBody> {
    if length.is_some_and(|length| length > SENT_BYTES_MAX) {
        return Err(BadBody::SentTooBig);
    }
    tokio::time::timeout(READ_TIMEOUT, collect(payload, length, lease)).await.map_err(|_| BadBody::Slow)?
}

async fn collect(
    mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    length: Option<usize>,
    lease: &mut Lease,
) -> Result<Bytes, BadBody> {
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(BadBody::Cut)?;
    take(lease, first.len())?;
    if length == Some(first.len()) {
        // The whole body came at once, as small ones do: no copy.
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(length.unwrap_or(first.len() * 2).min(READ_STEP_BYTES));
    body.extend_from_slice(&first);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(BadBody::Cut)?;
        let held = body.len() + chunk.len();
        if held > SENT_BYTES_MAX {
            return Err(BadBody::SentTooBig);
        }
        take(lease, held)?;
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Unpacks a body, never holding more than a batch may have.
///
/// # Errors
/// [`BadBody`]
pub fn unpack(body: Bytes, coding: Coding, lease: &mut Lease) -> Result<Bytes, BadBody> {
    let packing = |source| BadBody::Packing { coding, source };
    match coding {
        Coding::Identity => Ok(body),
        Coding::Gzip => read_all(flate2::bufread::MultiGzDecoder::new(&*body), coding, body.len(), lease),
        Coding::Zstd => {
            let mut unpacker = zstd::stream::read::Decoder::with_buffer(&*body).map_err(packing)?;
            unpacker.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(packing)?;
            read_all(unpacker, coding, body.len(), lease)
        }
    }
}

fn read_all(mut from: impl Read, coding: Coding, sent: usize, lease: &mut Lease) -> Result<Bytes, BadBody> {
    let mut out = Vec::new();
    loop {
        take(lease, sent + out.len() + UNPACK_STEP_BYTES)?;
        let step = from.by_ref().take(UNPACK_STEP_BYTES as u64).read_to_end(&mut out);
        match step.map_err(|source| BadBody::Packing { coding, source })? {
            _ if out.len() > BATCH_BYTES_MAX => return Err(BadBody::UnpackedTooBig),
            UNPACK_STEP_BYTES => {}
            _ => return Ok(out.into()),
        }
    }
}

fn take(lease: &mut Lease, bytes: usize) -> Result<(), BadBody> {
    lease.resize(bytes).then_some(()).ok_or(BadBody::NoMemory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Budget;
    use contracts::OperatorId;
    use futures::{FutureExt as _, stream};
    use std::io::Write;

    fn operator(n: u128) -> OperatorId {
        OperatorId::new(uuid::Uuid::from_u128(n)).expect("not nil")
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).expect("packs");
        packer.finish().expect("packs")
    }

    fn unpack_all(body: Vec<u8>, coding: Coding) -> Result<Bytes, BadBody> {
        unpack(body.into(), coding, &mut Budget::new(64 << 20).lease(operator(1)))
    }

    #[test]
    fn what_was_packed_comes_back() {
        let text = b"{\"seq\":1}\n".repeat(100_000);
        assert_eq!(unpack_all(text.clone(), Coding::Identity).expect("as it is"), text);
        assert_eq!(unpack_all(gzip(&text), Coding::Gzip).expect("unpacks"), text);
        let zstd = |text: &[u8]| zstd::stream::encode_all(text, 3).expect("packs");
        assert_eq!(unpack_all(zstd(&text), Coding::Zstd).expect("unpacks"), text);
        // Members and frames one after another are one body (RFC 1952 2.2, RFC 8878 3.1).
        assert_eq!(unpack_all([gzip(b"a"), gzip(b"b")].concat(), Coding::Gzip).expect("unpacks"), &b"ab"[..]);
        assert_eq!(unpack_all([zstd(b"a"), zstd(b"b")].concat(), Coding::Zstd).expect("unpacks"), &b"ab"[..]);
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let bomb = vec![b' '; 512 << 20];
        for (body, coding) in
            [(gzip(&bomb), Coding::Gzip), (zstd::stream::encode_all(&bomb[..], 1).expect("packs"), Coding::Zstd)]
        {
            assert!(body.len() < SENT_BYTES_MAX);
            let budget = Budget::new(16 << 20);
            let mut lease = budget.lease(operator(1));
            assert!(matches!(unpack(body.into(), coding, &mut lease), Err(BadBody::UnpackedTooBig)));
            assert!(budget.used_bytes() < 12 << 20);
        }
        let exact = vec![b' '; BATCH_BYTES_MAX];
        assert_eq!(unpack_all(gzip(&exact), Coding::Gzip).expect("just fits").len(), BATCH_BYTES_MAX);
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let text = b"{\"seq\":1}\n".repeat(1_000);
        let zstd = zstd::stream::encode_all(&text[..], 3).expect("packs");
        for (good, coding) in [(gzip(&text), Coding::Gzip), (zstd, Coding::Zstd)] {
            for cut in [0, 1, 5, good.len() / 2, good.len() - 1] {
                let cut_short = unpack_all(good[..cut].to_vec(), coding);
                // Nothing at all is nothing packed: the batch is then refused as empty.
                assert!(cut_short.is_err() || (cut == 0 && cut_short.is_ok_and(|b| b.is_empty())), "{coding:?} {cut}");
            }
            assert!(unpack_all([&good[..], b"tail"].concat(), coding).is_err(), "{coding:?} with a tail");
            assert!(unpack_all(text.clone(), coding).is_err(), "{coding:?} that is none");
        }
    }

    #[actix::test]
    async fn who_sends_slowly_holds_what_came_and_leaves_room_for_others() {
        let budget = Budget::new(128 << 20);
        // Each announces the most that may be sent. So many bytes of it come, then nothing more.
        let begin = |bytes: usize| {
            let mut lease = budget.lease(operator(1));
            let come = stream::iter([Ok(Bytes::from(vec![b'x'; bytes]))]).chain(stream::pending());
            Box::pin(async move { read(come, Some(SENT_BYTES_MAX), &mut lease).await.map(drop) })
        };
        let mut slow: Vec<_> = (0..100).map(|_| begin(1)).collect();
        assert!(slow.iter_mut().all(|reading| reading.now_or_never().is_none()));
        assert_eq!(budget.used_bytes(), 100);
        let mut large: Vec<_> = (0..200).map(|_| begin(1 << 20)).collect();
        let refused = large.iter_mut().filter_map(|reading| reading.now_or_never());
        assert_eq!(
            refused.filter(|refused| matches!(refused, Err(BadBody::NoMemory))).count(),
            169,
            "31 MiB and 100 bytes"
        );
        let whole = Bytes::from(vec![b'x'; SENT_BYTES_MAX]);
        let mut lease = budget.lease(operator(2));
        let read = read(stream::iter([Ok(whole.clone())]), Some(SENT_BYTES_MAX), &mut lease).await;
        assert_eq!(read.expect("there is room for another"), whole);
        assert_eq!(budget.used_bytes(), 100 + (31 << 20) + SENT_BYTES_MAX);
        drop((slow, large, lease));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn the_budget_bounds_unpacking() {
        let body = gzip(&vec![b' '; 4 << 20]);
        let budget = Budget::new(2 << 20);
        let mut lease = budget.lease(operator(1));
        assert!(matches!(unpack(body.into(), Coding::Gzip, &mut lease), Err(BadBody::NoMemory)));
        drop(lease);
        assert_eq!(budget.used_bytes(), 0);
    }
}
