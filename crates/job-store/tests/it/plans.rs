//! A statement is planned by index under any statistics.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use job_core::Timestamp;
use job_store::{
    Claim, Durability, JobStore, PostgresStore, ResultStore, SegmentKey, SharedStore,
    conformance::{Fixture, SharedFixture},
};
use serde_json::{Deserializer, Value};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    objects::Place,
    postgres::{Schema, claim, far, filters, job},
    shortage::{is_locked, lock, slow_to_claim},
};

/// The statements of this process's stores, and the settings of each.
#[derive(Default)]
struct Heard {
    statements: BTreeSet<String>,
    settings: String,
}

struct Listener(Arc<Mutex<Heard>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "job_store::postgres::statements"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut *self.0.lock().unwrap());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Heard {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "sql" => _ = self.statements.insert(value.to_owned()),
            "settings" => value.clone_into(&mut self.settings),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Runs every law once, and the statements that follow a lost answer.
fn run_everything() {
    for law in job_store::conformance_tests! { @list functions () } {
        let Some(place) = Place::directory() else { return };
        let fixture: &dyn Fixture = &place;
        law(fixture);
    }
    for law in job_store::sharing_tests! { @list functions () } {
        let Some(place) = Place::directory() else { return };
        let fixture: &dyn SharedFixture = &place;
        law(fixture);
    }
    let Some(schema) = Schema::new() else { return };
    let (network, url) = far(&schema);
    let store = PostgresStore::open(&url, schema.options.clone()).unwrap();
    thread::scope(|scope| {
        let table = format!("{}.queue", schema.options.schema);
        let (server, locking) = (&schema.server, lock(&table, &schema.options.schema, 2, Duration::ZERO));
        scope.spawn(move || server.sql(&locking).unwrap());
        while !is_locked(&schema, &table) {
            thread::yield_now();
        }
        let inserting = scope.spawn(|| store.insert(&[job(1)], Durability::Buffered));
        while !is_waited_for(&schema) {
            thread::yield_now();
        }
        network.cut();
        inserting.join().unwrap().unwrap();
    });
    let start = Some(Timestamp::from_micros(9));
    assert_eq!(store.claim(&Claim { start, again: true, ..filters(1) }).unwrap().len(), 1);
    store.size_on_disk().unwrap();
    let slow = slow_to_claim(&schema, &[job(5), job(6)]);
    slow.insert(&[job(7)], Durability::Buffered).unwrap();
    assert_eq!(claim(&slow, 1), [job(7)]);
    let key = SegmentKey { job: job(1).id, attempt: 1, number: 0 };
    store.read(key, 0..1, &mut |_| unreachable!()).unwrap_err();
}

/// Whether a statement of the schema's stores waits for a lock.
fn is_waited_for(schema: &Schema) -> bool {
    let name = &schema.options.schema;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name";
    schema.sql(&format!("{waiting} = '{name}'")).trim() != "0"
}

const LOAD: &str = "
    INSERT INTO finished (id, revision, record, result, graph, kind, outcome, owner, bytes, ended)
        SELECT md5(n::text)::uuid, 3, repeat('x', 300)::bytea, 'r', CASE WHEN n % 10 > 0 THEN ('g' || n % 5)::bytea END, 'v', n % 3,
            CASE WHEN n % 2 = 0 THEN 'o'::bytea END, n % 4, n FROM generate_series(1, ROWS) AS n ON CONFLICT DO NOTHING;
    INSERT INTO queue (job, revision, attempt, state, kind, priority, not_before, record, claimant, until)
        SELECT md5('q' || n)::uuid, 0, 0, n % 2, 'v', 0, 0, repeat('x', 300)::bytea,
            CASE WHEN n % 2 = 1 THEN gen_random_uuid() END, CASE WHEN n % 2 = 1 THEN now() END
        FROM generate_series(1, ROWS / 4) AS n ON CONFLICT DO NOTHING;
    INSERT INTO blocks (job, attempt, segment, end_row, bytes)
        SELECT id, 1, 0, 10 * n, 'b' FROM finished, generate_series(1, 3) AS n ON CONFLICT DO NOTHING;
    INSERT INTO objects (job, attempt, segment, end_row, first_row, name, size, ends, offsets)
        SELECT id, 1, 0, 10, 0, 'o', 9, '{10}', '{9}' FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO uploads (job, attempt, due, revision) SELECT id, 1, id > gen_random_uuid(), 1 FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO works (hash, job) SELECT id::text::bytea, id FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO names (name, job) SELECT id::text::bytea, id FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO labels (label, outcome, job) SELECT 'l', outcome, id FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO kept (jobs, bytes) SELECT 1, 1 FROM finished LIMIT 5000;
    INSERT INTO failures (job, bytes)
        SELECT job, 'f'::bytea FROM queue UNION ALL SELECT id, 'f' FROM finished ON CONFLICT DO NOTHING;
    INSERT INTO checkpoints (job, bytes) SELECT job, 'c' FROM queue ON CONFLICT DO NOTHING;";

/// The statistics that a database may have of the tables.
fn states() -> Vec<(&'static str, String)> {
    let (large, small) = (LOAD.replace("ROWS", "20000"), LOAD.replace("ROWS", "20"));
    let tables = [
        "finished",
        "queue",
        "blocks",
        "objects",
        "uploads",
        "works",
        "names",
        "checkpoints",
        "failures",
        "labels",
        "kept",
    ];
    let empty = format!("TRUNCATE {};", tables.join(", "));
    // Analyzes these tables alone, since other tests change theirs.
    let analyze = format!("ANALYZE {};", tables.join(", "));
    // Autovacuum is off here, so that no other process analyzes the tables meanwhile.
    let alone = |table: &str| format!("ALTER TABLE {table} SET (autovacuum_enabled = off);");
    let manual: String = tables.iter().map(|table| alone(table)).collect();
    vec![
        ("empty and never looked at", manual),
        ("large and never looked at", large.clone()),
        ("large", analyze.clone()),
        (
            "large, with statistics of small ones",
            format!(
                "{empty} {small} {analyze} {}",
                LOAD.replace("ROWS", "20000").replace("md5('q'", "md5('l'").replace("md5(n", "md5('m' || n")
            ),
        ),
        (
            "small, with statistics of large ones",
            format!("{empty} {large} {analyze} DELETE FROM blocks; DELETE FROM queue;"),
        ),
        ("small", format!("{empty} {small} {analyze}")),
        ("empty", format!("{empty} {analyze}")),
        ("large, with statistics of empty ones", large),
    ]
}

/// `PREPARE` and `EXPLAIN` of one statement, for any parameters.
fn explain(number: usize, sql: &str) -> String {
    let most = (1..99).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0);
    let nulls = vec!["NULL"; most].join(", ");
    let arguments = if most == 0 { String::new() } else { format!("({nulls})") };
    format!("PREPARE s{number} AS {sql}; EXPLAIN (FORMAT JSON) EXECUTE s{number}{arguments};")
}

