//! [`PostgresOptions`]: where in a database a store is, and how it is spoken to.

use std::{fmt, time::Duration};

/// How a [`PostgresStore`](super::PostgresStore) works with its database.
///
/// ```
/// use job_store::PostgresOptions;
///
/// let options = PostgresOptions::default().connections(16);
/// assert_eq!(options.schema, "job_engine");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
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

impl PostgresOptions {
    /// Sets [`schema`](#structfield.schema).
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets [`connections`](#structfield.connections).
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`timeout`](#structfield.timeout).
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`pooled`](#structfield.pooled).
    #[must_use]
    pub const fn pooled(mut self, pooled: bool) -> Self {
        self.pooled = pooled;
        self
    }

    /// Sets [`listen`](#structfield.listen).
    #[must_use]
    pub fn listen(mut self, listen: impl Into<String>) -> Self {
        self.listen = Some(listen.into());
        self
    }

    #[cfg(feature = "objects")]
    /// Sets [`objects`](#structfield.objects).
    #[cfg(feature = "objects")]
    #[must_use]
    pub fn objects(mut self, objects: super::ObjectOptions) -> Self {
        self.objects = Some(objects);
        self
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
