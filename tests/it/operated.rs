//! Work of the operator of a cluster: the restore of its database, the upgrade of one of its engines.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use job_runner::{
    Engine, EngineError, JobContext, JobError, JobSpec, JobState, Outcome, StopCause,
    store::{ErrorKind, PostgresOptions, PostgresStore},
};
use test_servers::Postgres;

const LEASE: Duration = Duration::from_millis(600);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(2), "{what}");
        thread::yield_now();
    }
}

fn spec() -> JobSpec {
    JobSpec::algorithm("a").with_graph("g")
}

/// It claimed on, by statements that knew nothing of the new tables.
#[test]
fn an_open_engine_notices_that_a_newer_one_has_migrated_the_tables() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let open = || {
        let store = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
        Engine::builder_shared(Arc::new(store)).lease_duration(LEASE).poll_interval(LEASE / 6)
    };
    let (inside, entered) = mpsc::channel();
    let (stopped, told) = mpsc::channel();
    let body = move |ctx: &mut JobContext| -> Result<(), JobError> {
        inside.send(ctx.attempt()).unwrap();
        loop {
            if let Err(error) = ctx.check_stopped() {
                stopped.send(ctx.cancel_token().cause()).unwrap();
                return Err(error);
            }
            if ctx.attempt() > 1 {
                return Ok(());
            }
            thread::yield_now();
        }
    };
    let worker = open().algorithm("a", body).workers(1).open().unwrap();
    let idle = open().algorithm("b", |_: &mut JobContext| Ok(())).workers(1).open().unwrap();
    let front = open().front_end().open().unwrap();
    let job = front.submit(spec()).unwrap();
    assert_eq!(entered.recv().unwrap(), 1);
    server.sql("INSERT INTO job_engine.schema_version (version) VALUES (8)").unwrap();
    assert_eq!(told.recv().unwrap(), Some(StopCause::LeaseLost));
    for (name, engine) in [("worker", &worker), ("idle", &idle), ("front", &front)] {
        until(&format!("the {name} is healthy"), || match engine.health() {
            Err(EngineError::Unhealthy(error)) => {
                assert_eq!(error.kind, ErrorKind::Format, "{error}");
                let said = error.to_string();
                assert!(
                    said.contains("migrated the tables to version 8") && said.contains("upgrade this engine"),
                    "{said}"
                );
                true
            }
            health => {
                health.unwrap();
                false
            }
        });
        assert!(matches!(engine.submit(spec()), Err(EngineError::Unhealthy(_))), "{name}");
    }
    // Nothing is claimed, started or renewed.
    let row = || server.sql("SELECT xmin, attempt, until < now() FROM job_engine.queue").unwrap();
    let before = row();
    assert!(before.trim().ends_with("|1|t"), "{before}");
    until("claims fail", || worker.health().is_err() && idle.health().is_err());
    assert_eq!(row(), before);
    // As if the old tables had been restored.
    server.sql("DELETE FROM job_engine.schema_version WHERE version = 8").unwrap();
    assert_eq!(entered.recv().unwrap(), 2);
    let record = job.wait().unwrap();
    assert_eq!((record.state, record.failed_attempts), (JobState::Complete(Outcome::Succeeded), 0));
    until("the worker is well again", || worker.health().is_ok());
}

#[test]
fn engines_on_a_restored_database_finish_its_jobs_and_give_no_id_again() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let open = |url: &str| {
        let store = PostgresStore::open(url, PostgresOptions::default()).unwrap();
        Engine::builder_shared(Arc::new(store)).lease_duration(LEASE).poll_interval(LEASE / 6)
    };
    let rows = |ctx: &mut JobContext| -> Result<(), JobError> {
        let mut rows = ctx.rows("rows")?;
        (0..10).try_for_each(|row| rows.push(&row))
    };
    let (inside, entered) = mpsc::channel();
    let hangs = move |ctx: &mut JobContext| -> Result<(), JobError> {
        let _ = inside.send(());
        loop {
            ctx.check_stopped()?;
            thread::yield_now();
        }
    };
    let old = open(&server.url()).algorithm("a", rows).algorithm("hangs", hangs).workers(2).open().unwrap();
    let done = old.submit(spec()).unwrap();
    done.wait().unwrap();
    let running = old.submit(JobSpec::algorithm("hangs").with_graph("g")).unwrap().id();
    entered.recv().unwrap();
    let waiting = old.submit(JobSpec::algorithm("later").with_graph("g")).unwrap().id();
    let dump = server.dump().unwrap();
    let newer: BTreeSet<_> = (0..20).map(|_| old.submit(spec()).unwrap().id()).collect();

    let url = server.database("restored").unwrap();
    server.restore(&url, &dump).unwrap();
    let new = open(&url).algorithm("a", rows).algorithm("hangs", rows).algorithm("later", rows);
    let new = new.workers(2).open().unwrap();
    for id in [done.id(), running, waiting] {
        let record = new.job(id).unwrap().unwrap().wait().unwrap();
        assert_eq!((record.state, record.size.rows), (JobState::Complete(Outcome::Succeeded), 10), "{record:?}");
        assert_eq!(record.failed_attempts, 0);
    }
    assert!(newer.iter().all(|id| new.job(*id).unwrap().is_none()), "they came after the dump");
    let ids: Vec<_> = (0..20).map(|_| new.submit(spec()).unwrap()).collect();
    for job in ids {
        assert!(newer.iter().all(|newer| *newer < job.id()), "an id of before is given again");
        assert!(job.wait().unwrap().state.is_complete());
    }
}
