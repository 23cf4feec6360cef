//! A handler that panics ends its own job and nothing else.

use std::sync::Arc;

use job_runner::{Ending, Engine, FailureKind, JobContext, JobState, store::MemoryStore};

use crate::support::{Rig, job, nothing, page};

#[test]
fn the_message_of_a_panic_is_kept() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("literal", |_: &mut JobContext| panic!("vertex table"))
            .algorithm("text", |ctx: &mut JobContext| panic!("attempt {}", ctx.attempt()))
            .algorithm("other", |_: &mut JobContext| std::panic::panic_any(7))
            .algorithm("long", |_: &mut JobContext| panic!("{}", "x".repeat(100_000)))
    });
    let message = |name| {
        let record = rig.finish(job(name));
        assert_eq!(record.state, JobState::Complete(Ending::Failed));
        let failure = record.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Panicked);
        failure.message
    };
    assert_eq!(message("literal"), "the handler panicked: vertex table");
    assert_eq!(message("text"), "the handler panicked: attempt 1");
    assert_eq!(message("other"), "the handler panicked: it gave no message");
    assert!(message("long").len() < 2_000);
}

#[test]
fn a_panic_drops_the_rows_and_is_not_tried_again() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            (0..100_000).try_for_each(|n| rows.push(&n))?;
            panic!("at the end")
        })
    });
    let record = rig.finish(job("a").keep_rows());
    assert_eq!((record.attempt, record.size.rows), (1, 0));
    assert!(rig.engine.reader().page(record.id, page(0, 10)).unwrap().is_empty());
}

#[test]
fn workers_survive_any_number_of_panics() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("bad", |_: &mut JobContext| panic!("no"))
        .algorithm("good", nothing)
        .workers(2)
        .open()
        .unwrap();
    let specs: Vec<_> = (0..100).map(|n| job(if n % 2 == 0 { "bad" } else { "good" })).collect();
    for (handle, spec) in engine.submit_all(specs.iter().cloned()).unwrap().into_iter().zip(&specs) {
        let good = spec.kind().to_string() == "good";
        let expected = if good { Ending::Succeeded } else { Ending::Failed };
        assert_eq!(handle.wait().unwrap().state, JobState::Complete(expected));
    }
    assert_eq!(engine.shutdown(std::time::Duration::MAX).abandoned, 0);
}
