//! [`JobOptions`]: how a job is run, beside what it computes.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How a job is run: its place in the queue, its limits, what a repeated request means. All of it has defaults.
///
/// ```
/// use job_core::{JobClass, JobSpec};
///
/// let spec = JobSpec::algorithm("pagerank").graph("movies").priority(5).max_rows(1_000).idempotency_key("nightly");
/// assert_eq!(spec.options().priority, 5);
/// assert_eq!(spec.options().class, JobClass::Read);
/// assert_eq!(spec.options().budget.rows, Some(1_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct JobOptions {
    /// Greater runs earlier among the jobs of one graph; 0 by default. A waiting job gains one step of priority
    /// with every ageing interval of the engine, so none waits for ever.
    pub priority: i8,
    /// Which of the two queues it waits in.
    pub class: JobClass,
    /// A name of the caller's for this request: a second submission on the same graph under the same key gets
    /// the first job back.
    pub idempotency_key: Option<String>,
    /// The version of the graph that the job reads, as the host names it.
    pub graph_version: Option<String>,
    /// Whether a finished job of the same request on the same graph version may be given back instead.
    pub reuse: bool,
    /// When it is over, done or not.
    pub deadline: Option<Timestamp>,
    /// How much it may use.
    pub budget: Budget,
    /// Whether the rows so far are kept when it is cancelled or a budget or the deadline ends it.
    pub keep_rows: bool,
    /// How often it may start, after a transient error or the death of the process; 3 by default. Neither a shutdown nor
    /// an outage of the store counts.
    pub max_attempts: u32,
}

impl JobOptions {
    /// How often a job may start when nothing else is said.
    pub const MAX_ATTEMPTS: u32 = 3;

    /// What holds when nothing is said.
    pub(crate) const DEFAULT: Self = Self {
        priority: 0,
        class: JobClass::Read,
        idempotency_key: None,
        graph_version: None,
        reuse: false,
        deadline: None,
        budget: Budget { rows: None, bytes: None, memory: None },
        keep_rows: false,
        max_attempts: Self::MAX_ATTEMPTS,
    };
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Which queue a job waits in: work that reads a graph, work that changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobClass {
    /// Filters and algorithms.
    #[default]
    Read,
    /// Imports, index builds and the like.
    Write,
}

impl JobClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// `read` or `write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The most that a job may use; `None` is no limit. A job that goes over fails with a reason of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Rows of its list.
    pub rows: Option<u64>,
    /// Bytes of JSON of those rows, with the comma between every two of a block.
    pub bytes: Option<u64>,
    /// Bytes of memory, as its handler reports them.
    pub memory: Option<u64>,
}
