//! Alerts of flagged records: the first at once, then at most one a minute that sums up what came in between.
//!
//! Not one a batch for as long as it lasts: an operator that goes on after its suspension would fill `ALERTS`, and no rewrite attempt
//! could be reported any more. The truth is in the frames; an alert that was not raised when the process ended is lost with it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use contracts::registry::Flag;

use super::broker::Unavailable;
use super::sequencer::Sequencer;
use crate::domain::{Beside, Flagged};
use crate::metrics;

/// Shortest time between two alerts of one flag in one stream.
pub const QUIET: Duration = Duration::from_secs(60);
/// Pause before an alert that the broker did not take is raised again.
const RETRY: Duration = Duration::from_secs(2);

/// What is to be reported of one stream, by flag.
#[derive(Debug, Default)]
pub struct Reports([Report; Flag::ALL.len()]);

#[derive(Debug, Default)]
struct Report {
    waiting: Option<Flagged>,
    /// One is on its way, or was raised within the last minute.
    busy: bool,
}

impl Report {
    fn add(&mut self, more: Flagged) {
        self.waiting = Some(self.waiting.map_or(more, |known| Flagged {
            flag: more.flag,
            first_seq: known.first_seq.min(more.first_seq),
            last_seq: known.last_seq.max(more.last_seq),
            records: known.records + more.records,
        }));
    }
}

impl Sequencer {
    /// Records were accepted beside which flags stand: those from `from` on, of a batch that begins with `first_seq`.
    pub(super) fn flagged(&mut self, beside: &Beside, first_seq: u64, from: u64, ctx: &mut Context<Self>) {
        let skip = u32::try_from(from.saturating_sub(first_seq)).unwrap_or(u32::MAX);
        for flagged in beside.flags.behind(skip).summary(from) {
            metrics::flagged(flagged);
            let Some(report) = self.reports.0.get_mut(flagged.flag as usize) else { continue };
            report.add(flagged);
            if !report.busy {
                self.report(flagged.flag, ctx);
            }
        }
    }

    fn report(&mut self, flag: Flag, ctx: &mut Context<Self>) {
        let Some(report) = self.reports.0.get_mut(flag as usize) else { return };
        let waiting = report.waiting.take();
        report.busy = waiting.is_some();
        let Some(flagged) = waiting else { return };
        let (broker, key) = (Arc::clone(&self.truth.broker), self.key);
        let raise = async move { broker.alert_flagged(key, flagged).await };
        ctx.spawn(raise.into_actor(self).map(move |raised, actor, ctx| {
            let pause = match (raised, actor.reports.0.get_mut(flag as usize)) {
                (Err(unavailable), Some(report)) => {
                    report.add(flagged);
                    if unavailable == Unavailable::Alerts { QUIET } else { RETRY }
                }
                _ => QUIET,
            };
            ctx.run_later(pause, move |actor, ctx| actor.report(flag, ctx));
        }));
    }
}
