//! If a server, a role or a network lacks a resource, calls wait for it or fail with a passing error.

use std::{
    ops::ControlFlow,
    process::{Command, Stdio},
    slice, thread,
    time::Duration,
};

use job_core::{Event, JobId, JobRecord, JobResult, Timestamp};
use job_store::{
    BlockBuilder, ClaimId, Durability, ErrorKind, JobStore, PostgresOptions, PostgresStore, ResultStore,
    SegmentKey, SharedStore, Store,
};
use test_servers::{Postgres, Proxy, Shared};

use crate::postgres::{Schema, claim, job, start};

/// Makes another user of the server, who may create a schema. Returns the user and its URL.
fn role(schema: &Schema, settings: &str) -> (String, String) {
    let name = Shared::schema();
    schema.sql(&format!("CREATE ROLE {name} LOGIN; GRANT CREATE ON DATABASE postgres TO {name}"));
    for setting in settings.lines().map(str::trim).filter(|setting| !setting.is_empty()) {
        schema.sql(&format!("ALTER ROLE {name} {setting}"));
    }
    let url = schema.server.url().replace("postgres@", &format!("{name}@"));
    (name, url)
}

/// Statements that lock a table until this number of sessions of that application wait for it. The last session must
/// have waited for this time.
pub fn lock(table: &str, application: &str, sessions: u32, waited: Duration) -> String {
    format!(
        "DO $$ BEGIN
            LOCK TABLE {table};
            FOR round IN 1..6000 LOOP
                EXIT WHEN {sessions} <= (SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}'
                    AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '{} ms');
                PERFORM pg_stat_clear_snapshot();
                PERFORM pg_sleep(0.01);
            END LOOP;
        END $$",
        waited.as_millis()
    )
}

/// Whether a table is locked against everything.
pub fn is_locked(schema: &Schema, table: &str) -> bool {
    let held = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock' AND granted"
    );
    schema.sql(&held).trim() != "0"
}

/// A store that claims these jobs one by one, and had to wait for each.
pub fn slow_to_claim(schema: &Schema, jobs: &[JobRecord]) -> PostgresStore {
    let name = &schema.options.schema;
    let url = format!("{}?application_name={name}", schema.server.url());
    let store = PostgresStore::open(&url, schema.options.clone()).unwrap();
    store.insert(jobs, Durability::Buffered).unwrap();
    let table = format!("{name}.queue");
    for job in jobs {
        thread::scope(|scope| {
            let (server, locking) = (&schema.server, lock(&table, name, 1, Duration::from_millis(50)));
            scope.spawn(move || server.sql(&locking).unwrap());
            while !is_locked(schema, &table) {
                thread::yield_now();
            }
            assert_eq!(claim(&store, 1), slice::from_ref(job));
        });
    }
    store
}

/// A refused fifth connection must not fail a job.
#[test]
fn a_role_with_fewer_connections_than_the_pool_fails_no_call() {
    let Some(schema) = Schema::new() else { return };
    let (_, url) = role(&schema, "CONNECTION LIMIT 4");
    let store = PostgresStore::open(&url, schema.options.clone().connections(8)).unwrap();
    thread::scope(|scope| {
        for n in 1..=40 {
            let store = &store;
            scope.spawn(move || start(store, n));
        }
    });
    assert_eq!(store.unfinished().unwrap().len(), 40);
}

#[test]
fn a_call_that_gets_no_place_in_time_says_that_it_may_be_tried_again() {
    let Some(schema) = Schema::new() else { return };
    let (name, url) = role(&schema, "");
    let options = schema.options.clone().timeout(Duration::from_secs(4));
    drop(PostgresStore::open(&url, options.clone()).unwrap());
    schema.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT 0"));
    let error = PostgresStore::open(&url, options).unwrap_err();
    assert!(error.kind.is_retryable() && error.to_string().contains("53300"), "{error}");
}

