//! [`Explanation`]: why a job waits, its progress, or why it ended.

use std::{fmt, time::Duration};

use job_core::{Failure, JobId, JobKind, JobRecord, JobState, Outcome, ResultSize, Timestamp, shown};
use job_store::LONGEST_PAUSE;

use crate::{
    api::snapshot::Look,
    decide::queue::Position,
    engine::core::EngineCore,
    job::{place::Place, progress::Progress},
};

/// The explanation of a job's state. Its `Display` is one sentence.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Explanation {
    /// No handler of this engine can run the job. It waits for an engine that has one.
    NoHandler(JobKind),
    /// The job waits for a worker, after other jobs of its graph.
    Queued {
        /// The number of jobs of the same graph and class that run before this one.
        ahead: usize,
    },
    /// The graph of the job has as many running jobs as the limit for one graph.
    GraphBusy {
        /// The graph.
        graph: String,
        /// The number of running jobs.
        running: usize,
    },
    /// The class of the job has as many running jobs as the limit for the class.
    ClassBusy {
        /// The number of running jobs.
        running: usize,
    },
    /// The job ran when its process died, and so did others. One such job runs at a time, and another one does
    /// now.
    Suspect,
    /// The last attempt of the job failed for a passing reason. The job waits for its next attempt.
    Delayed {
        /// The earliest start of the next attempt.
        until: Timestamp,
        /// The error.
        failure: Option<Failure>,
    },
    /// A worker is about to start the job, or the engine is shutting down.
    Starting,
    /// On a shared store: the job waits for an engine with a free worker.
    WaitingForEngine,
    /// On a shared store: another engine runs the job.
    RunningRemotely {
        /// The number of the running attempt.
        attempt: u32,
        /// The time since the start of the attempt, by the clock of the engine that runs it.
        since: Duration,
    },
    /// On a shared store: this engine ran the job, and did not renew its lease in time. The job waits again as
    /// soon as this engine can say so, or another engine takes it.
    LeaseLost,
    /// It runs.
    Running {
        /// The progress of the job.
        progress: Progress,
        /// The time since the start of the attempt.
        since: Duration,
    },
    /// The job runs, and its body waits for these jobs.
    Awaiting {
        /// The awaited jobs, each once.
        jobs: Vec<JobId>,
    },
    /// The job was asked to stop, and its body has not stopped yet.
    Cancelling {
        /// The time of the cancel request.
        requested: Timestamp,
        /// The time since the request.
        since: Duration,
    },
    /// It succeeded.
    Succeeded(ResultSize),
    /// The job failed, for this reason.
    Failed(Failure),
    /// The job was cancelled.
    Cancelled {
        /// The time of the request, if the job ran then. A waiting job ends at once.
        requested: Option<Timestamp>,
        /// The end of the job.
        stopped: Option<Timestamp>,
    },
}

impl Explanation {
    /// Why a complete job ended; `None` for an unfinished one. Only its engine can explain that.
    #[must_use]
    pub fn of_end(record: &JobRecord) -> Option<Self> {
        let JobState::Complete(ending) = record.state else { return None };
        Some(match ending {
            Outcome::Succeeded => Self::Succeeded(record.size),
            Outcome::Failed => Self::Failed(
                record
                    .failure
                    .clone()
                    .unwrap_or_else(|| Failure::new(job_core::FailureKind::Handler, "no reason was recorded")),
            ),
            Outcome::Cancelled => {
                Self::Cancelled { requested: record.cancel_requested_at, stopped: record.finished_at }
            }
        })
    }

