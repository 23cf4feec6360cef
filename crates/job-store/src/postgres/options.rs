//! [`PostgresOptions`]: where in a database a store is, and how it is spoken to.

use std::time::Duration;

/// How a [`PostgresStore`](super::PostgresStore) works with its database.
///
/// ```
/// use job_store::PostgresOptions;
///
/// let options = PostgresOptions { connections: 16, ..PostgresOptions::default() };
/// assert_eq!(options.schema, "job_engine");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The schema that holds the tables, made when it is missing; stores in two schemas share nothing. Default:
    /// `job_engine`.
    pub schema: String,
    /// The most connections that calls use at once; one more listens. A call waits for a free one. Default: 8.
    pub connections: usize,
    /// How long a call may take, connecting and waiting for a free connection included, before it fails with
    /// [`Unavailable`](crate::ErrorKind::Unavailable), also when a network swallows everything without a word. The
    /// server gives the statement up as well. It says nothing about leases, which end by the clock: an engine that hears
    /// nothing loses its jobs to others first, and takes new ones at most this much later than it could. Default: 30 s.
    pub timeout: Duration,
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
            #[cfg(feature = "objects")]
            objects: None,
        }
    }
}