/// Each of these settings fails a call if the store does not override it.
#[test]
fn nothing_that_a_role_has_set_holds_for_the_store() {
    let Some(schema) = Schema::new() else { return };
    let (name, url) = role(
        &schema,
        "SET lock_timeout TO '50ms'
        SET statement_timeout TO '500ms'
        SET idle_in_transaction_session_timeout TO '100ms'
        SET idle_session_timeout TO '300ms'
        SET default_transaction_isolation TO 'serializable'
        SET default_transaction_read_only TO on
        SET default_transaction_deferrable TO on
        SET search_path TO pg_catalog
        SET row_security TO on
        SET client_encoding TO 'SQL_ASCII'
        SET DateStyle TO 'SQL, DMY'
        SET IntervalStyle TO 'sql_standard'
        SET transform_null_equals TO on
        SET standard_conforming_strings TO off
        SET enable_nestloop TO off
        SET enable_indexscan TO off
        SET plan_cache_mode TO force_custom_plan
        SET synchronous_commit TO off",
    );
    let url = format!("{url}?application_name={name}");
    let store = PostgresStore::open(&url, schema.options.clone().connections(1)).unwrap();
    let running = start(&store, 1);
    let done = running.apply(Event::Succeed(JobResult::default().size()), Timestamp::from_micros(6)).unwrap();
    store.complete(&[(&done, &JobResult::default())], Durability::Synced).unwrap();
    store.insert(&[job(2), job(3)], Durability::Synced).unwrap();
    assert_eq!(claim(&store, 1), [job(2)]);
    assert_eq!(store.list(None, 0, 9).unwrap(), [job(3), job(2), done]);
    thread::scope(|scope| {
        let table = format!("{}.queue", schema.options.schema);
        let locking = lock(&table, &name, 1, Duration::from_millis(800));
        let server = &schema.server;
        scope.spawn(move || server.sql(&locking).unwrap());
        while !is_locked(&schema, &table) {
            thread::yield_now();
        }
        store.insert(&[job(4)], Durability::Synced).unwrap();
    });
    assert_eq!(
        store
            .renew(&[2, 3, 4].map(|n| ClaimId { job: job(n).id, token: 0 }), Duration::from_hours(1))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.unfinished().unwrap().len(), 3);
}

/// A database may be restored, a right given anew or a password changed while a store is open. No job is to blame
/// for that.
#[test]
fn what_is_taken_away_from_an_open_store_may_come_back() {
    let Some(schema) = Schema::new() else { return };
    let (name, url) = role(&schema, "");
    let options = schema.options.clone().connections(1);
    let store = PostgresStore::open(&url, options.clone()).unwrap();
    store.insert(&[job(1)], Durability::Buffered).unwrap();
    let tables = &schema.options.schema;
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'");
    for (taken, given) in [
        (format!("ALTER SCHEMA {tables} RENAME TO {name}"), format!("ALTER SCHEMA {name} RENAME TO {tables}")),
        (format!("REVOKE ALL ON queue FROM {name}"), format!("GRANT ALL ON queue TO {name}")),
        (format!("ALTER ROLE {name} NOLOGIN; {end}"), format!("ALTER ROLE {name} LOGIN")),
    ] {
        schema.sql(&taken);
        let error = store.insert(&[job(2)], Durability::Buffered).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{taken}: {error}");
        schema.sql(&given);
        assert_eq!(store.unfinished().unwrap(), [job(1)]);
    }
    schema.sql(&format!("ALTER ROLE {name} NOLOGIN"));
    assert_eq!(PostgresStore::open(&url, options).unwrap_err().kind, ErrorKind::Invalid);
}

/// A migration of six million finished jobs takes longer than the time-out of a call.
#[test]
fn a_migration_takes_as_long_as_it_takes() {
    let Some(schema) = Schema::new() else { return };
    let name = &schema.options.schema;
    let tables =
        [include_str!("../../src/postgres/schema/1.sql"), include_str!("../../src/postgres/schema/2.sql")];
    schema.server.sql(&format!("CREATE SCHEMA {name}")).unwrap();
    schema.sql(&tables.concat());
    schema.sql("INSERT INTO schema_version (version) VALUES (1), (2)");
    let url = format!("{}?application_name={name}", schema.server.url());
    let options = schema.options.clone().timeout(Duration::from_secs(4));
    thread::scope(|scope| {
        let table = format!("{name}.jobs");
        let locking = lock(&table, name, 1, options.timeout * 2);
        let server = &schema.server;
        scope.spawn(move || server.sql(&locking).unwrap());
        while !is_locked(&schema, &table) {
            thread::yield_now();
        }
        let store = PostgresStore::open(&url, options.clone()).unwrap();
        store.insert(&[job(1)], Durability::Buffered).unwrap();
        assert_eq!(store.get(job(1).id).unwrap(), Some(job(1)));
    });
}

