//! [`Overview`]: a job with its progress and its explanation, for people.

use std::{collections::BTreeSet, time::Duration};

use job_runner::{
    Engine, Explanation, Failure, JobRecord, JobSnapshot, JobState, Parameters, Progress, TaskProgress, Timestamp,
    Unreadable,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::{FailureBody, Part};

/// A job with all there is to say about it. Times are milliseconds since 1970, UTC.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    job_id: String,
    /// `vertex_filter`, `edge_filter` or the name of an algorithm.
    kind: String,
    /// `waiting`, `running`, `cancelling`, `succeeded`, `failed` or `cancelled`; `unreadable` of a job whose record cannot be
    /// read, of which nothing else is known but why.
    state: String,
    /// Counts the starts.
    #[schema(format = "uint32")]
    attempt: u32,
    /// Rows of the result; of a running job, those that are stored so far.
    #[schema(format = "uint64")]
    rows: u64,
    /// Bytes of JSON of the rows; 0 until the job is complete.
    #[schema(format = "uint64")]
    bytes: u64,
    /// The name of the list of rows; empty if there is none.
    list: String,
    /// The most attempts that may fail.
    #[schema(format = "uint32")]
    max_attempts: u32,
    /// Attempts that failed by the job's own fault.
    #[schema(format = "uint32")]
    failed_attempts: u32,
    /// The earliest start of the next attempt, after one that failed for the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    not_before: Option<u64>,
    /// Why the job failed; of a waiting job, why its last attempt gave no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FailureBody>)]
    failure: Option<Failure>,
    /// In a list, the parameters of the job, if they are short.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    request: Option<Parameters>,
    /// The names of parameters that the request had and that were left out.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ignored: BTreeSet<String>,
    #[schema(format = "uint64")]
    submitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    started: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    finished: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Steps>,
    /// Why the job waits, its progress, or why it ended.
    why: Why,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Steps {
    #[schema(format = "uint64")]
    done: u64,
    /// 0 while unknown.
    #[schema(format = "uint64")]
    total: u64,
    /// Milliseconds that are probably left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    remaining: Option<u64>,
    /// Named parts.
    #[schema(value_type = Vec<Part>)]
    tasks: Vec<TaskProgress>,
}

/// An explanation, for people (`sentence`) and for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Why {
    /// One word for the reason.
    reason: &'static str,
    /// In English.
    sentence: String,
    /// How many jobs are ahead or run, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    jobs: Option<usize>,
}

impl Overview {
    /// The longest parameters in a list, in bytes of JSON.
    const LISTED: usize = 2 << 10;

    /// The overview of a listed job. A running job is read again.
    pub(crate) fn listed(job: &Result<JobRecord, Unreadable>, engine: &Engine) -> Self {
        match job {
            Ok(record) => {
                let parameters = record.spec.parameters();
                let request = (parameters.as_str().len() <= Self::LISTED).then(|| parameters.clone());
                Self { request, ..Self::of(record, engine) }
            }
            Err(unreadable) => Self::unreadable(unreadable),
        }
    }

    /// A job whose record cannot be read.
    fn unreadable(job: &Unreadable) -> Self {
        let unreadable = "unreadable";
        Self {
            job_id: job.job.to_string(),
            kind: String::new(),
            state: unreadable.to_owned(),
            attempt: 0,
            rows: 0,
            bytes: 0,
            list: String::new(),
            max_attempts: 0,
            failed_attempts: 0,
            not_before: None,
            failure: None,
            request: None,
            ignored: BTreeSet::new(),
            submitted: 0,
            started: None,
            finished: None,
            progress: None,
            why: Why { reason: unreadable, sentence: job.reason.clone(), jobs: None },
        }
    }

    /// The overview of a job. An unfinished job is read again, so that all fields are of one moment.
    pub(crate) fn of(record: &JobRecord, engine: &Engine) -> Self {
        let ended = Explanation::of_end(record);
        if ended.is_none()
            && let Ok(Some(job)) = engine.job(record.id)
            && job.refresh().is_ok()
        {
            return job.snapshot().into();
        }
        let why = ended.as_ref().map_or_else(Why::unknown, Why::of);
        Self::new(record, why, None, (record.size.rows, None))
    }

    /// The same without the time that is left.
    pub(crate) fn without_time(mut self) -> Self {
        if let Some(progress) = &mut self.progress {
            progress.remaining = None;
        }
        if self.why.reason == "running" { self.without_sentence() } else { self }
    }

