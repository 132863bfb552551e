//! Logs, traces and metrics of a process.

use std::sync::OnceLock;

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

static EXPORTING: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not a filter.
    #[error("RUST_LOG is not a filter of tracing")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The OTLP exporter can't be made from the environment.
    #[error("the OTLP exporter can't be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// There is a subscriber already.
    #[error("logs are set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Flushes what is still to be exported when dropped.
#[must_use]
pub struct Telemetry(());

/// Sets up logs (`RUST_LOG`, default `info`; `DSOM_LOG=json` for JSON), metrics, and traces when an OTLP endpoint is set
/// by the standard `OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT`.
///
/// # Errors
/// [`TelemetryError`]
pub fn init(service: &'static str) -> Result<Telemetry, TelemetryError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter)?,
        _ => EnvFilter::new("info,actix_server=warn,fjall=warn,lsm_tree=warn,opentelemetry=warn,async_nats=warn"),
    };
    global::set_text_map_propagator(TraceContextPropagator::new());
    let traces = match traces(service)? {
        Some(provider) => {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(service));
            global::set_tracer_provider(provider.clone());
            let _ = EXPORTING.set(provider);
            Some(layer)
        }
        None => None,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if std::env::var("DSOM_LOG").is_ok_and(|form| form == "json") {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(false).boxed()
    };
    tracing_subscriber::registry().with(filter).with(traces).with(lines).try_init()?;
    crate::metrics::install();
    Ok(Telemetry(()))
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = EXPORTING.get()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "some traces were not exported");
        }
    }
}

fn traces(service: &'static str) -> Result<Option<SdkTracerProvider>, opentelemetry_otlp::ExporterBuildError> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !(set("OTEL_EXPORTER_OTLP_ENDPOINT") || set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let resource = Resource::builder()
        .with_service_name(format!("dsom-{service}"))
        .with_attribute(KeyValue::new("service.namespace", "dsom"))
        .build();
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
}

/// Whether traces go anywhere.
pub fn exporting() -> bool {
    EXPORTING.get().is_some()
}

/// Makes a request's span part of its caller's trace (W3C Trace Context); false when traces go nowhere.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) -> bool {
    if !exporting() {
        return false;
    }
    // Before anything starts the span: its kind is settled then.
    span.record("otel.kind", "server");
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers)));
    // Without a layer that takes it the span stays a root.
    let _ = span.set_parent(parent);
    true
}

/// OpenTelemetry's names for what a request asked and got; in logs they would only cost.
pub(crate) fn describe(span: &Span, method: &Method, route: &str, status: StatusCode) {
    // A recorded `otel.name` would come too late: the span has started.
    span.context().span().update_name(format!("{method} {route}"));
    span.record("http.route", route);
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
