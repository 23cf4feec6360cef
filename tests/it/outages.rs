//! A database that cannot be used for a while costs no job an attempt.

use std::{sync::Arc, thread, time::Duration};

use job_runner::{
    Engine, JobContext, JobError, JobSpec, JobState, Outcome, StopCause,
    store::{PostgresOptions, PostgresStore},
};
use test_servers::{Postgres, Proxy};

const LEASE: Duration = Duration::from_millis(600);

/// The database is unreachable for longer than a lease, again and again, by a broken network and by `VACUUM FULL`.
/// The only engine never dies, so no attempt may count as failed.
#[test]
fn a_database_that_is_gone_three_times_for_longer_than_a_lease_costs_no_attempt() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let network = Proxy::start(server.port()).unwrap();
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", network.port()));
    let open = |url: &str| {
        let options = PostgresOptions::default().timeout(Duration::from_secs(2));
        Engine::builder_shared(Arc::new(PostgresStore::open(url, options).unwrap()))
            .lease_duration(LEASE)
            .poll_interval(LEASE / 6)
    };
    let (inside, entered) = std::sync::mpsc::channel();
    let (stopped, told) = std::sync::mpsc::channel();
    // Each outage stops one attempt.
    let outages = 6;
    let body = move |ctx: &mut JobContext| -> Result<(), JobError> {
        if ctx.attempt() > outages {
            return (0..10).try_for_each(|row| ctx.rows("rows")?.push(&row));
        }
        inside.send(()).unwrap();
        loop {
            if let Err(error) = ctx.check_stopped() {
                stopped.send(ctx.cancel_token().cause()).unwrap();
                return Err(error);
            }
            thread::yield_now();
        }
    };
    let engine = open(&url).algorithm("a", body).workers(1).open().unwrap();
    let handle = engine.submit(JobSpec::algorithm("a").with_graph("g").max_attempts(2)).unwrap();
    for outage in 0..outages {
        entered.recv().unwrap();
        if outage % 2 == 0 {
            network.refuse(true);
            network.cut();
            assert_eq!(told.recv().unwrap(), Some(StopCause::LeaseLost));
            network.refuse(false);
        } else {
            let lock = "BEGIN; LOCK TABLE job_engine.queue IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT";
            server.sql(lock).unwrap();
            assert_eq!(told.recv().unwrap(), Some(StopCause::LeaseLost));
        }
    }
    let record = handle.wait().unwrap();
    assert_eq!(record.state, JobState::Complete(Outcome::Succeeded), "{record:?}");
    assert_eq!((record.failed_attempts, record.size.rows), (0, 10));
}
