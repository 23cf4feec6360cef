//! Before a job is stored: whether anything here runs such a job, and whether the host takes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_runner::{
    Engine, EngineBuilder, EngineError, Explanation, Handler, JobContext, JobError, JobKind, JobSpec, JobState,
    store::{ErrorKind, MemoryStore, SharedMemory, StoreError},
};

use crate::support::{Rig, drain, job, nothing};

fn algorithm(name: &str) -> JobKind {
    JobKind::Algorithm(name.to_owned())
}

fn setup(builder: EngineBuilder) -> EngineBuilder {
    builder.algorithm("pagerank", nothing).algorithm("k_hop", nothing).vertex_filter(nothing)
}

#[test]
fn a_job_that_nothing_here_runs_is_refused_and_the_handlers_are_named() {
    for rig in [Rig::new(setup), Rig::new(|builder| setup(builder).workers(1))] {
        let unknown = [
            (job("pagerenk"), algorithm("pagerenk")),
            // Another kind of the same spelling.
            (job("vertex_filter"), algorithm("vertex_filter")),
            (JobSpec::edge_filter().with_graph("g"), JobKind::EdgeFilter),
        ];
        for (spec, kind) in unknown {
            let error = rig.engine.submit(spec.clone()).unwrap_err();
            let registered = vec![JobKind::VertexFilter, algorithm("k_hop"), algorithm("pagerank")];
            assert_eq!(error, EngineError::UnknownKind { kind: kind.clone(), registered });
            let text =
                format!("no handler runs {kind}: this engine has handlers for vertex_filter, k_hop, pagerank");
            assert_eq!((error.to_string(), error.is_retryable()), (text, false));
            // All of a batch or none.
            assert!(rig.engine.submit_all([job("k_hop"), spec.clone()]).is_err());
            assert!(rig.engine.submit_timeout(spec, Duration::MAX).is_err());
        }
        assert_eq!(rig.store.list(None, 0, 10).unwrap(), []);
        assert!(rig.engine.submit(JobSpec::vertex_filter().with_graph("g")).is_ok());
        assert!(rig.engine.handles(&algorithm("k_hop")) && rig.engine.handles(&JobKind::VertexFilter));
        assert!(!rig.engine.handles(&algorithm("pagerenk")) && !rig.engine.handles(&algorithm("vertex_filter")));
    }
}

#[test]
fn an_engine_without_a_handler_says_what_to_do() {
    let rig = Rig::new(|builder| builder);
    let error = rig.engine.submit(job("a")).unwrap_err().to_string();
    let advice = "this engine has no handler at all; one that only submits is opened as a front end";
    assert_eq!(error, format!("no handler runs a: {advice}"));
    let many =
        Rig::new(|builder| (0..30).fold(builder, |builder, n| builder.algorithm(format!("a{n:02}"), nothing)));
    let error = many.engine.submit(job(&"b".repeat(200))).unwrap_err().to_string();
    assert!(error.contains("a00, a01") && error.ends_with("a19 and 10 more") && error.len() < 400, "{error}");
}

/// A name that no handler has is right where another engine, or a later one, has it.
#[test]
fn whoever_only_submits_or_shares_its_store_takes_every_kind() {
    let front = Rig::new(EngineBuilder::front_end);
    let any = Rig::new(|builder| setup(builder).accept_any_kind());
    for rig in [&front, &any] {
        let handle = rig.submit(job("later"));
        assert_eq!(handle.record().state, JobState::Waiting);
        assert_eq!(rig.engine.explain(handle.id()).unwrap(), Explanation::NoHandler(algorithm("later")));
        assert!(!rig.engine.handles(&algorithm("later")));
    }
    let id = any.engine.reader().list(job_runner::PageRequest::default()).unwrap()[0].id;
    let later = any.reopen(|builder| builder.algorithm("later", nothing));
    assert_eq!(later.engine.driver().run_until_idle(), [id]);

    let store = SharedMemory::new(MemoryStore::default());
    let one = Engine::builder_shared(Arc::new(store.claimant())).algorithm("a", nothing).manual().open().unwrap();
    let other = Engine::builder_shared(Arc::new(store)).algorithm("b", nothing).manual().open().unwrap();
    let handle = one.submit(job("b")).unwrap();
    other.driver().tick().unwrap();
    assert_eq!(other.driver().run_until_idle(), [handle.id()]);
}

#[test]
fn a_job_of_an_earlier_engine_waits_for_its_handler_as_before() {
    let rig = Rig::new(|builder| builder.algorithm("later", nothing));
    let id = rig.submit(job("later")).id();
    let rig = rig.reopen(setup);
    assert_eq!((drain(&rig.engine), rig.engine.stats().unhandled), (0, 1));
    let rig = rig.reopen(|builder| builder.algorithm("later", nothing));
    assert_eq!(rig.engine.driver().run_until_idle(), [id]);
}

