//! What ingest counts. Names begin with `dsom_ingest_`; the registry adds `_total` to counters.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use contracts::registry::Flag;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use crate::actors::{AppendError, Raised, Unavailable};
use crate::domain::Flagged;
use crate::http::Service;

struct Instruments {
    records_accepted: Counter<u64>,
    batches_accepted: Counter<u64>,
    frames: Counter<u64>,
    flight_seconds: Histogram<f64>,
    reserialised: Counter<u64>,
    rewrite_attempts: Counter<u64>,
    flagged: Counter<u64>,
    index_rows_lost: Counter<u64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = opentelemetry::global::meter("dsom_ingest");
    let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
    Instruments {
        records_accepted: counter("dsom_ingest_records_accepted", "Records accepted, each once."),
        batches_accepted: counter("dsom_ingest_batches_accepted", "Batches that appended records."),
        frames: counter("dsom_ingest_frames", "Frames published, by outcome."),
        flight_seconds: meter
            .f64_histogram("dsom_ingest_flight_seconds")
            .with_description("Time from taking batches out of the line to JetStream's answer.")
            .with_boundaries(vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
            .build(),
        reserialised: counter(
            "dsom_ingest_reserialised",
            "Accepted records sent again in other bytes with equal values.",
        ),
        rewrite_attempts: counter("dsom_ingest_rewrite_attempts", "Accepted records sent again with other values."),
        flagged: counter("dsom_ingest_flagged_records", "Records accepted with a flag beside them, by flag."),
        index_rows_lost: counter("dsom_ingest_index_rows_lost", "Index rows not written; they are learnt again."),
    }
});

/// A batch appended `records`.
pub(crate) fn accepted(records: u32) {
    INSTRUMENTS.records_accepted.add(u64::from(records), &[]);
    INSTRUMENTS.batches_accepted.add(1, &[]);
}

/// A frame came back.
pub(crate) fn flight(took: Duration, outcome: &Result<u64, AppendError>) {
    let outcome = match outcome {
        Ok(_) => "stored",
        Err(AppendError::Fence) => "fence",
        Err(AppendError::Refused(_)) => "refused",
        Err(AppendError::Unknown) => "unknown",
    };
    INSTRUMENTS.frames.add(1, &[KeyValue::new("outcome", outcome)]);
    INSTRUMENTS.flight_seconds.record(took.as_secs_f64(), &[]);
}

/// A client built its JSON again.
pub(crate) fn reserialised() {
    INSTRUMENTS.reserialised.add(1, &[]);
}

/// Someone tried to rewrite a record. `alerted`: `true` when the alert is durable, `later` when its sender must come again before
/// it is told, `false` when it could not be.
pub(crate) fn rewrite_attempt(raised: &Result<Raised, Unavailable>) {
    let alerted = match raised {
        Ok(Raised::Told) => "true",
        Ok(Raised::Later { .. }) => "later",
        Err(_) => "false",
    };
    INSTRUMENTS.rewrite_attempts.add(1, &[KeyValue::new("alerted", alerted)]);
}

/// Records were accepted with a flag.
pub(crate) fn flagged(flagged: Flagged) {
    INSTRUMENTS.flagged.add(flagged.records, &[KeyValue::new("flag", flagged.flag.as_str())]);
}

/// Rows of the index were dropped.
pub(crate) fn index_rows_lost(frames: usize) {
    INSTRUMENTS.index_rows_lost.add(frames as u64, &[]);
}

/// Shows how much a service holds, and what has not happened yet as 0: an alert on the rise of a counter that comes into being
/// at 1 never sees the rise.
pub(crate) fn watch(service: &Arc<Service>) {
    for counter in [
        &INSTRUMENTS.records_accepted,
        &INSTRUMENTS.batches_accepted,
        &INSTRUMENTS.reserialised,
        &INSTRUMENTS.index_rows_lost,
    ] {
        counter.add(0, &[]);
    }
    for outcome in ["stored", "fence", "refused", "unknown"] {
        INSTRUMENTS.frames.add(0, &[KeyValue::new("outcome", outcome)]);
    }
    for flag in Flag::ALL {
        INSTRUMENTS.flagged.add(0, &[KeyValue::new("flag", flag.as_str())]);
    }
    for alerted in ["true", "later", "false"] {
        INSTRUMENTS.rewrite_attempts.add(0, &[KeyValue::new("alerted", alerted)]);
    }
    let meter = opentelemetry::global::meter("dsom_ingest");
    let gauge = |name: &'static str, what: &'static str, read: fn(&Service) -> usize| {
        // Weak: the meter outlives the service.
        let service = Arc::downgrade(service);
        meter
            .u64_observable_gauge(name)
            .with_description(what)
            .with_callback(move |seen| {
                if let Some(service) = service.upgrade() {
                    seen.observe(read(&service) as u64, &[]);
                }
            })
            .build();
    };
    gauge("dsom_ingest_batch_bytes", "Bytes of batches held in memory.", |service| service.budget.used_bytes());
    let age = Arc::downgrade(service);
    meter
        .f64_observable_gauge("dsom_ingest_registry_age_seconds")
        .with_description("How long ago licensing was heard of; since 1970 when it never was.")
        .with_callback(move |seen| {
            if let Some(service) = age.upgrade() {
                seen.observe(service.standings.age(crate::actors::now()).as_secs_f64(), &[]);
            }
        })
        .build();
    gauge("dsom_ingest_sequencers", "Streams that are served.", |service| service.registry.len());
}
