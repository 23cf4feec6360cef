//! [`PostgresOptions`]: the schema, connections and time-outs of a store in a database.

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
    /// How long a call may take before it fails with [`Unavailable`](crate::ErrorKind::Unavailable). Connecting
    /// and waiting for a free connection count. The bound also holds when a network drops packets silently, and
    /// the server ends the statement as well. Leases do not depend on it. An engine that is cut off loses its jobs
    /// to others first, and takes new ones at most this much later than it could. Default: 30 s.
    pub timeout: Duration,
    /// Whether the URL leads to a pooler that lends a session for one transaction (PgBouncer's
    /// `pool_mode=transaction`). Without it [`open`](super::PostgresStore::open) refuses such a pooler. Every call
    /// is then a transaction that brings its settings along and leaves none behind. No statement stays prepared,
    /// and no connection listens unless [`listen`](Self::listen) is set. A call costs some 0.3 ms more of the
    /// server's time. Default: false.
    pub pooled: bool,
    /// A URL of the database itself, to listen for notices when the URL of the store leads to a pooler. Without it
    /// a pooled store neither sends nor gets notices, and finds changes of others by polling. Default: none.
    pub listen: Option<String>,
    /// How blocks of rows are packed, in the database and in objects. Default: LZ4. ZSTD is not one of them.
    pub packing: crate::Packing,
    /// The object store for blocks of large results. Without it every block is in the database. Default: none.
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
            packing: crate::Packing::default(),
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

    /// Sets [`packing`](#structfield.packing).
    #[must_use]
    pub const fn packing(mut self, packing: crate::Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Sets [`objects`](#structfield.objects).
    #[cfg(feature = "objects")]
    #[must_use]
    pub fn objects(mut self, objects: super::ObjectOptions) -> Self {
        self.objects = Some(objects);
        self
    }
}

impl fmt::Debug for PostgresOptions {
    /// Leaves out the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PostgresOptions");
        shown
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout);
        shown.field("pooled", &self.pooled).field("listens_elsewhere", &self.listen.is_some());
        shown.field("packing", &self.packing);
        #[cfg(feature = "objects")]
        shown.field("objects", &self.objects);
        shown.finish()
    }
}
