//! Faults that only a store on a server can have.

use std::{sync::Arc, thread, time::Duration};

use job_core::{Event, JobFilter, JobId, JobKind, JobRecord, JobSpec, JobState, Outcome, Timestamp};
use job_store::{
    BlockBuilder, Claim, ClaimId, Durability, ErrorKind, JobStore, Pin, PostgresOptions, PostgresStore,
    ResultStore, SegmentKey, SharedStore, Store, Usage,
    conformance::{Death, Fixture, SharedFixture},
    verify,
};
use test_servers::{Postgres, Proxy, Shared};

use crate::content;

/// An empty schema in the server that all tests share.
pub struct Schema {
    pub server: Shared,
    pub options: PostgresOptions,
}

impl Schema {
    /// `None` if there is no PostgreSQL.
    pub fn new() -> Option<Self> {
        let server = Shared::open().unwrap()?;
        Some(Self { server, options: PostgresOptions::default().schema(Shared::schema()) })
    }

    pub fn store(&self) -> PostgresStore {
        PostgresStore::open(self.server.url(), self.options.clone()).unwrap()
    }

    /// Runs statements in the schema, without a store.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&format!("SET search_path TO {}; {sql}", self.options.schema)).unwrap()
    }
}

impl Schema {
    /// Overwrites the stored record of a job with these bytes.
    pub fn overwrite(&self, job: JobId, record: &[u8]) {
        let hex = hex(record);
        let set = format!("SET record = '\\x{hex}'::bytea WHERE");
        self.sql(&format!("UPDATE queue {set} job = '{job}'; UPDATE finished {set} id = '{job}'"));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl Fixture for Schema {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }

    fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
        Self::overwrite(self, job, record);
        true
    }

    /// The server has every acknowledged write. It dies in the tests of `crashed`.
    fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
        drop(store);
        death == Death::Process
    }

    fn damage(&self, bytes: &[u8]) -> bool {
        const PLACES: [(&str, &str); 6] = [
            ("queue", "record"),
            ("finished", "record"),
            ("finished", "result"),
            ("blocks", "bytes"),
            ("checkpoints", "bytes"),
            ("failures", "bytes"),
        ];
        let hex = hex(bytes);
        let flipped = |(table, column): (&str, &str)| {
            let at = format!("position('\\x{hex}'::bytea IN {column}) - 1 + {}", bytes.len() / 2);
            let changed = self.sql(&format!(
                "WITH flipped AS (
                    UPDATE {table} SET {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 1)
                    WHERE position('\\x{hex}'::bytea IN {column}) > 0 RETURNING 1
                ) SELECT count(*) FROM flipped"
            ));
            changed.trim() != "0"
        };
        PLACES.map(flipped).contains(&true)
    }
}

impl SharedFixture for Schema {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(self.store())
    }
}

pub fn job(n: u64) -> JobRecord {
    let now = Timestamp::from_micros(n * 1_000);
    JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("g"), now)
}

pub fn start(store: &dyn JobStore, n: u64) -> JobRecord {
    store.insert(&[job(n)], Durability::Buffered).unwrap();
    let running = job(n).apply(Event::Start, Timestamp::from_micros(5)).unwrap();
    store.replace(&running, Durability::Buffered).unwrap();
    running
}

/// Blocks are packed before the server gets them, or lie as they are.
#[test]
fn the_server_packs_no_block_again() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store());
    let storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'blocks'::regclass AND attname = 'bytes'";
    assert!(schema.sql(storage).trim().ends_with('e'), "{}", schema.sql(storage));
}

#[test]
fn the_tables_of_a_later_version_are_refused_with_both_versions() {
    let Some(schema) = Schema::new() else { return };
    drop(schema.store());
    schema.sql("INSERT INTO schema_version (version) VALUES (9)");
    let error = PostgresStore::open(schema.server.url(), schema.options.clone()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Format);
    assert!(error.to_string().contains("version 9") && error.to_string().contains("up to 7"), "{error}");
}

