//! [`Job`]: a job as the commands show it, from a store or a server.

use std::{collections::BTreeSet, fmt};

use anstyle::AnsiColor;
use clap::ValueEnum;
use job_runner::{JobId, JobRecord, JobState, Outcome, Parameters, Timestamp, Unreadable};

/// A job as the commands show it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: JobId,
    /// `vertex_filter`, `edge_filter` or the name of an algorithm; empty of one that cannot be read.
    pub(super) work: String,
    pub(super) graph: String,
    pub(super) owner: Option<String>,
    pub(super) labels: BTreeSet<String>,
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The parameters of the request, where they came with the job.
    pub(super) parameters: Option<Parameters>,
    pub(super) submitted: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    /// The progress of a running job in percent, if it is known.
    pub(super) progress: Option<u64>,
    /// Why the job failed, or why its record cannot be read.
    pub(super) why: Option<String>,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    Waiting,
    Running,
    /// Running, and asked to stop
    Cancelling,
    Succeeded,
    Failed,
    Cancelled,
    /// Its record is damaged, or of a later version
    Unreadable,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unreadable => "unreadable",
        }
    }

    /// The state with this name. An unknown name is of a later version.
    pub(super) fn named(name: &str) -> Self {
        let states = Self::value_variants().iter();
        states.copied().find(|state| state.as_str() == name).unwrap_or(Self::Unreadable)
    }

    /// The stored state; `None` for an unreadable job.
    pub(super) const fn stored(self) -> Option<JobState> {
        match self {
            Self::Waiting => Some(JobState::Waiting),
            Self::Running => Some(JobState::Running { cancelling: false }),
            Self::Cancelling => Some(JobState::Running { cancelling: true }),
            Self::Succeeded => Some(JobState::Complete(Outcome::Succeeded)),
            Self::Failed => Some(JobState::Complete(Outcome::Failed)),
            Self::Cancelled => Some(JobState::Complete(Outcome::Cancelled)),
            Self::Unreadable => None,
        }
    }

    /// The word, in the colour of the state.
    pub(super) fn paint(self, text: &str) -> String {
        let colour = match self {
            Self::Waiting => return text.to_owned(),
            Self::Running => AnsiColor::Cyan,
            Self::Succeeded => AnsiColor::Green,
            Self::Cancelling | Self::Cancelled => AnsiColor::Yellow,
            Self::Failed | Self::Unreadable => AnsiColor::Red,
        };
        let style = colour.on_default();
        format!("{style}{text}{style:#}")
    }

    pub(super) const fn is_complete(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The word of a status query.
    pub(super) const fn wire(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running | Self::Cancelling => "running",
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Unreadable => "complete",
        }
    }
}

impl From<JobState> for State {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Waiting => Self::Waiting,
            JobState::Running { cancelling: false } => Self::Running,
            JobState::Running { cancelling: true } => Self::Cancelling,
            JobState::Complete(Outcome::Succeeded) => Self::Succeeded,
            JobState::Complete(Outcome::Failed) => Self::Failed,
            JobState::Complete(Outcome::Cancelled) => Self::Cancelled,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&JobRecord> for Job {
    fn from(record: &JobRecord) -> Self {
        Self {
            id: record.id,
            work: record.spec.kind().to_string(),
            graph: record.spec.graph().to_owned(),
            owner: record.spec.options().owner.clone(),
            labels: record.spec.options().labels.clone(),
            state: record.state.into(),
            attempt: record.attempt,
            rows: record.size.rows,
            bytes: record.size.bytes,
            parameters: Some(record.spec.parameters().clone()),
            submitted: Some(record.submitted_at),
            started: record.started_at,
            finished: record.finished_at,
            progress: None,
            why: record.failure.as_ref().map(|failure| failure.message.clone()),
        }
    }
}

impl From<&Unreadable> for Job {
    fn from(unreadable: &Unreadable) -> Self {
        Self {
            id: unreadable.job,
            work: String::new(),
            graph: String::new(),
            owner: None,
            labels: BTreeSet::new(),
            state: State::Unreadable,
            attempt: 0,
            rows: 0,
            bytes: 0,
            parameters: None,
            submitted: None,
            started: None,
            finished: None,
            progress: None,
            why: Some(unreadable.reason.clone()),
        }
    }
}

impl From<Result<JobRecord, Unreadable>> for Job {
    fn from(entry: Result<JobRecord, Unreadable>) -> Self {
        match &entry {
            Ok(record) => record.into(),
            Err(unreadable) => unreadable.into(),
        }
    }
}
