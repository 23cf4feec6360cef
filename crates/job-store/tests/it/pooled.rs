//! A store behind a pooler that lends a session for one transaction.

use std::{sync::Arc, thread};

use job_core::JobRecord;
use job_store::{
    Durability, ErrorKind, JobStore, PostgresOptions, PostgresStore, SharedStore, Store,
    conformance::{Fixture, SharedFixture},
};
use test_servers::{Pooler, Shared};

use crate::postgres::{Schema, claim, job, start};

/// An empty schema, and a pooler in front of its server.
pub struct Pooled {
    schema: Schema,
    pooler: Pooler,
}

impl Pooled {
    /// `None` if there is no PostgreSQL or no PgBouncer.
    pub fn new(sessions: usize) -> Option<Self> {
        let schema = Schema::new()?;
        let (_, place) = schema.server.url().rsplit_once(':')?;
        let (port, _) = place.split_once('/')?;
        let pooler = Pooler::start(port.parse().unwrap(), sessions).unwrap()?;
        Some(Self { schema, pooler })
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.pooler.port())
    }

    fn options(&self) -> PostgresOptions {
        let listen = self.schema.server.url();
        self.schema.options.clone().pooled(true).listen(listen)
    }

    fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.url(), self.options()).unwrap()
    }

    /// Runs a statement as another client of the pooler.
    fn sql(&self, sql: &str) -> String {
        self.schema.server.sql_at(&self.url(), sql).unwrap().trim().to_owned()
    }

    /// Whether a lent session has only default settings.
    fn is_clean(&self) -> bool {
        let settings = "SELECT concat_ws(' ', current_setting('search_path'), current_setting('enable_seqscan'),
            current_setting('statement_timeout'), current_setting('synchronous_commit'),
            (SELECT count(*) FROM pg_prepared_statements))";
        self.sql(settings) == "\"$user\", public on 0 on 0"
    }
}

impl Fixture for Pooled {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }
}

impl SharedFixture for Pooled {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(self.store())
    }
}

/// A store that did not find the pooler out would put jobs of two stores into one schema. Other clients of the
/// pooler would get its settings.
#[test]
fn a_pooler_that_lends_sessions_is_found_out_and_refused() {
    for sessions in [1, 3] {
        let Some(pooled) = Pooled::new(sessions) else { return };
        let options = pooled.options().pooled(false);
        let error = PostgresStore::open(&pooled.url(), options).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("`PostgresOptions::pooled`"), "{error}");
        assert!(pooled.is_clean());
    }
}

#[test]
fn two_stores_behind_one_session_keep_apart_and_leave_nothing_behind() {
    let Some(pooled) = Pooled::new(1) else { return };
    let other = pooled.options().schema(Shared::schema());
    let stores = [pooled.store(), PostgresStore::open(&pooled.url(), other).unwrap()];
    thread::scope(|scope| {
        for (store, first) in stores.iter().zip([1, 101]) {
            for n in first..first + 40 {
                scope.spawn(move || start(store, n));
            }
        }
    });
    for (store, first) in stores.iter().zip([1, 101]) {
        let found: Vec<_> = store.unfinished().unwrap().iter().map(|found: &JobRecord| found.id).collect();
        assert_eq!(found, (first..first + 40).map(|n| job(n).id).collect::<Vec<_>>());
    }
    assert!(pooled.is_clean());
}

#[test]
fn a_pooled_store_without_a_place_to_listen_works_by_asking() {
    let Some(pooled) = Pooled::new(2) else { return };
    let mut options = pooled.options();
    options.listen = None;
    let store = PostgresStore::open(&pooled.url(), options).unwrap();
    store.insert(&[job(1), job(2)], Durability::Synced).unwrap();
    assert_eq!(claim(&store, 1), [job(1)]);
    assert!(
        store.insert(&[job(2)], Durability::Buffered).is_err_and(|error| error.kind == ErrorKind::AlreadyExists)
    );
    assert!(pooled.is_clean());
}

#[test]
fn the_url_to_listen_at_is_in_no_text() {
    let options = PostgresOptions::default().listen("postgres://u:sesame@h/d");
    assert!(!format!("{options:?}").contains("sesame"));
}
