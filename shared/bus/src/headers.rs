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
        // Fails only where no telemetry layer is installed: then there is no trace to continue.
        let _no_telemetry = span.set_parent(self.trace());
    }

    /// The trace it carries.
    pub(crate) fn trace(&self) -> opentelemetry::Context {
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(&self.0)))
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

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceContextExt, TracerProvider};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn an_event_has_what_cloud_events_ask_for() {
        let mut headers = Headers::event("dsom.test.v1", "17");
        headers.stamp("ingest");
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-type", "dsom.test.v1"),
            ("ce-id", "17"),
            ("ce-source", "ingest"),
            ("Nats-Msg-Id", "17"),
        ] {
            assert_eq!(headers.get(name), Some(value));
        }
        assert!(headers.get("ce-time").is_some_and(|time| time.ends_with('Z')));
        let mut plain = Headers::new();
        plain.stamp("ingest");
        assert_eq!(plain.get("ce-source"), None);
    }

    #[test]
    fn a_trace_goes_on_at_the_other_end() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let sender = tracing::info_span!("sender");
            let headers = sender.in_scope(|| {
                let mut headers = Headers::new();
                headers.stamp("test");
                headers
            });
            assert!(headers.get("traceparent").is_some_and(|parent| parent.len() == 55));
            let receiver = tracing::info_span!("receiver");
            headers.continue_trace(&receiver);
            let trace = |span: &tracing::Span| span.context().span().span_context().trace_id();
            assert_eq!(trace(&sender), trace(&receiver));

            let origin = headers.origin().expect("a traced message");
            let later = tracing::info_span!(parent: None, "later");
            origin.lead_to(&later);
            assert_eq!(trace(&sender), trace(&later));
        });
        assert_eq!(Headers::new().origin(), None);
        assert_eq!(crate::Origin::of(&tracing::Span::none()), None);
    }
}