/// Tables of the second version, in which every job had a row in `jobs`.
#[test]
fn jobs_of_an_earlier_version_are_taken_along() {
    let (Some(new), Some(old)) = (Schema::new(), Schema::new()) else { return };
    let store = new.store();
    let named = |n, key: &str| {
        let spec = JobSpec::vertex_filter().with_graph("g").idempotency_key(key);
        JobRecord { spec: Arc::new(spec), ..job(n) }
    };
    store.insert(&[named(1, "one"), named(2, "two"), job(3), job(4)], Durability::Buffered).unwrap();
    let ended = job(3).apply(Event::Cancel, Timestamp::from_micros(8)).unwrap();
    store.replace(&ended, Durability::Buffered).unwrap();
    let claimed = claim(&store, 1);
    let running = named(1, "one").apply(Event::Start, Timestamp::from_micros(9)).unwrap();
    assert_eq!(claimed[0].id, running.id);
    store.replace(&running, Durability::Buffered).unwrap();
    store.pin(job(4).id, Pin::Keep).unwrap();
    store.record_reads(&[(job(3).id, Timestamp::from_micros(77))]).unwrap();

    let (from, to) = (&new.options.schema, &old.options.schema);
    let tables =
        [include_str!("../../src/postgres/schema/1.sql"), include_str!("../../src/postgres/schema/2.sql")];
    old.server.sql(&format!("CREATE SCHEMA {to}")).unwrap();
    old.sql(&tables.concat());
    old.sql(&format!(
        "INSERT INTO schema_version (version) VALUES (1), (2);
        INSERT INTO jobs (id, revision, name, record, result, last_read, pinned)
            SELECT j.id, j.revision, n.name, j.record, f.result, j.last_read, j.pinned FROM {from}.jobs j
            LEFT JOIN {from}.names n ON n.job = j.id LEFT JOIN {from}.finished f ON f.id = j.id;
        INSERT INTO queue SELECT job, revision, attempt, state, kind, priority, not_before, claimant, until
            FROM {from}.queue"
    ));

    let store = old.store();
    assert_eq!(store.list(None, 0, 9).unwrap(), [job(4), ended, named(2, "two"), running.clone()]);
    assert_eq!(store.unfinished().unwrap(), [running, named(2, "two"), job(4)]);
    assert_eq!(store.find_key("g", "two").unwrap(), Some(job(2).id));
    let read = Usage { last_read: Some(Timestamp::from_micros(77)), pinned: false };
    let kept = Usage { last_read: None, pinned: true };
    assert_eq!(store.usage(&[job(4).id, job(3).id]).unwrap(), [kept, read]);
    assert_eq!(claim(&store, 9), [named(2, "two"), job(4)]);
    let filter = JobFilter::default().kind(JobKind::VertexFilter).state(JobState::Complete(Outcome::Cancelled));
    assert_eq!(filtered(&store, &filter), [job(3).id]);
    assert_eq!(store.kept().unwrap().jobs, 1);
    assert!(store.remove(job(3).id).unwrap());
    assert_eq!(store.kept().unwrap().jobs, 0);
}

/// The statements of each version.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../src/postgres/schema/1.sql"),
    include_str!("../../src/postgres/schema/2.sql"),
    include_str!("../../src/postgres/schema/3.sql"),
    include_str!("../../src/postgres/schema/4.sql"),
    include_str!("../../src/postgres/schema/5.sql"),
    include_str!("../../src/postgres/schema/6.sql"),
    include_str!("../../src/postgres/schema/7.sql"),
];

