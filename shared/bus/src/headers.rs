//! What travels beside a message: CloudEvents attributes, the id that makes a repeat harmless, the trace it belongs to.

use async_nats::HeaderMap;
use contracts::UnixMillis;
use opentelemetry::propagation::{Extractor, Injector};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Headers of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub(crate) HeaderMap);

impl Headers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of an event in the binary mode of the CloudEvents NATS binding: its type and its id. The id is also the
    /// server's `Nats-Msg-Id`: published twice within the stream's window, the event is kept once. `ce-source`, `ce-time`
    /// and the trace are added when it is published.
    pub fn event(kind: &str, id: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("ce-specversion", "1.0");
        headers.insert("ce-type", kind);
        headers.insert("ce-id", id);
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        Self(headers)
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.0.insert(name, value);
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// Makes `span` a child of the span that published the message.
    pub fn continue_trace(&self, span: &tracing::Span) {
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(&self.0)));
        // Fails only where no telemetry layer is installed: then there is no trace to continue.
        let _no_telemetry = span.set_parent(parent);
    }

    /// What is added at the moment of publishing.
    pub(crate) fn stamp(&mut self, source: &str) {
        if self.0.get("ce-id").is_some() {
            self.0.insert("ce-source", source);
            self.0.insert("ce-time", now().to_string());
        }
        self.inject_trace();
    }

    /// Adds the W3C `traceparent` and `tracestate` of the current span, if it is sampled by any layer.
    pub(crate) fn inject_trace(&mut self) {
        let context = tracing::Span::current().context();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut CarrierMut(&mut self.0));
        });
    }
}

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(since.as_millis() as i64)
}

struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }
}

struct CarrierMut<'a>(&'a mut HeaderMap);

impl Injector for CarrierMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key, value);
    }
}
