//! What is kept of a batch that the sandbox was sent.

use std::collections::BTreeMap;

use contracts::UnixMillis;
use contracts::record::{Body, parse};
use contracts::traffic::Sent;

use super::Batch;

/// Sums up a batch that was checked; `now` is the time it was checked with.
pub fn summary(batch: &Batch, now: UnixMillis) -> Sent {
    let (mut types, mut verticals) = (BTreeMap::new(), BTreeMap::new());
    let mut span: Option<(UnixMillis, UnixMillis)> = None;
    // All were parsed before, with the same time.
    for record in batch.records_from(0).filter_map(|bytes| parse(bytes, now).ok()) {
        let at = UnixMillis(record.at.0.div_euclid(1_000_000));
        let (earliest, latest) = span.unwrap_or((at, at));
        span = Some((earliest.min(at), latest.max(at)));
        let kind = match &record.body {
            Body::Wager(wager) => {
                *verticals.entry(wager.vertical.as_str().to_owned()).or_default() += 1;
                "wager"
            }
            Body::Payout(_) => "payout",
            Body::Refund(_) => "refund",
            Body::Adjustment(_) => "adjustment",
        };
        *types.entry(kind.to_owned()).or_default() += 1;
    }
    let (earliest, latest) = span.unwrap_or((now, now));
    Sent { first_seq: batch.first_seq(), count: batch.count(), root: batch.root(), earliest, latest, types, verticals }
}