/// Makes the tables of a version, and puts in what they can hold of the content of another schema.
fn as_of_version(version: usize, from: &Schema, to: &Schema) {
    let (from, name) = (&from.options.schema, &to.options.schema);
    to.server.sql(&format!("CREATE SCHEMA {name}")).unwrap();
    to.sql(&MIGRATIONS[..version].concat());
    to.sql(&format!("INSERT INTO schema_version (version) SELECT generate_series(1, {version})"));
    to.sql(&format!(
        "DO $$ DECLARE t text; c text; BEGIN
            FOREACH t IN ARRAY ARRAY['queue', 'finished', 'names', 'works', 'checkpoints', 'failures', 'blocks', 'objects', 'uploads'] LOOP
                SELECT string_agg(quote_ident(column_name), ', ') INTO c FROM information_schema.columns
                WHERE table_schema = '{name}' AND table_name = t AND column_name IN (
                    SELECT column_name FROM information_schema.columns WHERE table_schema = '{from}' AND table_name = t);
                IF c IS NOT NULL THEN
                    EXECUTE format('INSERT INTO {name}.%I (%s) SELECT %s FROM {from}.%I', t, c, c, t);
                END IF;
            END LOOP;
        END $$"
    ));
    if version < 3 {
        to.sql(&format!(
            "INSERT INTO jobs (id, revision, name, record, result, last_read, pinned)
            SELECT j.id, j.revision, n.name, j.record, f.result, j.last_read, j.pinned FROM {from}.jobs j
            LEFT JOIN {from}.names n ON n.job = j.id LEFT JOIN {from}.finished f ON f.id = j.id"
        ));
    }
}

#[test]
fn tables_of_every_earlier_version_are_migrated() {
    let Some(new) = Schema::new() else { return };
    let store = new.store();
    let stays = |shape: &content::Shape| !matches!(shape.ending, content::Ending::Runs | content::Ending::Cancels);
    let shapes: Vec<_> = content::varied().into_iter().filter(stays).collect();
    content::fill(&store, &shapes);
    // Only the last version has these.
    new.sql("DELETE FROM failures");
    // Later versions have a dump each.
    for version in 1..6 {
        let Some(old) = Schema::new() else { return };
        as_of_version(version, &new, &old);
        let migrated = old.store();
        content::assert_copied(&store, &migrated);
        verify(&migrated, &mut |finding| panic!("version {version}: {finding}")).unwrap();
        assert_eq!(old.sql("SELECT max(version) FROM schema_version").trim(), MIGRATIONS.len().to_string());
        assert!(!claim(&migrated, 99).is_empty() || claim_of(&migrated, "pagerank") > 0);
    }
}

fn claim_of(store: &PostgresStore, algorithm: &str) -> usize {
    let kinds = [JobKind::Algorithm(algorithm.to_owned())];
    store.claim(&Claim::new(&kinds, 99, Duration::from_hours(1))).unwrap().len()
}

/// A claim takes nothing out of tables that it does not know, nor does a lease go on there.
#[test]
fn a_store_that_is_open_refuses_claims_and_leases_of_later_tables() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store();
    store.insert(&[job(1), job(2)], Durability::Buffered).unwrap();
    let held = store.claim(&filters(1)).unwrap();
    let claims = [ClaimId { job: held[0].record.id, token: 0 }];
    schema.sql("INSERT INTO schema_version (version) VALUES (8)");
    let before = schema.sql("SELECT job, xmin, until FROM queue ORDER BY job");
    let said = |error: &job_store::StoreError| {
        assert_eq!(error.kind, ErrorKind::Format);
        let text = error.to_string();
        assert!(
            text.contains("migrated the tables to version 8, and this one knows up to 7: upgrade this engine"),
            "{text}"
        );
    };
    for start in [None, Some(Timestamp::from_micros(9))] {
        said(&store.claim(&Claim { start, ..filters(9) }).unwrap_err());
    }
    // Also when there is nothing to claim.
    said(&store.claim(&Claim::new(&[JobKind::EdgeFilter], 1, Duration::from_secs(9))).unwrap_err());
    said(&store.renew(&claims, Duration::from_hours(9)).unwrap_err());
    said(&store.wait(Duration::ZERO).unwrap_err());
    said(&store.wait(Duration::ZERO).unwrap_err());
    assert_eq!(
        schema.sql("SELECT job, xmin, until FROM queue ORDER BY job"),
        before,
        "nothing was claimed or renewed"
    );
    schema.sql("DELETE FROM schema_version WHERE version = 8");
    assert_eq!(store.renew(&claims, Duration::from_hours(9)).unwrap().len(), 1);
    assert_eq!(claim(&store, 9), [job(2)]);
    store.wait(Duration::ZERO).unwrap();
}

fn filtered(store: &PostgresStore, filter: &JobFilter) -> Vec<JobId> {
    store.filtered_entries(filter, None, 99).unwrap().iter().map(|listed| listed.id).collect()
}

