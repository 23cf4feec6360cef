//! [`PostgresOptions`]: where in a database a store is, and how it is spoken to.

use std::{fmt, time::Duration};

/// How a [`PostgresStore`](super::PostgresStore) works with its database.
///
/// ```
/// use job_store::PostgresOptions;
///
/// let options = PostgresOptions { connections: 16, ..PostgresOptions::default() };
/// assert_eq!(options.schema, "job_engine");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The schema that holds the tables, made when it is missing; stores in two schemas share nothing. Default:
    /// `job_engine`.
    pub schema: String,
    /// The most connections that calls use at once; one more listens. A call waits for a free one. Default: 8.
    pub connections: usize,
    /// How long a call may take before it fails with [`Unavailable`](crate::ErrorKind::Unavailable). The time includes
    /// connecting and waiting for a free connection. The bound also holds when a network drops everything silently.
    /// The server gives the statement up as well. It has no effect on leases, which end by the clock. An engine that
    /// is cut off loses its jobs to others first, and takes new ones at most this much later than it could. Default:
    /// 30 s.
    pub timeout: Duration,
    /// Whether the URL leads to a pooler that lends a session for one transaction (PgBouncer's
    /// `pool_mode=transaction`), which [`open`](super::PostgresStore::open) refuses otherwise. Then every call is a
    /// transaction that brings its settings along and leaves none behind. No statement stays prepared, and nothing
    /// listens unless [`listen`](Self::listen) says where. A call costs some 0.3 ms more of the server's time.
    /// Default: false.
    pub pooled: bool,
    /// Where to listen for what others do, when the URL of the store leads to a pooler: a URL of the database itself.
    /// Without, a pooled store neither sends nor gets notices, so changes of others are found by asking. Default:
    /// none.
    pub listen: Option<String>,
    /// Where blocks of large results go as objects; without, every block is in the database. Default: none.
    #[cfg(feature = "objects")]
    pub objects: Option<super::ObjectOptions>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "job_engine".to_owned(),
            connections: 8,
            timeout: Duration::from_secs(30),
            pooled: false,
            listen: None,
            #[cfg(feature = "objects")]
            objects: None,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    /// Without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PostgresOptions");
        shown
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout);
        shown.field("pooled", &self.pooled).field("listens_elsewhere", &self.listen.is_some());
        #[cfg(feature = "objects")]
        shown.field("objects", &self.objects);
        shown.finish()
    }
}