/// Whether a statement is meant to read whole tables.
fn reads_a_whole_table(sql: &str) -> bool {
    // These read all unfinished jobs, the size of all objects, and the few rows of counts.
    sql == "SELECT job, record, started FROM queue ORDER BY job"
        || sql.contains("sum(size)")
        || sql.contains("FROM kept")
}

/// The nodes of a plan that read more of a table than the statement is about.
fn unbounded(plan: &Value, is_limited: bool, found: &mut Vec<String>) {
    let kind = plan["Node Type"].as_str().unwrap();
    let table = plan["Relation Name"].as_str().unwrap_or_default();
    let is_ours = !table.is_empty() && table != "schema_version" && plan["Schema"].is_null();
    let reads = kind.contains("Scan") && is_ours;
    if reads && (!kind.starts_with("Index") || (plan["Index Cond"].is_null() && !is_limited)) {
        found.push(format!("{kind} on {table}"));
    }
    // Read in the order of the index, so no row behind the limit is read.
    let passes_on = ["Limit", "Append", "Merge Append", "LockRows", "Subquery Scan", "Result"].contains(&kind);
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        let is_main =
            !["InitPlan", "SubPlan"].contains(&inner["Parent Relationship"].as_str().unwrap_or_default());
        unbounded(inner, is_main && passes_on && (is_limited || kind == "Limit"), found);
    }
}

/// An `ANALYZE` before the first load leaves statistics of empty tables. With a plan by these, each submission
/// looked at every finished job: 241 submissions a second in place of 28,000.
#[test]
fn every_statement_is_planned_by_index_whatever_the_statistics_say() {
    let heard = Arc::new(Mutex::new(Heard::default()));
    tracing::subscriber::set_global_default(Listener(Arc::clone(&heard))).unwrap();
    let Some(schema) = Schema::new() else { return };
    drop(schema.store());
    run_everything();
    let (statements, settings) = {
        let heard = heard.lock().unwrap();
        (Vec::from_iter(heard.statements.clone()), heard.settings.clone())
    };
    let on_tables = |sql: &&String| !sql.contains("information_schema") && !sql.contains("current_setting");
    let statements: Vec<_> = statements.iter().filter(on_tables).collect();
    assert!(statements.len() >= 45, "{statements:#?}");
    for (state, change) in states() {
        for change in change.split_inclusive(';').filter(|change| !change.trim().is_empty()) {
            schema.sql(change);
        }
        let explains: Vec<_> = statements.iter().enumerate().map(|(n, sql)| explain(n, sql)).collect();
        let said = schema.sql(&format!("{settings}; {}", explains.concat()));
        let plans: Vec<Value> = Deserializer::from_str(&said).into_iter().map(Result::unwrap).collect();
        assert_eq!(plans.len(), statements.len(), "{said}");
        for (plan, sql) in plans.iter().zip(&statements) {
            let mut found = Vec::new();
            unbounded(&plan[0]["Plan"], false, &mut found);
            assert!(found.is_empty() || reads_a_whole_table(sql), "{state}: {found:?} for {sql}\n{plan:#}");
        }
    }
}
