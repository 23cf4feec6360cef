//! The span around a body, by which its lines of a log have the id of its job.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use job_runner::{JobContext, JobSpec};
use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::support::{Rig, drain};

/// Keeps the fields of each span of this library, and the span that each event of the test is in.
#[derive(Debug, Default)]
struct Kept {
    spans: Mutex<Vec<Vec<String>>>,
    entered: AtomicU64,
    events: Mutex<Vec<u64>>,
}

struct Keeper(Arc<Kept>);

struct Fields<'f>(&'f mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(format!("{}={value:?}", field.name()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(format!("{}={value}", field.name()));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut fields = vec![span.metadata().name().to_owned()];
        span.record(&mut Fields(&mut fields));
        let mut spans = self.0.spans.lock();
        spans.push(fields);
        span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "of the host" {
            self.0.events.lock().push(self.0.entered.load(Ordering::SeqCst));
        }
    }

    fn enter(&self, span: &span::Id) {
        self.0.entered.store(span.into_u64(), Ordering::SeqCst);
    }

    fn exit(&self, _: &span::Id) {
        self.0.entered.store(0, Ordering::SeqCst);
    }
}

#[test]
fn the_host_puts_a_span_into_its_trace_before_it_is_entered_and_a_panic_costs_no_job() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let kept = Arc::<Kept>::default();
    let (seen, inside) = (Arc::<Mutex<Vec<(u64, String)>>>::default(), Arc::clone(&kept));
    let told = Arc::clone(&seen);
    let adopt = move |span: &tracing::Span, parent: &str| {
        assert_eq!(inside.entered.load(Ordering::SeqCst), 0, "no span is entered yet");
        told.lock().push((span.id().unwrap().into_u64(), parent.to_owned()));
        std::panic::panic_any("the code of a host may");
    };
    let rig = Rig::new(|builder| builder.algorithm("a", |_: &mut JobContext| Ok(())).adopt_spans(adopt));
    let traced = rig.submit(JobSpec::algorithm("a").with_graph("g").trace_parent(TRACE));
    let plain = rig.submit(JobSpec::algorithm("a").with_graph("g"));
    tracing::subscriber::with_default(Keeper(Arc::clone(&kept)), || assert_eq!(drain(&rig.engine), 2));
    assert_eq!(*seen.lock(), [(1, TRACE.to_owned())]);
    for job in [traced, plain] {
        assert_eq!(job.record().state, job_runner::JobState::Complete(job_runner::Outcome::Succeeded));
    }
}

#[test]
fn a_body_runs_in_a_span_with_the_id_of_its_job_and_its_trace_on_whichever_engine() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = |_: &mut JobContext| {
        tracing::info!(target: "of the host", "half way");
        Ok(())
    };
    let rig = Rig::new(|builder| builder.algorithm("a", body));
    let traced = rig.submit(JobSpec::algorithm("a").with_graph("g").trace_parent(TRACE)).id();
    let plain = rig.submit(JobSpec::algorithm("a").with_graph("g")).id();
    // The engine that runs the jobs is not the one that took them.
    let rig = rig.reopen(|builder| builder.algorithm("a", body));
    let kept = Arc::<Kept>::default();
    tracing::subscriber::with_default(Keeper(Arc::clone(&kept)), || assert_eq!(drain(&rig.engine), 2));
    let span = |id: job_runner::JobId, trace: &[&str]| {
        let fields = ["job".to_owned(), format!("id={id}"), "kind=a".to_owned(), "graph=g".to_owned()];
        let attempt = ["attempt=1".to_owned()];
        let trace = trace.iter().map(|trace| format!("traceparent={trace}"));
        fields.into_iter().chain(attempt).chain(trace).collect::<Vec<_>>()
    };
    assert_eq!(*kept.spans.lock(), [span(traced, &[TRACE]), span(plain, &[])]);
    assert_eq!(*kept.events.lock(), [1, 2], "each line is in the span of its job");
}