/// The jobs as an engine of the version before leaves them, until it is stopped.
#[test]
fn jobs_that_another_version_has_ended_are_filtered_and_counted_later() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store();
    for n in 1..=6 {
        let waiting = job(n);
        let spec = JobSpec::clone(&waiting.spec).owner("Sarah").label("nightly").with_graph(format!("g{}", n % 2));
        let waiting = JobRecord { spec: Arc::new(spec), ..waiting };
        store.insert(std::slice::from_ref(&waiting), Durability::Buffered).unwrap();
        if n < 6 {
            store
                .replace(&waiting.apply(Event::Cancel, waiting.submitted_at).unwrap(), Durability::Buffered)
                .unwrap();
        }
    }
    schema.sql(
        "UPDATE finished SET graph = NULL, kind = NULL, outcome = NULL, owner = NULL, bytes = NULL, ended = NULL;
        DELETE FROM labels; DELETE FROM kept",
    );
    schema.overwrite(job(2).id, b"what is this?");
    let filters = || {
        let any = JobFilter::default;
        [
            any().graph("g1"),
            any().owner("Sarah"),
            any().label("nightly"),
            any().state(JobState::Complete(Outcome::Cancelled)),
        ]
    };
    let ids = |numbers: &[u64]| numbers.iter().map(|n| job(*n).id).collect::<Vec<_>>();
    // An unreadable job may match any filter.
    let expected = [ids(&[5, 3, 2, 1]), ids(&[6, 5, 4, 3, 2, 1]), ids(&[6, 5, 4, 3, 2, 1]), ids(&[5, 4, 3, 2, 1])];
    let store_again = || schema.store();
    for filled in [false, true] {
        let store = if filled { store_again() } else { store.clone() };
        for (filter, expected) in filters().iter().zip(&expected) {
            assert_eq!(&filtered(&store, filter), expected, "{filter:?}");
        }
        assert_eq!(store.kept().unwrap().jobs, if filled { 4 } else { 0 });
    }
    let used: Vec<_> = store.least_used(false, None, 9).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(used, ids(&[1, 3, 4, 5]));
    drop(store_again());
    assert_eq!(store.kept().unwrap().jobs, 4, "they are counted once");
    assert!(store.remove(job(2).id).unwrap() && store.remove(job(3).id).unwrap());
    assert_eq!(filtered(&store, &filters()[2]), ids(&[6, 5, 4, 1]));
    assert_eq!(store.kept().unwrap().jobs, 3);
    assert_eq!(schema.sql("SELECT count(*) FROM labels").trim(), "3");
}

#[test]
fn stores_that_are_opened_at_once_make_the_tables_once() {
    let Some(schema) = Schema::new() else { return };
    thread::scope(|scope| {
        for n in 1..=8 {
            let schema = &schema;
            scope.spawn(move || schema.store().insert(&[job(n)], Durability::Buffered).unwrap());
        }
    });
    assert_eq!(schema.store().unfinished().unwrap().len(), 8);
}

#[test]
fn two_schemas_share_nothing() {
    let (Some(one), Some(other)) = (Schema::new(), Schema::new()) else { return };
    one.store().insert(&[job(1)], Durability::Buffered).unwrap();
    assert_eq!(other.store().unfinished().unwrap(), []);
    assert_eq!(claim(&other.store(), 9), []);
}