/// Takes an even number.
struct Even;

impl Handler for Even {
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        nothing(ctx)
    }

    fn check(&self, spec: &JobSpec) -> Result<(), JobError> {
        let n: u32 = spec.parameters().read()?;
        if n.is_multiple_of(2) { Ok(()) } else { Err(JobError::failed(format!("{n} is not even"))) }
    }
}

fn number(name: &str, n: u32) -> JobSpec {
    job(name).with_parameters(&n).unwrap()
}

#[test]
fn a_handler_is_asked_about_each_request_before_it_is_a_job() {
    let rig = Rig::new(|builder| {
        let below_ten = |spec: &JobSpec| match spec.parameters().read::<u32>()? {
            0..10 => Ok(()),
            n => Err(JobError::failed(format!("{n} is not below 10"))),
        };
        builder.algorithm("even", Even).algorithm("any", nothing).check(algorithm("even"), below_ten)
    });
    let refused = |spec: JobSpec| match rig.engine.submit(spec) {
        Err(EngineError::Refused { kind, reason }) => {
            assert_eq!(kind, algorithm("even"));
            Some(reason)
        }
        other => {
            assert!(other.is_ok(), "{other:?}");
            None
        }
    };
    assert_eq!(refused(number("even", 4)), None);
    assert_eq!(refused(number("even", 3)).as_deref(), Some("3 is not even"));
    assert_eq!(refused(number("even", 12)).as_deref(), Some("12 is not below 10"));
    assert!(refused(job("even")).is_some_and(|reason| reason.contains("parameters")), "the words of the reader");
    assert_eq!(refused(number("any", 3)), None);
    let batch = rig.engine.submit_all([number("even", 2), number("even", 5)]).unwrap_err();
    assert_eq!(
        (batch.to_string().as_str(), batch.is_retryable()),
        ("even refuses the request: 5 is not even", false)
    );
    assert_eq!(rig.store.list(None, 0, 10).unwrap().len(), 2, "nothing else was stored");
    assert_eq!(drain(&rig.engine), 2);
}

#[test]
fn a_check_is_asked_whoever_submits_and_not_when_the_job_runs() {
    let asked = Arc::new(AtomicUsize::new(0));
    let check = || {
        let asked = Arc::clone(&asked);
        move |spec: &JobSpec| {
            asked.fetch_add(1, Ordering::SeqCst);
            if spec.parameters().as_str() == "1" { Err(JobError::failed("it is 1")) } else { Ok(()) }
        }
    };
    // A front end has no handler, and may know what its requests must be all the same.
    let front = Rig::new(|builder| builder.front_end().check(algorithm("a"), check()));
    assert!(matches!(front.engine.submit(number("a", 1)), Err(EngineError::Refused { .. })));
    let id = front.submit(number("a", 2)).id();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // A body that submits is told too.
    let rig = front.reopen(|builder| {
        let body = |ctx: &mut JobContext| Ok(ctx.set_output("n", ctx.spec().parameters())?);
        builder.algorithm("a", body).check(algorithm("a"), check())
    });
    assert_eq!(rig.engine.driver().run_until_idle(), [id]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "a job that is stored is not asked about again");
    let error = rig.engine.submit(number("a", 1)).unwrap_err();
    assert!(matches!(JobError::from_error(&error), JobError::Failed(reason) if reason.contains("it is 1")));
}

/// Code of a host can fail in every way.
#[test]
fn a_check_that_panics_or_meets_an_outage_loses_nothing() {
    let panics = |_: &JobSpec| -> Result<(), JobError> { panic!("no graph") };
    let outage = |_: &JobSpec| Err(StoreError::new(ErrorKind::Unavailable, "read the graph", "no route").into());
    let rig =
        Rig::new(|builder| setup(builder).check(algorithm("pagerank"), panics).check(algorithm("k_hop"), outage));
    let error = rig.engine.submit(job("pagerank")).unwrap_err();
    assert_eq!(error.to_string(), "pagerank refuses the request: its check panicked: no graph");
    let error = rig.engine.submit(job("k_hop")).unwrap_err();
    assert!(matches!(&error, EngineError::Store(error) if error.kind == ErrorKind::Unavailable));
    assert!(error.is_retryable(), "it may be tried again");
    assert_eq!(rig.engine.health(), Ok(()));
    assert!(rig.engine.submit(JobSpec::vertex_filter().with_graph("g")).is_ok());
}
