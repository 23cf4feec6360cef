//! [`PostgresStore`]: jobs and rows in PostgreSQL, for several engines on several machines.
//!
//! Every call is one statement and so one transaction. Nothing is locked between calls, and a process that is stopped
//! in the middle of a call delays no other. The fence of every write is the job's row in the table `queue`, locked and
//! compared by the write itself.

mod address;
mod ahead;
mod blocks;
mod connection;
mod failure;
mod fence;
mod filtered;
mod insert;
mod jobs;
mod notices;
#[cfg(feature = "objects")]
mod objects;
mod options;
mod pool;
mod results;
mod runtime;
mod schema;
mod segment;
mod session;
mod settings;
mod sharing;
#[cfg(feature = "tls")]
mod tls;
mod wait;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};

use job_core::{Event, JobId, JobKind, JobRecord, JobState, Timestamp};
use parking_lot::Mutex;
use tokio_postgres::Row;
use uuid::Uuid;

#[cfg(feature = "objects")]
pub use self::objects::ObjectOptions;
pub use self::options::PostgresOptions;
use self::{
    address::Address,
    ahead::Ahead,
    connection::{Connection, Parameters},
    failure::Failed,
    notices::Notices,
    pool::Pool,
    runtime::Runtime,
};
use crate::{Durability, ErrorKind, Listed, Seats, StoreError, codec};

const POOLED: &str = "a pooler between lends a session for one transaction only, and what a store sets there would be \
                      others' as well: set `PostgresOptions::pooled`, or name the database itself or a pooler that keeps \
                      a session for a client (`pool_mode=session`)";

/// Keeps jobs and rows in a PostgreSQL database, version 15 or later, which any number of engines share.
///
/// Clones are one claimant and share their connections. The store may be called from any thread, also one of an
/// async runtime. It drives its sockets on one thread of its own. A call blocks its thread. A lost connection
/// fails the call with `Unavailable`, and the next call connects anew.
///
/// # Durability
/// `Synced` is a commit with the server's own `synchronous_commit`, but never `off`. It is on the server's disk,
/// and on that of its standbys where it has some. `Buffered` survives the death of the engine. When the *server*
/// dies, the last buffered writes may be lost (up to three times `wal_writer_delay`, 0.6 s), but never older ones.
/// Rows are buffered. An engine that outlives its server may have written rows that are lost. So each result is
/// compared with its rows when it is stored. It is refused as `Lost` if some are missing, and the attempt runs
/// again.
///
/// # Objects
/// With the feature `objects` and `PostgresOptions::objects`, blocks of segments that outgrow a limit are put into a
/// directory or an object store. An object has several MiB. Records, results and small segments stay in the database.
/// An object is acknowledged (in a directory: synced) before its row is written, behind the same fence as a block, and
/// counts from then on. So rows of a result are as durable as the object store or `Synced`, whichever is less. Cost: a
/// page is one ranged read for each object that it lies in, and two statements. A page no larger than an object lies
/// in two at most. Blocks are checked when they come from the object store. Objects that nothing names any more are
/// deleted in the background.
///
/// # Other databases
/// The statements use features that databases with PostgreSQL's protocol share: upserts, statements in `WITH` that
/// write, arrays for batches, `LATERAL`. On such a database look at these points. Migrations use
/// `pg_advisory_xact_lock`; where it does nothing, open the first store alone. News come by `LISTEN`/`NOTIFY`;
/// where it is missing, [`wait`](crate::SharedStore::wait) waits for the whole time-out, and engines poll. Claims
/// and fences need `FOR UPDATE SKIP LOCKED` and `FOR SHARE`. Where `synchronous_commit` has no effect, every write
/// is `Synced`. A pooler either keeps a session for each client, or needs [`PostgresOptions::pooled`].
///
/// ```no_run
/// use job_store::{PostgresOptions, PostgresStore, Store};
///
/// let store = PostgresStore::open("postgres://engine:secret@db.example/graphs", PostgresOptions::default())?;
/// assert!(store.unfinished()?.is_empty());
/// # Ok::<(), job_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    options: PostgresOptions,
    /// The id of this claimant. Every opened store is a claimant of its own.
    claimant: Uuid,
    /// The seat of the engine that is this claimant.
    seats: Seats,
    /// Jobs that claims have found unreadable here. They are not claimed again.
    unreadable: Mutex<BTreeMap<JobId, StoreError>>,
    /// Where claims begin to look.
    ahead: Mutex<Ahead>,
    /// When an engine that waits looks at the version of the tables again; at once where it is not set.
    version_due: Mutex<Option<Instant>>,
    notices: Arc<Notices>,
    /// The object store for blocks of large segments; `None` if they go to the database.
    #[cfg(feature = "objects")]
    objects: Option<objects::Objects>,
    /// How many jobs this store has ended.
    ended: std::sync::atomic::AtomicU64,
    runtime: Runtime,
}