/// A claim must not fail because of one unreadable job after it took effect. Otherwise every later claim fails
/// too, and the good jobs of the batch are started and not renewed.
#[test]
fn a_claim_leaves_what_it_cannot_read_to_whoever_can_and_is_not_given_it_again() {
    let Some(schema) = Schema::new() else { return };
    let (old, new) = (schema.store(), schema.store());
    let mut held = Vec::new();
    for (n, start) in [(0, None), (10, Some(Timestamp::from_micros(9)))] {
        let jobs = [1, 2, 3].map(|m| job(n + m));
        new.insert(&jobs, Durability::Buffered).unwrap();
        let row = |job: &JobRecord| {
            let columns = "revision, attempt, state, started IS NULL, claimant IS NULL";
            schema.sql(&format!("SELECT {columns} FROM queue WHERE job = '{}'", job.id))
        };
        let before = row(&jobs[1]);
        let record = schema.sql(&format!("SELECT encode(record, 'hex') FROM queue WHERE job = '{}'", jobs[1].id));
        schema.overwrite(jobs[1].id, &[9, b'J', 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let claimed = old.claim(&Claim { start, ..filters(9) }).unwrap();
        let ids: Vec<JobId> = claimed.iter().map(|claimed| claimed.record.id).collect();
        assert_eq!(ids, [jobs[0].id, jobs[2].id], "the good jobs of the batch");
        assert_eq!(row(&jobs[1]), before, "it is as it was");
        let unreadable = old.unreadable();
        let error = unreadable.iter().find(|error| error.job == Some(jobs[1].id)).unwrap();
        assert!(error.to_string().contains("format version 9 is unknown"), "{error}");
        held.extend(ids.into_iter().map(|job| ClaimId { job, token: 0 }));
        assert_eq!(old.renew(&held, Duration::from_hours(1)).unwrap().len(), held.len());
        // A second claim leaves the row unchanged.
        let version = schema.sql(&format!("SELECT xmin FROM queue WHERE job = '{}'", jobs[1].id));
        assert_eq!(old.claim(&Claim { start, ..filters(9) }).unwrap(), []);
        assert_eq!(schema.sql(&format!("SELECT xmin FROM queue WHERE job = '{}'", jobs[1].id)), version);
        // An engine that can read the job claims it at once.
        let hex = record.trim();
        schema.sql(&format!("UPDATE queue SET record = decode('{hex}', 'hex') WHERE job = '{}'", jobs[1].id));
        assert_eq!(claim(&new, 9), [jobs[1].clone()]);
    }
    assert_eq!(new.unreadable(), []);
}

/// An unreadable job with a new revision must not make every look fail.
#[test]
fn a_look_passes_over_what_cannot_be_read() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store();
    let running = start(&store, 1);
    start(&store, 2);
    schema.overwrite(job(2).id, b"nonsense");
    let known = [1, 2, 3].map(|n| job_store::KnownRevision { id: job(n).id, revision: 0 });
    let mut changed = store.changed(&known).unwrap();
    changed.sort_by_key(|(id, _)| *id);
    assert_eq!(changed, [(running.id, Some(running)), (job(3).id, None)]);
}

/// An engine of a later version works on the job, so no other engine removes it.
#[test]
fn what_another_has_claimed_is_not_removed_because_it_cannot_be_read_here() {
    let Some(schema) = Schema::new() else { return };
    let (old, new) = (schema.store(), schema.store());
    new.insert(&[job(1)], Durability::Buffered).unwrap();
    assert_eq!(claim(&new, 1).len(), 1);
    schema.overwrite(job(1).id, &[9, b'J']);
    let refused = old.remove(job(1).id).unwrap_err();
    assert_eq!((refused.kind, refused.job), (ErrorKind::Invalid, Some(job(1).id)));
    new.release(&[ClaimId { job: job(1).id, token: 0 }]).unwrap();
    assert!(old.remove(job(1).id).unwrap());
}

pub fn filters(limit: usize) -> Claim<'static> {
    Claim::new(&[JobKind::VertexFilter], limit, Duration::from_hours(1))
}

pub fn claim(store: &PostgresStore, limit: usize) -> Vec<JobRecord> {
    store.claim(&filters(limit)).unwrap().into_iter().map(|claimed| claimed.record).collect()
}

#[test]
fn a_password_is_in_no_text() {
    let Some(schema) = Schema::new() else { return };
    let url = schema.server.url().replace("postgres@", "postgres:sesame@");
    let store = PostgresStore::open(&url, schema.options.clone()).unwrap();
    let mut said = vec![format!("{store:?}")];
    for url in [
        "postgres://u:sesame@127.0.0.1:1/d",
        "postgres://u:sesame@[",
        "u:sesame",
        "host=/none password=sesame port=x",
    ] {
        let error = PostgresStore::open(url, schema.options.clone()).unwrap_err();
        said.push(format!("{error} {error:?}"));
    }
    assert!(said.iter().all(|text| !text.contains("sesame")), "{said:?}");
}

