//! A job in the trace of its caller, with OpenTelemetry as hosts set it up.

use std::{collections::HashMap, sync::Arc};

use job_runner::{
    Engine, JobContext, JobSpec,
    store::{MemoryStore, SharedMemory},
};
use opentelemetry::{
    propagation::TextMapPropagator as _,
    trace::{SpanId, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

const PARENT: &str = "traceparent";

/// The spans that one process exports of `work`.
fn exported(work: impl FnOnce()) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    exporter.get_finished_spans().expect("the spans")
}

fn named<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    spans.iter().find(|span| span.name == name).expect(name)
}

#[test]
fn a_job_is_a_child_of_the_span_that_submitted_it_on_whichever_engine_it_runs() {
    let store = SharedMemory::new(MemoryStore::default());
    let front = Engine::builder_shared(Arc::new(store.claimant())).front_end().open().expect("a front end");
    let body = |_: &mut JobContext| {
        let _inner = tracing::info_span!("of the host").entered();
        Ok(())
    };
    let adopt = |span: &tracing::Span, parent: &str| {
        let carrier = HashMap::from([(PARENT.to_owned(), parent.to_owned())]);
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    };
    let worker = Engine::builder_shared(Arc::new(store)).algorithm("a", body).adopt_spans(adopt).manual().open();
    let worker = worker.expect("a worker");

    let submitted = exported(|| {
        let request = tracing::info_span!("request").entered();
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&request.context(), &mut carrier);
        let traced = JobSpec::algorithm("a").with_graph("g").trace_parent(&carrier[PARENT]);
        front.submit_all([traced, JobSpec::algorithm("a").with_graph("g")]).expect("two jobs");
    });
    let ran = exported(|| {
        // A claim takes as many jobs as the engine has room for.
        let claims = std::iter::repeat_with(|| {
            worker.driver().tick().expect("a claim");
            worker.driver().run_until_idle().len()
        });
        assert_eq!(claims.take(2).sum::<usize>(), 2);
    });

    let request = named(&submitted, "request");
    let jobs: Vec<&SpanData> = ran.iter().filter(|span| span.name == "job").collect();
    assert_eq!(jobs.len(), 2, "{ran:?}");
    let (child, alone): (Vec<&SpanData>, Vec<&SpanData>) =
        jobs.into_iter().partition(|job| job.parent_span_id == request.span_context.span_id());
    assert_eq!((child.len(), alone.len()), (1, 1), "{ran:?}");
    assert_eq!(child[0].span_context.trace_id(), request.span_context.trace_id());
    assert!(child[0].parent_span_is_remote, "the caller is another process");
    assert_eq!(alone[0].parent_span_id, SpanId::INVALID, "a job without a parent begins a trace of its own");
    let inner = ran.iter().filter(|span| span.name == "of the host");
    let parents: Vec<SpanId> = inner.map(|span| span.parent_span_id).collect();
    assert!(parents.contains(&child[0].span_context.span_id()), "spans of the body are in the trace too: {ran:?}");
}