/// The first host must not use up the time of the call.
#[test]
fn the_next_host_of_a_list_is_asked_when_one_swallows_everything() {
    let Some(schema) = Schema::new() else { return };
    let (server, place) = schema.server.url().rsplit_once(':').unwrap();
    let (port, database) = place.split_once('/').unwrap();
    let silent = Proxy::start(port.parse().unwrap()).unwrap();
    silent.hold(true);
    let options = schema.options.clone().timeout(Duration::from_secs(9));
    let user = server.rsplit_once('@').unwrap().0;
    let url = format!("{user}@127.0.0.1:{},127.0.0.1:1,127.0.0.1:{port}/{database}", silent.port());
    let store = PostgresStore::open(&url, options).unwrap();
    store.insert(&[job(1)], Durability::Buffered).unwrap();
    assert_eq!(store.get(job(1).id).unwrap(), Some(job(1)));
}

#[test]
fn the_host_of_a_list_that_takes_writes_is_found() {
    let (Some(standby), Some(primary)) = (Postgres::start().unwrap(), Postgres::start().unwrap()) else { return };
    standby.demote().unwrap();
    let ports = [standby.port(), primary.port()];
    let url = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", ports[0], ports[1]);
    let store = PostgresStore::open(&url, PostgresOptions::default()).unwrap();
    store.insert(&[job(1)], Durability::Buffered).unwrap();
    assert_eq!(primary.sql("SELECT count(*) FROM job_engine.queue").unwrap().trim(), "1");
    let alone = format!("{}?target_session_attrs=read-write", standby.url());
    let error = PostgresStore::open(&alone, PostgresOptions::default()).unwrap_err();
    assert!(error.kind.is_retryable() && error.to_string().contains("standby"), "{error}");
}

/// The end of a time-out may be beyond the range of a clock. The call must not panic.
#[test]
fn a_time_out_may_be_of_any_length() {
    let Some(schema) = Schema::new() else { return };
    let options = schema.options.clone().timeout(Duration::MAX);
    let store = PostgresStore::open(schema.server.url(), options).unwrap();
    store.insert(&[job(1), job(2)], Durability::Synced).unwrap();
    assert_eq!(claim(&store, 1), [job(1)]);
    assert_eq!(store.renew(&[ClaimId { job: job(1).id, token: 0 }], Duration::MAX).unwrap().len(), 1);
    assert_eq!(store.get(JobId::MIN).unwrap(), None);
}

/// A store that gets no thread must not panic.
#[test]
fn a_store_that_gets_no_thread_says_so() {
    // A user with a limit of this one process.
    let own = std::env::current_exe().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let binary = copy.path().join("it");
    std::fs::copy(own, &binary).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(copy.path(), permissions).unwrap();
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let mut alone = if is_root {
        let mut other = Command::new("setpriv");
        other.args(["--reuid=54321", "--regid=54321", "--clear-groups", "prlimit"]);
        other
    } else {
        Command::new("prlimit")
    };
    alone.args(["--nproc=1"]).arg(&binary).args(["--ignored", "--exact", "shortage::opens_without_threads"]);
    let output = alone.current_dir("/").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "runs in a process that gets no threads"]
fn opens_without_threads() {
    let error = PostgresStore::open("postgres://u@127.0.0.1:1/d", PostgresOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().contains("no thread is to be had"), "{error}");
}

/// The next blocks are on their way on the only connection while the caller has these, uses the store, and loses the
/// connection.
#[test]
fn a_read_of_many_blocks_goes_on_beside_other_calls_and_after_a_lost_connection() {
    const ROWS: u64 = 100;
    let Some(schema) = Schema::new() else { return };
    let name = &schema.options.schema;
    let url = format!("{}?application_name={name}", schema.server.url());
    let store = PostgresStore::open(&url, schema.options.clone().connections(1)).unwrap();
    let running = start(&store, 1);
    let key = SegmentKey { job: running.id, attempt: 1, number: 0 };
    let mut writer = store.segment(key).unwrap();
    let mut block = BlockBuilder::new(key);
    for row in 0..ROWS {
        block.push(&row).unwrap();
        writer.append(block.seal()).unwrap();
    }
    writer.finish().unwrap();
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'");
    let mut read = Vec::new();
    let each = &mut |rows: job_store::Rows<'_>| {
        read.push(rows.json().unwrap().to_vec());
        match read.len() % 30 {
            0 => drop(schema.sql(&end)),
            7 => assert_eq!(store.get(running.id)?.as_ref(), Some(&running)),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    };
    store.read(key, 3..ROWS - 2, each).unwrap();
    let all: Vec<_> = (3..ROWS - 2).map(|row| row.to_string().into_bytes()).collect();
    assert_eq!(read, all);
    let mut ends = Vec::new();
    store.blocks(key, &mut |end, _| Ok((ends.push(end), ControlFlow::Continue(())).1)).unwrap();
    assert_eq!(ends, (1..=ROWS).collect::<Vec<_>>());
}
