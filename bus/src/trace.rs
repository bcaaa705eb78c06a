//! The trace that a message belongs to, as the W3C header `traceparent` of the message.
//!
//! What is published within a span names that span; whoever is delivered the message goes on from there, or links to it
//! where several messages are worked on together. Without a collector of traces no span is enabled: there is no header then.

use async_nats::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The span that a message was published in, if any.
#[derive(Debug, Clone)]
pub struct Trace(SpanContext);

impl Trace {
    /// Makes `span` a child of the message's. Before anything else is done with it.
    pub fn goes_on_in(&self, span: &Span) {
        if self.0.is_valid() {
            // Fails where spans are not exported, and none needs a parent.
            let _ = span.set_parent(Context::new().with_remote_span_context(self.0.clone()));
        }
    }

    /// Links `span` to the message's.
    pub fn is_linked_to(&self, span: &Span) {
        span.add_link(self.0.clone());
    }

    pub(crate) fn of(headers: Option<&HeaderMap>) -> Self {
        let context = headers
            .map(|headers| TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers)));
        Self(context.map_or(SpanContext::NONE, |context| context.span().span_context().clone()))
    }
}

/// Names the span that is entered in `headers`.
pub(crate) fn write(headers: &mut HeaderMap) {
    let span = Span::current();
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut HeadersMut(headers));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(async_nats::HeaderValue::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    /// Nothing here has a `tracestate`.
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0.insert(TRACEPARENT, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_message_carries_the_span_that_it_was_published_in() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let mut headers = HeaderMap::new();
            let sender = tracing::info_span!("sender");
            sender.in_scope(|| write(&mut headers));
            let receiver = tracing::info_span!("receiver");
            Trace::of(Some(&headers)).goes_on_in(&receiver);
            let trace = |span: &Span| span.context().span().span_context().trace_id();
            assert_eq!(trace(&receiver), trace(&sender));
        });
    }

    #[test]
    fn without_a_span_there_is_no_header_and_a_bad_one_is_none() {
        let mut headers = HeaderMap::new();
        write(&mut headers);
        assert!(headers.is_empty());
        headers.insert(TRACEPARENT, "00-not-a-trace");
        assert!(!Trace::of(Some(&headers)).0.is_valid());
        assert!(!Trace::of(None).0.is_valid());
    }
}
