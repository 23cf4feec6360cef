//! A stopped engine delays no other, and neither does an open snapshot.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use job_core::{JobRecord, JobSpec};
use job_store::{ClaimId, Durability, JobStore, PostgresOptions, PostgresStore, SharedStore};
use test_servers::Postgres;

use crate::{
    postgres::{Schema, claim, far, job},
    shortage::slow_to_claim,
};

/// Sends more notices than all buffers in between hold.
const FLOOD: &str =
    "SELECT count(pg_notify('CHANNEL', n || repeat('x', 7900))) FROM generate_series(1, 4000) AS n";

/// The sessions that listen as a store does.
const LISTENERS: &str = "FROM pg_stat_activity WHERE query LIKE '%/* job-engine listens */%' AND state = 'idle'";

/// Sends notices that are not read, until this session is gone.
fn flood_until_gone(schema: &Schema, channel: &str, pid: &str) {
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    for _ in 0..1_000 {
        if schema.sql(&left).trim() == "0" {
            return;
        }
        schema.sql(&FLOOD.replace("CHANNEL", channel));
    }
    panic!("a session still waits for an engine that takes nothing");
}

/// The listening session of a stopped engine keeps a snapshot and the queue of notices. No dead row is removed
/// then, and all others get slower.
#[test]
fn the_sessions_of_a_stopped_engine_end() {
    let Some(schema) = Schema::new() else { return };
    let (network, url) = far(&schema);
    let name = &schema.options.schema;
    let options = schema.options.clone().timeout(Duration::from_secs(5));
    let store = PostgresStore::open(&url, options).unwrap();
    store.insert(&[job(1)], Durability::Buffered).unwrap();
    let listener =
        || schema.sql(&format!("SELECT pid {LISTENERS} AND application_name = '{name}'")).trim().to_owned();
    while listener().is_empty() {
        thread::yield_now();
    }
    let pid = listener();
    // The network holds arriving data, as if the process were stopped.
    network.hold(true);
    flood_until_gone(&schema, name, &pid);
}

/// A client on the server's Unix socket that listens as a store does, and is stopped in the middle of a delivery.
struct Stopped(Child);

impl Stopped {
    fn listen(server: &Postgres, channel: &str) -> Self {
        let mut psql = server.psql();
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // psql sends one statement for each line.
        let lines = format!("LISTEN \"{channel}\";\nSELECT 1 /* job-engine listens */\n;\n");
        child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
        while server.sql(&format!("SELECT count(*) {LISTENERS}")).unwrap().trim() == "0" {
            thread::yield_now();
        }
        assert!(Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap().success());
        Self(child)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// No network time-out ends a session on a Unix socket.
#[test]
fn others_end_the_session_of_an_engine_that_was_stopped_behind_a_unix_socket() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let stopped = Stopped::listen(&server, "job_engine");
    let options = PostgresOptions::default().timeout(Duration::from_secs(4));
    let _other = PostgresStore::open(&server.url(), options).unwrap();
    let left =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND wait_event = 'ClientWrite'";
    while server.sql(left).unwrap().trim() == "0" {
        server.sql(&FLOOD.replace("CHANNEL", "job_engine")).unwrap();
    }
    while server.sql(left).unwrap().trim() != "0" {
        thread::yield_now();
    }
    drop(stopped);
}

/// Slow claims begin at the last job that they found. They still find a better job at once: one that this process
/// puts back immediately, and one that another puts back after a while.
#[test]
fn a_claim_that_begins_further_on_misses_nothing() {
    let Some(schema) = Schema::new() else { return };
    let store = slow_to_claim(&schema, &[job(4), job(5)]);
    let better = JobRecord { spec: Arc::new(JobSpec::clone(&job(2).spec).priority(7)), ..job(2) };
    store.insert(&[job(7), better.clone()], Durability::Buffered).unwrap();
    assert_eq!(claim(&store, 1), [better]);
    store.insert(&[job(3)], Durability::Buffered).unwrap();
    assert_eq!(claim(&store, 2), [job(3), job(7)]);

    let store = slow_to_claim(&schema, &[job(14), job(15)]);
    store.release(&[ClaimId { job: job(14).id, token: 0 }]).unwrap();
    assert_eq!(claim(&store, 1), [job(14)]);

    let store = slow_to_claim(&schema, &[job(24), job(25)]);
    let other = schema.store();
    other.insert(&[job(23)], Durability::Buffered).unwrap();
    while claim(&store, 1) != [job(23)] {
        store.wait(Duration::from_millis(100)).unwrap();
    }
}