impl PostgresStore {
    /// Opens the store in the database at `url` (`postgres://user:password@host:port/database`, or the same as
    /// `key=value` words), and makes its tables or brings them up to date.
    ///
    /// `sslmode=require`, `verify-ca` and `verify-full` use TLS (feature `tls`). Each of the three checks the
    /// server's certificate and its host name, by the roots of the system or those in the PEM file `sslrootcert`.
    /// `disable` and `prefer`, the default, are plain text.
    ///
    /// # Errors
    /// `Invalid` when the URL is not valid, or when the database refuses the user. Also for a fault of TLS: the
    /// server or this build has none, or the certificate is not accepted. `Format` when a later version made the
    /// tables. `Unavailable` when the database cannot be reached. With objects also `Invalid` when the bucket does
    /// not exist or the keys are wrong, and `Unavailable` when the object store does not answer.
    pub fn open(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let call = Call::opening("open the store");
        #[cfg(feature = "objects")]
        if let Some(objects) = &options.objects {
            let place = objects::Place::open(call, objects)?;
            return Self::open_at(url, options, place);
        }
        let store = Self { inner: Arc::new(Inner::open(call, url, options)?) };
        store.fill()?;
        Ok(store)
    }

    /// Runs one statement. If the connection is lost, sends the statement once more on another one.
    fn run(&self, call: Call, sql: &'static str, parameters: Parameters<'_>) -> Result<Ran, Failed> {
        let mut uncertain = false;
        let rows = self.run_telling(call, sql, parameters, &mut uncertain)?;
        Ok(Ran { rows, uncertain })
    }

    /// As [`run`](Self::run). Also returns whether the statement was sent twice, even if it was refused.
    fn run_telling(
        &self,
        call: Call,
        sql: &'static str,
        parameters: Parameters<'_>,
        uncertain: &mut bool,
    ) -> Result<Vec<Row>, Failed> {
        let deadline = self.inner.pool.deadline();
        let query = |connection: &mut Connection| connection.query(call.durability, sql, parameters, deadline);
        match self.on_one(call, deadline, query) {
            Err(failed) if failed.is_lost() && Instant::now() < deadline => {
                *uncertain = true;
                self.on_one(call, deadline, query)
            }
            outcome => outcome,
        }
    }

    /// Runs one statement on one connection, and again after a conflict with others.
    fn on_one<T>(
        &self,
        call: Call,
        deadline: Instant,
        mut statement: impl FnMut(&mut Connection) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        const MOST: usize = 5;
        let mut collisions = 0;
        loop {
            match self.inner.pool.with(call, deadline, &mut statement) {
                Err(failed) if failed.is_collision() && collisions < MOST => collisions += 1,
                outcome => return outcome,
            }
        }
    }

    fn rows(&self, call: Call, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        self.run(call, sql, parameters).map(|ran| ran.rows).map_err(|failed| failed.on(call))
    }

    fn record(&self, call: Call, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let rows = self.rows(call, "SELECT id, record, started FROM jobs WHERE id = $1", &[&uuid(id)])?;
        rows.first().map(|row| record(call, row)).transpose()
    }
}

impl Inner {
    fn open(call: Call, url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        options.packing.check_of_blocks(call.operation)?;
        let address = Address::parse(url).map_err(|detail| call.failed(ErrorKind::Invalid, detail))?;
        let runtime = Runtime::start().map_err(|error| {
            call.failed(ErrorKind::Unavailable, format!("no thread is to be had for its sockets: {error}"))
        })?;
        let claimant = Uuid::new_v4();
        let listening = match (&options.listen, options.pooled) {
            (Some(url), _) => Some(Address::parse(url).map_err(|detail| call.failed(ErrorKind::Invalid, detail))?),
            (None, true) => None,
            (None, false) => Some(address.clone()),
        };
        let pool = Pool::new(address, &options, runtime.handle().clone());
        let deadline = pool.deadline();
        if !options.pooled && pool.is_lent(call, deadline) {
            return Err(call.failed(ErrorKind::Invalid, POOLED));
        }
        let migrated =
            pool.with(call, deadline, |connection| schema::migrate(connection, &options.schema, call, deadline));
        migrated.map_err(|failed| failed.on(call))?;
        let inner = Self {
            pool,
            options,
            claimant,
            seats: Seats::default(),
            unreadable: Mutex::default(),
            ahead: Mutex::default(),
            version_due: Mutex::default(),
            notices: Arc::default(),
            #[cfg(feature = "objects")]
            objects: None,
            ended: std::sync::atomic::AtomicU64::default(),
            runtime,
        };
        if let Some(address) = listening {
            inner.listen(address);
        }
        Ok(inner)
    }
}

