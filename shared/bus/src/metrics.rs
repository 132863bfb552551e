//! What the bus looks like from a process: whether it is there, and how full its streams are.

use std::sync::Arc;
use std::time::Duration;

use contracts::subjects;
use opentelemetry::KeyValue;

use crate::Bus;

/// How often the streams are looked at: three small requests, and a stream of gigabytes does not fill faster than that.
const EVERY: Duration = Duration::from_secs(5);

/// Looks at the streams for as long as a bus is in use.
pub(crate) fn watch(bus: &Bus) {
    let meter = opentelemetry::global::meter("dsom_bus");
    let gauge = |name: &'static str, what: &'static str| meter.u64_gauge(name).with_description(what).build();
    let up = gauge("dsom_bus_up", "1 while connected to a server that syncs every write, else 0.");
    let bytes = gauge("dsom_bus_stream_bytes", "Bytes that a stream holds.");
    let bytes_max = gauge("dsom_bus_stream_bytes_max", "Bytes that a stream may hold.");
    let messages = gauge("dsom_bus_stream_messages", "Messages that a stream holds.");
    let last_seq = gauge("dsom_bus_stream_last_seq", "Sequence of the last message that a stream has taken.");
    // Weak: whoever looks must not keep the connection open.
    let inner = Arc::downgrade(&bus.inner);
    tokio::spawn(async move {
        let mut look = tokio::time::interval(EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let Some(inner) = inner.upgrade() else { return };
            let bus = Bus { inner };
            up.record(u64::from(bus.is_up()), &[]);
            for stream in [subjects::TX, subjects::LEDGER, subjects::ALERTS] {
                // Away for a moment: `up` says so.
                let Ok(state) = bus.state_of(stream).await else { break };
                let stream = [KeyValue::new("stream", stream)];
                bytes.record(state.bytes, &stream);
                bytes_max.record(u64::try_from(state.bytes_max).unwrap_or(0), &stream);
                messages.record(state.messages, &stream);
                last_seq.record(state.last_seq, &stream);
            }
        }
    });
}
