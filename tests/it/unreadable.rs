//! A cluster works on while the store has records that it cannot read, as in a rolling upgrade.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Engine, JobContext, JobError, JobSpec, JobState, Outcome, PageRequest,
    store::{PostgresOptions, PostgresStore},
};
use test_servers::Postgres;

#[expect(clippy::unnecessary_wraps, reason = "a handler")]
fn nothing(_: &mut JobContext) -> Result<(), JobError> {
    Ok(())
}

/// One record that an engine cannot read must not fail its claims. Otherwise the engine gets unhealthy and refuses
/// submissions, and the good jobs of the batch are started and not renewed.
#[test]
fn a_cluster_works_beside_a_record_that_it_cannot_read() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let open = |workers| {
        let store = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
        let builder = Engine::builder_shared(Arc::new(store)).poll_interval(Duration::from_millis(50));
        let builder =
            if workers > 0 { builder.workers(workers).algorithm("a", nothing) } else { builder.front_end() };
        builder.open().unwrap()
    };
    let spec = || JobSpec::algorithm("a").with_graph("g");
    let front = open(0);
    let jobs = front.submit_all(vec![spec(); 9]).unwrap();
    let lost = jobs[4].id();
    server
        .sql(&format!(
            "UPDATE job_engine.queue SET record = '\\x094a0102030405060708'::bytea WHERE job = '{lost}'"
        ))
        .unwrap();
    let worker = open(2);
    for job in jobs.iter().filter(|job| job.id() != lost) {
        let record = job.wait().unwrap();
        assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Succeeded), 1));
    }
    // Other jobs run, and no claim takes the unreadable job again and again.
    let version = || server.sql(&format!("SELECT xmin FROM job_engine.queue WHERE job = '{lost}'")).unwrap();
    let before = version();
    for _ in 0..5 {
        assert_eq!(front.submit(spec()).unwrap().wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
    }
    assert_eq!(version(), before);
    assert_eq!((worker.health(), front.health()), (Ok(()), Ok(())));
    let unreadable = worker.stats().unreadable;
    assert_eq!(unreadable.iter().map(|job| job.job).collect::<Vec<_>>(), [lost]);
    assert!(unreadable[0].reason.starts_with("cannot be read: format version 9 is unknown"), "{unreadable:?}");
    let listed = front.reader().entries(PageRequest::default()).unwrap();
    assert_eq!(listed.iter().filter_map(|entry| entry.as_ref().err()).collect::<Vec<_>>(), [&unreadable[0]]);
    assert!(worker.remove(lost).unwrap());
    assert_eq!(worker.stats().unreadable, []);
}
