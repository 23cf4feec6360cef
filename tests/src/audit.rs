//! The database checks every write: triggers know which process holds a job, and note each write by any other.

use std::collections::BTreeSet;

use job_runner::{JobId, Segment};
use test_servers::Postgres;

/// Installs the triggers beside the tables of the store, which are there already.
pub(crate) fn install(server: &Postgres) {
    server.sql(include_str!("audit.sql")).expect("the triggers are installed");
}

/// The writes without a lease, one on each line.
pub(crate) fn findings(server: &Postgres) -> String {
    server.sql("SELECT * FROM job_engine.audit_wrong").expect("the notes can be read")
}

/// How many jobs the process that calls itself `application` has a lease on.
pub(crate) fn held(server: &Postgres, application: &str) -> u64 {
    let count = format!(
        "SELECT count(*) FROM job_engine.queue JOIN job_engine.audit_claimants USING (claimant)
         WHERE until > now() AND application = '{application}'"
    );
    server.sql(&count).expect("the server answers").parse().expect("a number")
}

/// Rows and checkpoints that belong to no result: those of jobs that did not succeed, and of segments that no
/// result lists. `listed` has each listed segment in the form of [`segment`].
pub(crate) fn left_over(server: &Postgres, listed: &BTreeSet<String>) -> Vec<String> {
    const STORED: &str = "
        SELECT DISTINCT replace(job::text, '-', ''), attempt, segment FROM job_engine.blocks
        UNION ALL SELECT 'checkpoint of ' || job, 0, 0 FROM job_engine.checkpoints";
    let stored = server.sql(STORED).expect("the server answers");
    stored.lines().filter(|line| !listed.contains(*line)).map(str::to_owned).collect()
}

/// A segment of a job as the server prints it.
pub(crate) fn segment(job: JobId, segment: Segment) -> String {
    let id = job.to_string().replace('-', "");
    format!("{id}|{}|{}", segment.attempt, segment.number)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use job_runner::{
        Durability, Event, JobRecord, JobSpec, Timestamp,
        store::{Claim, JobStore, PostgresOptions, PostgresStore, ResultStore, SharedStore},
    };

    use super::*;

    #[test]
    fn the_database_notices_whoever_writes_without_a_lease() {
        let Some(server) = Postgres::start().unwrap() else { return };
        let url = format!("{}?application_name=worker-1", server.url());
        let store = PostgresStore::open(&url, PostgresOptions::default()).unwrap();
        install(&server);
        let now = Timestamp::from_micros(1);
        let waiting =
            JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::algorithm("a").with_graph("g"), now);
        store.insert(std::slice::from_ref(&waiting), Durability::Buffered).unwrap();
        let kinds = [waiting.spec.kind().clone()];
        let claim = Claim::new(&kinds, 1, Duration::from_hours(1));
        assert_eq!(store.claim(&claim).unwrap().len(), 1);
        let running = waiting.apply(Event::Start, now).unwrap();
        store.replace(&running, Durability::Buffered).unwrap();
        store.save_checkpoint(waiting.id, 1, b"here").unwrap();
        assert_eq!((held(&server, "worker-1"), findings(&server)), (1, String::new()));

        // Another process makes writes of the same form without the store's code.
        for wrong in [
            "INSERT INTO job_engine.blocks SELECT job, attempt, 0, 1, '' FROM job_engine.queue",
            "UPDATE job_engine.checkpoints SET bytes = ''",
            "UPDATE job_engine.queue SET revision = revision + 1, state = 0",
            "UPDATE job_engine.queue SET claimant = gen_random_uuid()",
        ] {
            server.sql(wrong).unwrap();
        }
        let found = findings(&server);
        assert_eq!(found.lines().count(), 4, "{found}");
        assert_eq!(left_over(&server, &BTreeSet::new()).len(), 2);
    }
}
