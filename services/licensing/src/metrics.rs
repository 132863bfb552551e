//! What licensing counts. Names begin with `dsom_licensing_`; the registry adds `_total` to counters.

use std::sync::{Arc, LazyLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::actors::{Directory, Doubt, now};
use crate::storage::Store;

/// Every way a request for a token ends.
const OUTCOMES: [&str; 8] = [
    "granted",
    "invalid_client",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "slow_down",
    "temporarily_unavailable",
];

static TOKENS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let meter = opentelemetry::global::meter("dsom_licensing");
    meter.u64_counter("dsom_licensing_tokens").with_description("Requests for tokens, by outcome.").build()
});

/// A token was asked for.
pub(crate) fn token(outcome: &'static str) {
    TOKENS.add(1, &[KeyValue::new("outcome", outcome)]);
}

/// Shows the register's size, what waits in it and what is held, whether the store answers, and what has not happened yet as 0.
pub(crate) fn watch(directory: &Arc<Directory>, store: &Arc<dyn Store>) {
    OUTCOMES.iter().for_each(|outcome| TOKENS.add(0, &[KeyValue::new("outcome", *outcome)]));
    let meter = opentelemetry::global::meter("dsom_licensing");
    let gauge = |name: &'static str, what: &'static str, read: fn(&Directory) -> usize| {
        // Weak: the meter outlives the service.
        let directory = Arc::downgrade(directory);
        meter
            .u64_observable_gauge(name)
            .with_description(what)
            .with_callback(move |seen| {
                if let Some(directory) = directory.upgrade() {
                    seen.observe(read(&directory) as u64, &[]);
                }
            })
            .build();
    };
    gauge("dsom_licensing_operators", "Operators in the register.", |directory| directory.all().len());
    gauge("dsom_licensing_operators_held", "Operators about whom nothing can be decided.", |directory| {
        [Doubt::Damaged, Doubt::Contradicted].map(|doubt| directory.all_held(doubt).len()).iter().sum()
    });
    let store = Arc::downgrade(store);
    meter
        .u64_observable_gauge("dsom_licensing_store_up")
        .with_description("1 while the register's store answers, else 0.")
        .with_callback(move |seen| {
            if let Some(store) = store.upgrade() {
                seen.observe(u64::from(store.reachable().is_ok()), &[]);
            }
        })
        .build();
    gauge("dsom_licensing_proposals_waiting", "Decisions that wait for a second person.", |directory| {
        let now = now();
        let waiting = |operator: &Arc<crate::domain::operator::Operator>| {
            operator.proposals.values().filter(|one| one.waits(now)).count()
        };
        directory.all().iter().map(waiting).sum()
    });
}
