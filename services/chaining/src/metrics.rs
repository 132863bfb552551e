//! What chaining counts. Names are documented in the README.

use std::sync::Arc;

use opentelemetry::metrics::{Counter, Gauge, Histogram};
use runtime::auth::Standings;

use crate::actors::now;

/// Upper bounds of the lags' buckets, in seconds: fine around what is promised (a second), so that a quantile says something.
const LAG_BOUNDS_S: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0,
    3.0, 5.0, 10.0, 30.0, 60.0,
];

/// Counters of this service; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    sealed_records: Counter<u64>,
    sealed_blocks: Counter<u64>,
    sealed_lag: Histogram<f64>,
    published_records: Counter<u64>,
    published_lag: Histogram<f64>,
    log_size: Gauge<u64>,
    log_frozen: Gauge<u64>,
    chains_stopped: Counter<u64>,
    gaps: Counter<u64>,
    heads_moved: Counter<u64>,
    known_frames: Counter<u64>,
    foreign_messages: Counter<u64>,
    position: Gauge<u64>,
    trimmed: Counter<u64>,
    announced: Gauge<u64>,
    blocks_checked: Counter<u64>,
    store_damaged: Gauge<u64>,
}

impl Metrics {
    /// Registers everything with the meter that telemetry set up.
    pub fn new() -> Self {
        let meter = opentelemetry::global::meter("dsom-chaining");
        let lags = LAG_BOUNDS_S.to_vec();
        let metrics = Self {
            sealed_records: meter.u64_counter("dsom_chaining_records_sealed").build(),
            sealed_blocks: meter.u64_counter("dsom_chaining_blocks_sealed").build(),
            sealed_lag: meter.f64_histogram("dsom_chaining_sealed_lag_seconds").with_boundaries(lags.clone()).build(),
            published_records: meter.u64_counter("dsom_chaining_records_published").build(),
            published_lag: meter.f64_histogram("dsom_chaining_published_lag_seconds").with_boundaries(lags).build(),
            log_size: meter.u64_gauge("dsom_chaining_log_size").build(),
            log_frozen: meter.u64_gauge("dsom_chaining_log_frozen").build(),
            chains_stopped: meter.u64_counter("dsom_chaining_chains_stopped").build(),
            gaps: meter.u64_counter("dsom_chaining_gaps").build(),
            heads_moved: meter.u64_counter("dsom_chaining_heads_moved").build(),
            known_frames: meter.u64_counter("dsom_chaining_frames_known").build(),
            foreign_messages: meter.u64_counter("dsom_chaining_messages_foreign").build(),
            position: meter.u64_gauge("dsom_chaining_position").build(),
            trimmed: meter.u64_counter("dsom_chaining_messages_trimmed").build(),
            announced: meter.u64_gauge("dsom_chaining_log_announced").build(),
            blocks_checked: meter.u64_counter("dsom_chaining_blocks_checked").build(),
            store_damaged: meter.u64_gauge("dsom_chaining_store_damaged").build(),
        };
        metrics.begin();
        metrics
    }

    /// Shows what has not happened yet as 0: an alert on the rise of a counter that comes into being at 1 never sees the rise.
    fn begin(&self) {
        for counter in [
            &self.sealed_records,
            &self.sealed_blocks,
            &self.published_records,
            &self.chains_stopped,
            &self.gaps,
            &self.heads_moved,
            &self.known_frames,
            &self.foreign_messages,
            &self.trimmed,
            &self.blocks_checked,
        ] {
            counter.add(0, &[]);
        }
        self.log_frozen.record(0, &[]);
        self.store_damaged.record(0, &[]);
    }

    pub(crate) fn sealed(&self, records: u64, lag_ms: i64) {
        self.sealed_records.add(records, &[]);
        self.sealed_lag.record(seconds(lag_ms), &[]);
    }

    pub(crate) fn block(&self) {
        self.sealed_blocks.add(1, &[]);
    }

    pub(crate) fn published(&self, records: u64) {
        self.published_records.add(records, &[]);
    }

    pub(crate) fn published_lags(&self, lags_ms: impl Iterator<Item = i64>) {
        lags_ms.for_each(|lag_ms| self.published_lag.record(seconds(lag_ms), &[]));
    }

    pub(crate) fn checkpoint(&self, size: u64) {
        self.log_size.record(size, &[]);
    }

    pub(crate) fn log_frozen(&self) {
        self.log_frozen.record(1, &[]);
    }

    pub(crate) fn chain_stopped(&self) {
        self.chains_stopped.add(1, &[]);
    }

    pub(crate) fn gap(&self) {
        self.gaps.add(1, &[]);
    }

    pub(crate) fn head_moved(&self) {
        self.heads_moved.add(1, &[]);
    }

    pub(crate) fn known_frame(&self) {
        self.known_frames.add(1, &[]);
    }

    pub(crate) fn foreign_message(&self) {
        self.foreign_messages.add(1, &[]);
    }

    pub(crate) fn position(&self, seq: u64) {
        self.position.record(seq, &[]);
    }

    pub(crate) fn trimmed(&self, messages: u64) {
        self.trimmed.add(messages, &[]);
    }

    pub(crate) fn checked(&self, blocks: u64) {
        self.blocks_checked.add(blocks, &[]);
    }

    pub(crate) fn store_damaged(&self) {
        self.store_damaged.record(1, &[]);
    }

    pub(crate) fn announced(&self, size: u64) {
        self.announced.record(size, &[]);
    }
}

/// Shows how old what is known of the register is.
pub(crate) fn watch(standings: &Arc<Standings>) {
    // Weak: the meter outlives the service.
    let standings = Arc::downgrade(standings);
    opentelemetry::global::meter("dsom-chaining")
        .f64_observable_gauge("dsom_chaining_registry_age_seconds")
        .with_description("How long ago licensing was heard of; since 1970 when it never was.")
        .with_callback(move |seen| {
            if let Some(standings) = standings.upgrade() {
                seen.observe(standings.age(now()).as_secs_f64(), &[]);
            }
        })
        .build();
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1_000.0
}