    /// The explanation of a job from one reading of its state. `progress` was read at the same moment.
    pub(crate) fn of(engine: &EngineCore, look: &Look, progress: &Progress) -> Self {
        let record = &look.record;
        if let Some(end) = Self::of_end(record) {
            return end;
        }
        let now = engine.clock.now();
        let since = now.since(record.started_at.unwrap_or(now));
        match record.state {
            _ if matches!(look.place, Place::LeaseLost(_)) => Self::LeaseLost,
            JobState::Waiting if !look.here => {
                match record.not_before.filter(|due| !JobRecord::is_over(Some(*due), now, LONGEST_PAUSE)) {
                    Some(until) => Self::Delayed { until, failure: record.failure.clone() },
                    None => Self::WaitingForEngine,
                }
            }
            JobState::Waiting if matches!(look.place, Place::Unhandled) => {
                Self::NoHandler(record.spec.kind().clone())
            }
            JobState::Waiting => Self::of_waiting(engine, record),
            JobState::Running { cancelling: true } => {
                let requested = record.cancel_requested_at.unwrap_or(now);
                Self::Cancelling { requested, since: now.since(requested) }
            }
            _ if !look.here => Self::RunningRemotely { attempt: record.attempt, since },
            _ => {
                let mut jobs: Vec<JobId> = engine.scheduler().waits(record.id).collect();
                jobs.sort_unstable();
                jobs.dedup();
                if jobs.is_empty() {
                    Self::Running { progress: progress.clone(), since }
                } else {
                    Self::Awaiting { jobs }
                }
            }
        }
    }

    fn of_waiting(engine: &EngineCore, record: &JobRecord) -> Self {
        let position = engine.scheduler().queue.position(record.id);
        match position {
            Some(Position::Behind(ahead)) => Self::Queued { ahead },
            Some(Position::GraphBusy(running)) => {
                Self::GraphBusy { graph: record.spec.graph().to_owned(), running }
            }
            Some(Position::ClassBusy(running)) => Self::ClassBusy { running },
            Some(Position::Suspect) => Self::Suspect,
            Some(Position::Delayed(until)) => Self::Delayed { until, failure: record.failure.clone() },
            // A worker has taken the job since the look.
            None => Self::Starting,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHandler(kind) => {
                let kind = kind.to_string();
                write!(f, "it waits: no handler for {} is registered in this engine", shown(&kind))
            }
            Self::Queued { ahead: 0 } => f.write_str("it waits for a free worker and is next of its graph"),
            Self::Queued { ahead } => write!(f, "it waits behind {ahead} jobs of its graph"),
            Self::GraphBusy { graph, running } => {
                let graph = shown(graph);
                write!(f, "it waits: graph {graph} already runs {running} jobs, as many as one graph may")
            }
            Self::ClassBusy { running } => {
                write!(f, "it waits: {running} jobs of its class run, as many as the class may")
            }
            Self::Suspect => f.write_str(
                "it waits: its process died while it and others ran, and until it is known which of them does that, they \
                 run one after another",
            ),
            Self::Delayed { failure: Some(failure), .. } => {
                write!(f, "it waits to be tried again after: {failure}")
            }
            Self::Delayed { failure: None, .. } => f.write_str("it waits for its time"),
            Self::WaitingForEngine => f.write_str("it waits for an engine that has a free worker"),
            Self::RunningRemotely { attempt, since } => {
                write!(f, "another engine has been running it for {since:.1?} (attempt {attempt})")
            }
            Self::LeaseLost => f.write_str(
                "this engine lost its lease on it, because it did not reach the store in time: it runs again, \
                 here or in another",
            ),
            Self::Starting => f.write_str("it is about to start"),
            Self::Running { progress, since } => match progress.total {
                0 => write!(f, "it has been running for {since:.1?}"),
                total => {
                    write!(f, "it has been running for {since:.1?}: {} of {total} steps are done", progress.done)
                }
            },
            Self::Awaiting { jobs } => {
                let names: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                write!(f, "it waits for job {}", names.join(", job "))
            }
            Self::Cancelling { since, .. } => {
                write!(f, "it was asked to stop {since:.1?} ago and has not checked for it yet")
            }
            Self::Succeeded(size) => write!(f, "it succeeded with {} rows", size.rows),
            Self::Failed(failure) => write!(f, "it failed: {failure}"),
            Self::Cancelled { .. } => f.write_str("it was cancelled"),
        }
    }
}
