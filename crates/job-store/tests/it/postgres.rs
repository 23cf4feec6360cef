//! What only a store on a server can get wrong.

use std::sync::Arc;

use job_store::{PostgresOptions, PostgresStore, Store, conformance::Fixture};
use test_servers::Shared;

/// An empty schema in the server that all tests share.
pub struct Schema {
    server: Shared,
    options: PostgresOptions,
}

impl Schema {
    /// `None` where there is no PostgreSQL.
    pub fn new() -> Option<Self> {
        let server = Shared::open().unwrap()?;
        Some(Self { server, options: PostgresOptions { schema: Shared::schema(), ..PostgresOptions::default() } })
    }

    pub fn store(&self) -> PostgresStore {
        PostgresStore::open(self.server.url(), self.options.clone()).unwrap()
    }
}

impl Fixture for Schema {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }
}
