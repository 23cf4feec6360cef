//! [`ManagedJob`]: a job as the management plane of the service shows it.

use serde::Serialize;

use super::{ApiError, listed};
use crate::{JobId, JobRecord, JobState, Outcome};

/// A job as the management plane of the service shows it, in the names of its first version. [`ManagedJobV2`] has the
/// names of the second.
///
/// ```
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp, wire::ManagedJob};
///
/// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
/// let waiting = JobRecord::waiting(id, JobSpec::algorithm("pagerank").with_graph("movies"), Timestamp::default());
/// assert_eq!(serde_json::to_string(&ManagedJob::of(&waiting, "movies", 0))?, concat!(
///     r#"{"jobId":"018bcfe5-6800-7000-8000-000000000000","status":"pending","jobType":"GraphManagement","#,
///     r#""jobName":"Algorithm","relatedGraph":"movies","jobProgress":0.0}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedJob {
    job_id: JobId,
    status: &'static str,
    job_type: &'static str,
    job_name: String,
    related_graph: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    begin_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
    job_progress: f64,
}

impl ManagedJob {
    /// The job of this record on the graph of this name; `percent` is how far it is, while it runs.
    #[must_use]
    pub fn of(record: &JobRecord, graph: &str, percent: u8) -> Self {
        let time = |time| listed::time(time).replace(' ', "T");
        Self {
            job_id: record.id,
            status: match record.state {
                JobState::Waiting => "pending",
                JobState::Running { .. } => "running",
                JobState::Complete(Outcome::Succeeded) => "success",
                JobState::Complete(_) => "failed",
            },
            job_type: "GraphManagement",
            job_name: listed::task_type(record.spec.kind()).into_owned(),
            related_graph: graph.to_owned(),
            begin_time: record.started_at.map(time),
            end_time: record.finished_at.map(time),
            fail_reason: ApiError::of_job(record).map(|error| error.message),
            job_progress: f64::from(listed::progress(record, percent)),
        }
    }

    /// The same job, in the names of the second version.
    #[must_use]
    pub fn into_v2(self) -> ManagedJobV2 {
        let Self {
            job_id,
            status,
            job_type,
            job_name,
            related_graph,
            begin_time,
            end_time,
            fail_reason,
            job_progress,
        } = self;
        ManagedJobV2 {
            job_id,
            status,
            job_type,
            job_name,
            related_graph,
            begin_time,
            end_time,
            fail_reason,
            job_progress,
        }
    }
}

/// As [`ManagedJob`], in the names of the second version: `job_id` in place of `jobId`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedJobV2 {
    job_id: JobId,
    status: &'static str,
    job_type: &'static str,
    job_name: String,
    related_graph: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    begin_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
    job_progress: f64,
}
