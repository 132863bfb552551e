//! Traces of batches through sealing, logging and announcing.
//!
//! A block's `seal` span is a child of the span that published its first frame and is linked to those of the others; `log` and
//! `announce` go on from it, and the block on `LEDGER` carries `announce`. Nothing is kept and no span is made for what came without a
//! trace, or while traces go nowhere. A block that another process sealed than the one that logs it ends its trace with `seal`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::{Headers, Origin};
use contracts::{Height, OperatorId};
use tracing::Span;

/// Links of one span: what OpenTelemetry keeps by default.
const LINKS_MAX: usize = 128;
/// Blocks whose traces wait to be announced; of more some are forgotten.
const BLOCKS_MAX: usize = 16 * 1024;

/// The traces of blocks that are sealed and not yet announced.
#[derive(Clone, Default)]
pub struct Traces(Arc<Mutex<BTreeMap<(OperatorId, Height), Sealed>>>);

struct Sealed {
    origin: Origin,
    logged: bool,
}

/// What published a frame, if that goes to a trace.
pub fn of_frame(headers: &Headers) -> Option<Origin> {
    if runtime::telemetry::exporting() { headers.origin() } else { None }
}

impl Traces {
    /// The span in which a block is stored, made of frames with these origins.
    pub fn seal(&self, operator: OperatorId, height: Height, frames: impl Iterator<Item = Origin>) -> Span {
        let Some(span) = following(frames, || tracing::info_span!(parent: None, "seal", %operator, height = height.0))
        else {
            return Span::none();
        };
        if let Some(origin) = Origin::of(&span) {
            let mut blocks = self.lock();
            blocks.insert((operator, height), Sealed { origin, logged: false });
            if blocks.len() > BLOCKS_MAX {
                blocks.pop_first();
            }
        }
        span
    }

    /// The span in which the log takes in what these operators sealed.
    pub fn log(&self, operators: &BTreeSet<OperatorId>) -> Span {
        let mut blocks = self.lock();
        let news = blocks.iter_mut().filter(|((operator, _), block)| !block.logged && operators.contains(operator));
        let origins = news.map(|(_, block)| {
            block.logged = true;
            block.origin.clone()
        });
        following(origins, || tracing::info_span!(parent: None, "log")).unwrap_or_else(Span::none)
    }

    /// The span in which a block is announced. Asked for once.
    pub fn announce(&self, operator: OperatorId, height: Height) -> Span {
        let sealed = self.lock().remove(&(operator, height)).map(|block| block.origin);
        let span = || tracing::info_span!(parent: None, "announce", %operator, height = height.0);
        following(sealed.into_iter(), span).unwrap_or_else(Span::none)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(OperatorId, Height), Sealed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A span that goes on from the first origin and is linked to the others.
fn following(mut origins: impl Iterator<Item = Origin>, span: impl FnOnce() -> Span) -> Option<Span> {
    let first = origins.next()?;
    let span = span();
    first.lead_to(&span);
    for (count, other) in origins.enumerate() {
        if count < LINKS_MAX {
            other.link_to(&span);
        }
    }
    Some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_without_a_trace_makes_no_span_and_leaves_nothing_behind() {
        // Somebody listens: a span that is made would be seen.
        let _listens = tracing::subscriber::set_default(tracing_subscriber::registry());
        let (traces, operator) = (Traces::default(), OperatorId::new(uuid::Uuid::from_u128(1)).expect("not nil"));
        assert!(traces.seal(operator, Height(1), std::iter::empty()).is_none());
        assert!(traces.log(&BTreeSet::from([operator])).is_none());
        assert!(traces.announce(operator, Height(1)).is_none());
        assert!(traces.lock().is_empty());
        // Traces go nowhere in this process, so the headers are not looked at.
        let mut headers = Headers::new();
        headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(of_frame(&headers), None);
    }
}
