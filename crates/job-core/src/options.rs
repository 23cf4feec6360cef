//! [`JobOptions`]: how a job is run, beside what it computes.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{JobId, Timestamp};

/// How a job is run: its place in the queue, its limits, and the effect of a repeated request. Each option has a
/// default.
///
/// ```
/// use job_core::{JobClass, JobSpec};
///
/// let spec = JobSpec::algorithm("pagerank").with_graph("movies").priority(5).max_rows(1_000).idempotency_key("nightly");
/// assert_eq!(spec.options().priority, 5);
/// assert_eq!(spec.options().class, JobClass::Read);
/// assert_eq!(spec.options().budget.rows, Some(1_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct JobOptions {
    /// A job with a greater priority runs earlier among the jobs of one graph; -128 to 127, 0 by default. A
    /// waiting job gains one step of priority with every ageing interval of the engine, so every job runs in the
    /// end.
    #[serde(deserialize_with = "null_as_default")]
    pub priority: i8,
    /// Which of the two queues the job waits in; [`JobClass::Read`] by default.
    #[serde(deserialize_with = "null_as_default")]
    pub class: JobClass,
    /// The caller's name for this request, at most 256 bytes; none by default. A second submission on the same
    /// graph under the same key gets the first job back, unless that job failed or was cancelled. Another request
    /// under the key is refused.
    pub idempotency_key: Option<String>,
    /// The version of the graph that the job reads, as the host names it, in at most 256 bytes; none by default.
    pub graph_version: Option<String>,
    /// Whether the engine may give back a finished job of the same request on the same graph version; false by
    /// default.
    #[serde(deserialize_with = "null_as_default")]
    pub reuse: bool,
    /// The job fails if it is not complete at this time; `None`, the default, is no deadline.
    pub deadline: Option<Timestamp>,
    /// How many rows, bytes and how much memory the job may use; no limits by default.
    #[serde(deserialize_with = "null_as_default")]
    pub budget: Budget,
    /// Whether the rows so far are kept when a cancel, a budget or the deadline ends the job; false by default.
    #[serde(deserialize_with = "null_as_default")]
    pub keep_rows: bool,
    /// The most attempts of the job, at least 1; 3 by default. An attempt that ends in a transient error or with
    /// the death of the process counts. A shutdown or an outage of the store does not.
    #[serde(deserialize_with = "attempts")]
    pub max_attempts: u32,
    /// For whom the job runs: a user or a service, as the host names them; none by default. Lists can be filtered
    /// by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Labels of the host, such as `nightly` or `team=search`; at most
    /// [`JobSpec::MAX_LABELS`](crate::JobSpec::MAX_LABELS), none by default. Lists can be filtered by them.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// The place in a trace from which the job was submitted, as the header `traceparent` of W3C Trace Context has it;
    /// none by default. It goes to whichever engine runs the job, and is a field of the span around its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<String>,
    /// The body with which a client asked for the job, in at most
    /// [`JobSpec::MAX_RAW_REQUEST`](crate::JobSpec::MAX_RAW_REQUEST) bytes; none by default. Lists show it byte for byte.
    /// Without it they show a body that is made of kind and parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_request: Option<String>,
    /// The names of parameters that the request had and that were left out, as no declaration has them; none by default. An engine
    /// sets it if its host lets requests have such parameters.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "BTreeSet::is_empty")]
    pub ignored: BTreeSet<String>,
    /// The earlier job whose request this job runs again; none by default. It may be removed by now. Nothing but what is
    /// shown of the job depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_of: Option<JobId>,
}

impl JobOptions {
    /// The most attempts of a job by default.
    pub const MAX_ATTEMPTS: u32 = 3;

    /// The default of every option.
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
        owner: None,
        labels: BTreeSet::new(),
        trace_parent: None,
        raw_request: None,
        ignored: BTreeSet::new(),
        again_of: None,
    };
}

/// A `null` counts as an absent field.
fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn attempts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let given = Option::<u32>::deserialize(deserializer)?;
    Ok(given.unwrap_or(JobOptions::MAX_ATTEMPTS))
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The queue of a job: one for jobs that read a graph, one for jobs that change it.
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

/// The most that a job may use; `None`, the default, is no limit. A job above a limit fails with the
/// [`FailureKind`](crate::FailureKind) of that limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Rows of the job's list.
    pub rows: Option<u64>,
    /// Bytes of JSON of those rows, with the comma between every two of a block.
    pub bytes: Option<u64>,
    /// Bytes of memory, as the job's handler reports them.
    pub memory: Option<u64>,
}

#[cfg(test)]
mod tests {
    use crate::{InvalidSpec, JobOptions, JobSpec};

    #[test]
    fn a_field_that_is_null_is_absent() {
        let nulls = r#"{"priority":null,"class":null,"idempotency_key":null,"graph_version":null,"reuse":null,
            "deadline":null,"budget":null,"keep_rows":null,"max_attempts":null,"owner":null,"labels":null,
            "trace_parent":null,"raw_request":null,"ignored":null,"again_of":null}"#;
        assert_eq!(serde_json::from_str::<JobOptions>(nulls).unwrap(), JobOptions::default());
        let budget = r#"{"budget":{"rows":null,"bytes":7,"memory":null}}"#;
        assert_eq!(serde_json::from_str::<JobOptions>(budget).unwrap().budget.bytes, Some(7));
        let spec = r#"{"kind":"vertex_filter","graph":"g","parameters":null,"options":null}"#;
        let absent = JobSpec::vertex_filter().with_graph("g");
        assert_eq!(serde_json::from_str::<JobSpec>(spec).unwrap(), absent);
        let never = serde_json::from_str::<JobOptions>(r#"{"max_attempts":0}"#).unwrap();
        assert_eq!(absent.with_options(never).check(), Err(InvalidSpec::NoAttempt));
        assert_eq!(JobSpec::vertex_filter().with_graph("g").max_attempts(0).check(), Err(InvalidSpec::NoAttempt));
    }
}
