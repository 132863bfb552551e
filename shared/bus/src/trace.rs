//! The trace a message belongs to: which span published it, so that what is done with it later is part of the same trace.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::headers::Headers;

/// A span, maybe of another process, that a trace goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(SpanContext);

impl Headers {
    /// The span that published the message; `None` if it was not traced.
    pub fn origin(&self) -> Option<Origin> {
        // Cheaper than to let the propagator find that there is nothing.
        self.get("traceparent")?;
        Origin::in_context(&self.trace())
    }
}

impl Origin {
    /// A span of this process; `None` while traces go nowhere.
    pub fn of(span: &Span) -> Option<Self> {
        Self::in_context(&span.context())
    }

    fn in_context(context: &Context) -> Option<Self> {
        let context = context.span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// Makes `span`, which MUST not have been entered yet, its child.
    pub fn lead_to(&self, span: &Span) {
        // Fails only where no telemetry layer is installed: then there is no trace to continue.
        let _no_telemetry = span.set_parent(Context::new().with_remote_span_context(self.0.clone()));
    }

    /// Links `span` to it: one of several that it goes on from.
    pub fn link_to(&self, span: &Span) {
        span.add_link(self.0.clone());
    }
}