/// The rows of a statement.
struct Ran {
    rows: Vec<Row>,
    /// Whether the statement was sent twice, because the connection was lost. The first statement may have taken
    /// effect.
    uncertain: bool,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        f.debug_struct("PostgresStore")
            .field("options", &inner.options)
            .field("claimant", &inner.claimant)
            .finish_non_exhaustive()
    }
}

/// The purpose of a statement.
#[derive(Debug, Clone, Copy)]
struct Call {
    operation: &'static str,
    job: Option<JobId>,
    durability: Durability,
    /// Whether the call opens the store. The reason of its refusal is then a fault of the set-up.
    opens: bool,
}

impl Call {
    /// A call that reads, or whose writes are only buffered.
    const fn new(operation: &'static str) -> Self {
        Self { operation, job: None, durability: Durability::Buffered, opens: false }
    }

    /// A call that opens a database or an object store.
    const fn opening(operation: &'static str) -> Self {
        Self { opens: true, ..Self::new(operation) }
    }

    const fn on(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    const fn durable(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

fn uuid(id: JobId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// A count as a signed number of SQL. No count comes near the end of the range.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The number of a state in `queue.state`; `None` for a complete job.
const fn state_number(state: JobState) -> Option<i16> {
    match state {
        JobState::Waiting => Some(0),
        JobState::Running { cancelling: false } => Some(1),
        JobState::Running { cancelling: true } => Some(2),
        JobState::Complete(_) => None,
    }
}

/// The bytes of a kind in `queue.kind`.
fn kind_bytes(kind: &JobKind) -> Vec<u8> {
    match kind {
        JobKind::VertexFilter => b"v".to_vec(),
        JobKind::EdgeFilter => b"e".to_vec(),
        JobKind::Algorithm(name) => [b"a", name.as_bytes()].concat(),
        JobKind::Action(name) => [b"h", name.as_bytes()].concat(),
    }
}

/// The bytes of a key in `names`. The length keeps `("a", "bc")` apart from `("ab", "c")`.
fn name(graph: &str, key: &str) -> Vec<u8> {
    let length = (graph.len() as u64).to_be_bytes();
    [length.as_slice(), graph.as_bytes(), key.as_bytes()].concat()
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    call: Call,
    row: &'a Row,
    at: usize,
) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| call.corrupt(&format!("a column cannot be read: {error}")))
}

fn id_column(call: Call, row: &Row, at: usize) -> Result<JobId, StoreError> {
    column::<Uuid>(call, row, at).map(|id| JobId::from_bytes(id.into_bytes()))
}

/// The record of a row `(id, record, started)`.
fn record(call: Call, row: &Row) -> Result<JobRecord, StoreError> {
    let (id, started): (_, Option<i64>) = (id_column(call, row, 0)?, column(call, row, 2)?);
    let record = codec::decode_record(id, column(call, row, 1)?).map_err(|error| call.on(id).corrupt(&error))?;
    let Some(started) = started else { return Ok(record) };
    record
        .apply(Event::Start, Timestamp::from_micros(started.unsigned_abs()))
        .map_err(|error| call.on(id).corrupt(&format!("it cannot have been started: {error}")))
}

/// The entry of a row `(id, record, started)`.
fn entry(call: Call, row: &Row) -> Result<Listed, StoreError> {
    Listed::of(id_column(call, row, 0)?, record(call, row))
}

fn entries(call: Call, rows: &[Row]) -> Result<Vec<Listed>, StoreError> {
    rows.iter().map(|row| entry(call, row)).collect()
}

fn records(call: Call, rows: &[Row]) -> Result<Vec<JobRecord>, StoreError> {
    rows.iter().map(|row| record(call, row)).collect()
}