/// A client that asks for TLS must get neither plain text nor an error that says to try again.
#[test]
fn a_url_that_asks_for_tls_is_refused_where_there_is_none() {
    let Some(schema) = Schema::new() else { return };
    let why = if cfg!(feature = "tls") { "does not support TLS" } else { "does not speak" };
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", schema.server.url());
        let error = PostgresStore::open(&url, schema.options.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// The store must not use the blocking client of the driver, which starts a runtime for every call and so panics
/// on such a thread.
#[test]
fn a_store_is_opened_used_and_dropped_on_a_thread_of_an_async_runtime() {
    let Some(schema) = Schema::new() else { return };
    for runtime in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let mut runtime = runtime;
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let store = schema.store();
            assert!(store.get(job(1).id).unwrap().is_none());
        });
    }
}

#[test]
fn a_damaged_record_or_block_names_the_job_and_hides_no_other() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store();
    let running = start(&store, 1);
    let key = SegmentKey { job: running.id, attempt: 1, number: 0 };
    let mut writer = store.segment(key).unwrap();
    let mut block = BlockBuilder::new(key);
    block.push(&"Sarah").unwrap();
    writer.append(block.seal()).unwrap();
    let segment = writer.finish().unwrap();
    let result = job_core::JobResult {
        list: Some(job_core::RowList::new("vertices", vec![segment])),
        ..job_core::JobResult::default()
    };
    let done = running.apply(Event::Succeed(result.size()), Timestamp::from_micros(6)).unwrap();
    store.complete(&[(&done, &result)], Durability::Buffered).unwrap();
    store.insert(&[job(2), job(3)], Durability::Buffered).unwrap();
    schema.sql("UPDATE blocks SET bytes = set_byte(bytes, 2, get_byte(bytes, 2) # 1)");
    let error = store.read(key, 0..1, &mut |_| unreachable!()).unwrap_err();
    assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(done.id)));
    schema.sql("UPDATE queue SET record = set_byte(record, 20, 255) WHERE job = (SELECT job FROM queue ORDER BY job LIMIT 1)");
    let error = store.get(job(2).id).unwrap_err();
    assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(job(2).id)));
    assert_eq!(store.get(job(3).id).unwrap(), Some(job(3)));
    let mut found = Vec::new();
    verify(&store, &mut |finding| found.push(finding.job)).unwrap();
    assert_eq!(found, [job(2).id, done.id]);
}

#[test]
fn a_server_that_dies_keeps_what_was_acknowledged_and_is_found_again() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let store = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
    store.insert(&[job(1)], Durability::Synced).unwrap();
    server.kill().unwrap();
    // The process of a connection outlives its server for a moment, and its answers still hold.
    let mut acknowledged = 1;
    let error = loop {
        match store.insert(&[job(acknowledged + 1)], Durability::Synced) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(error.kind.is_retryable(), "{error}");
    server.start_again().unwrap();
    let found = store.unfinished().unwrap();
    assert!((1..=acknowledged).all(|n| found.contains(&job(n))), "{acknowledged} of {}", found.len());
    store.insert(&[job(acknowledged + 2)], Durability::Synced).unwrap();
    // The listening connections find the server again too.
    let other = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
    let mut heard = false;
    while !heard {
        other.insert(&[], Durability::Buffered).unwrap();
        heard = store.wait(Duration::from_secs(1)).unwrap();
    }
}

/// The server ends every connection, as in a restart. The next call of each store must not fail.
#[test]
fn a_connection_that_was_lost_while_idle_costs_no_error() {
    let Some(schema) = Schema::new() else { return };
    let name = &schema.options.schema;
    let url = format!("{}?application_name={name}", schema.server.url());
    let store = PostgresStore::open(&url, schema.options.clone()).unwrap();
    let lose = || {
        schema.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
        ));
    };
    for n in 1..20 {
        lose();
        start(&store, n);
    }
    assert_eq!(store.unfinished().unwrap().len(), 19);
    store.insert(&[job(20)], Durability::Buffered).unwrap();
    lose();
    let claimed = store.claim(&Claim { start: Some(Timestamp::from_micros(9)), ..filters(1) }).unwrap();
    assert!(matches!(&*claimed, [one] if one.started && one.record.id == job(20).id), "{claimed:?}");
}