    /// The same without the sentence, which may have a time.
    pub(crate) fn without_sentence(mut self) -> Self {
        self.why.sentence.clear();
        self
    }

    fn new(record: &JobRecord, why: Why, progress: Option<Steps>, (rows, list): (u64, Option<String>)) -> Self {
        Self {
            job_id: record.id.to_string(),
            kind: record.spec.kind().to_string(),
            state: record.state.to_string(),
            attempt: record.attempt,
            rows,
            bytes: record.size.bytes,
            list: list.unwrap_or_default(),
            max_attempts: record.spec.options().max_attempts,
            failed_attempts: record.failed_attempts,
            not_before: record.not_before.map(millis),
            failure: record.failure.clone(),
            request: None,
            ignored: record.spec.options().ignored.clone(),
            submitted: millis(record.submitted_at),
            started: record.started_at.map(millis),
            finished: record.finished_at.map(millis),
            progress,
            why,
        }
    }
}

impl From<JobSnapshot> for Overview {
    fn from(job: JobSnapshot) -> Self {
        let running = matches!(job.record.state, JobState::Running { .. });
        let progress = running.then(|| Steps::of(job.progress));
        Self::new(&job.record, Why::of(&job.explanation), progress, (job.rows, job.list))
    }
}

impl Steps {
    fn of(progress: Progress) -> Self {
        let remaining = progress.remaining.map(duration_millis);
        Self { done: progress.done, total: progress.total, remaining, tasks: progress.tasks }
    }
}

impl Why {
    fn unknown() -> Self {
        Self { reason: "unknown", sentence: String::new(), jobs: None }
    }

    fn of(explanation: &Explanation) -> Self {
        let (reason, jobs) = match explanation {
            Explanation::NoHandler(_) => ("noHandler", None),
            Explanation::Queued { ahead } => ("queued", Some(*ahead)),
            Explanation::GraphBusy { running, .. } => ("graphBusy", Some(*running)),
            Explanation::ClassBusy { running } => ("classBusy", Some(*running)),
            Explanation::Delayed { .. } => ("delayed", None),
            Explanation::Suspect => ("suspect", None),
            Explanation::Starting => ("starting", None),
            Explanation::Running { .. } => ("running", None),
            Explanation::Cancelling { .. } => ("cancelling", None),
            Explanation::Succeeded(_) => ("succeeded", None),
            Explanation::Failed(_) => ("failed", None),
            Explanation::Cancelled { .. } => ("cancelled", None),
            _ => ("other", None),
        };
        Self { reason, sentence: explanation.to_string(), jobs }
    }
}

pub(crate) fn millis(time: Timestamp) -> u64 {
    time.as_micros() / 1_000
}

pub(crate) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use job_runner::{JobContext, JobSpec, Outcome, store::MemoryStore, wire::Dialect};

    use super::*;
    use crate::entry::{Place, listed};

    /// The record and the progress must be read together. Otherwise a job could be shown as succeeded and at its
    /// beginning.
    #[test]
    fn what_is_told_of_a_job_that_ends_meanwhile_is_of_one_moment() {
        let (started, starts) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let ends = Mutex::new(ends);
        let body = move |ctx: &mut JobContext| {
            ctx.set_progress(3, 4);
            ctx.rows("score")?.push(&1)?;
            started.send(()).unwrap();
            ends.lock().unwrap().recv().unwrap();
            Ok(())
        };
        let store = Arc::new(MemoryStore::default());
        let engine = Engine::builder(store).workers(1).algorithm("gated", body).open().unwrap();
        let job = engine.submit(JobSpec::algorithm("gated").with_graph("g")).unwrap();
        starts.recv().unwrap();
        let running = job.record();
        let told = |running: &JobRecord| {
            let overview = serde_json::to_value(Overview::of(running, &engine)).unwrap();
            let entry =
                serde_json::to_value(listed(&Ok(running.clone()), &engine, Dialect::Document, &Place::default()))
                    .unwrap();
            let texts = [&overview["state"], &overview["why"]["reason"], &entry["status"], &entry["progress"]];
            (texts.map(|text| text.as_str().unwrap().to_owned()), overview["progress"]["done"].as_u64())
        };
        assert_eq!(told(&running), (["running", "running", "running", "75"].map(str::to_owned), Some(3)));
        end.send(()).unwrap();
        assert_eq!(job.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
        assert_eq!(told(&running), (["succeeded", "succeeded", "complete", "100"].map(str::to_owned), None));
    }
}