#[test]
fn more_threads_than_connections_wait_for_each_other() {
    let Some(schema) = Schema::new() else { return };
    let options = schema.options.clone().connections(2);
    let store = PostgresStore::open(schema.server.url(), options).unwrap();
    thread::scope(|scope| {
        for n in 1..=16 {
            let store = &store;
            scope.spawn(move || start(store, n));
        }
    });
    assert_eq!(store.unfinished().unwrap().len(), 16);
}

/// The shared server, over a network that a test can break.
pub fn far(schema: &Schema) -> (Proxy, String) {
    let (server, place) = schema.server.url().rsplit_once(':').unwrap();
    let (port, database) = place.split_once('/').unwrap();
    let proxy = Proxy::start(port.parse().unwrap()).unwrap();
    let url = format!("{server}:{}/{database}?application_name={}", proxy.port(), schema.options.schema);
    (proxy, url)
}

#[test]
fn a_call_into_a_black_hole_ends_and_the_next_finds_the_network_again() {
    let Some(schema) = Schema::new() else { return };
    let (network, url) = far(&schema);
    let options = schema.options.clone().timeout(Duration::from_secs(5));
    let store = PostgresStore::open(&url, options.clone()).unwrap();
    store.insert(&[job(1)], Durability::Buffered).unwrap();
    network.hold(true);
    let error = store.get(job(1).id).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("in time"), "{error}");
    let error = PostgresStore::open(&url, options).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    network.hold(false);
    assert_eq!(store.get(job(1).id).unwrap(), Some(job(1)));
}

/// A connection that only listens would wait for ever if a firewall forgets it, and the engine would find work by
/// polling alone.
#[test]
fn a_connection_that_listens_in_a_black_hole_is_replaced() {
    let Some(schema) = Schema::new() else { return };
    let (network, url) = far(&schema);
    let options = schema.options.clone().timeout(Duration::from_secs(3));
    let store = PostgresStore::open(&url, options).unwrap();
    let other = schema.store();
    let hears = || {
        other.insert(&[], Durability::Buffered).unwrap();
        store.wait(Duration::from_secs(1)).unwrap()
    };
    while !hears() {}
    network.swallow();
    // Earlier notices may still arrive.
    while store.wait(Duration::ZERO).unwrap() {}
    while !hears() {}
}

/// The network holds a worker's write until long after its lease. The job has another claimant by then.
#[test]
fn what_a_network_held_back_is_refused_when_it_comes() {
    let Some(schema) = Schema::new() else { return };
    let (network, url) = far(&schema);
    let options = schema.options.clone().timeout(Duration::from_secs(5));
    let slow = PostgresStore::open(&url, options).unwrap();
    slow.insert(&[job(1)], Durability::Buffered).unwrap();
    assert_eq!(claim(&slow, 1), [job(1)]);
    let running = job(1).apply(Event::Start, Timestamp::from_micros(5)).unwrap();
    slow.replace(&running, Durability::Buffered).unwrap();
    slow.save_checkpoint(running.id, 1, b"in time").unwrap();
    let writers = || {
        let count =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INTO checkpoints%' AND application_name";
        schema.sql(&format!("{count} = '{}'", schema.options.schema)).trim().to_owned()
    };
    assert_eq!(writers(), "1");
    network.hold(true);
    let error = slow.save_checkpoint(running.id, 1, b"late").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");

    schema.sql("UPDATE queue SET until = now() - interval '1 second'");
    let other = schema.store();
    assert_eq!(claim(&other, 1), std::slice::from_ref(&running));
    network.hold(false);
    // After the held write the server reads the end of the connection.
    while writers() != "0" {
        thread::yield_now();
    }
    assert_eq!(other.checkpoint(running.id).unwrap().as_deref(), Some(b"in time".as_slice()));
}
