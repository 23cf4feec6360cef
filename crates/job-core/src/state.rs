//! The graph of states: one exhaustive function, from which tables and generators derive.

use std::fmt;

/// The state of a job.
///
/// A cancel request is a flag of `Running`, because a running body stops at its next check. Clients see the
/// request before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Acknowledged, durable, not started.
    Waiting,
    /// A worker runs the job.
    Running {
        /// A cancel was requested; the job has not stopped yet.
        cancelling: bool,
    },
    /// The job has ended, and never changes again.
    Complete(Outcome),
}

/// How a complete job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The whole result of the job is stored.
    Succeeded,
    /// The job ended with a [`Failure`](crate::Failure).
    Failed,
    /// The job was stopped on request.
    Cancelled,
}

/// An event of a job's life, without the data that comes with it (see [`Event`](crate::Event)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A worker takes the job; a new attempt begins.
    Start,
    /// The body ended well and every row is stored.
    Succeed,
    /// The body ended badly.
    Fail,
    /// A caller asks for the end of the job.
    Cancel,
    /// The body stopped because of a cancel request.
    Stop,
    /// The attempt is void after a transient error or the death of the process. The job goes back to the queue.
    Requeue,
    /// The attempt is void. Other jobs ran when the process died, so the fault may be another job's. The job goes
    /// back to the queue, under suspicion.
    Suspect,
    /// The job has run for long enough to be cleared of suspicion.
    Clear,
    /// The deadline passed while the job waited.
    Expire,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Running { cancelling: false },
        Self::Running { cancelling: true },
        Self::Complete(Outcome::Succeeded),
        Self::Complete(Outcome::Failed),
        Self::Complete(Outcome::Cancelled),
    ];

    /// The state after `event`; `None` if the event is not allowed in this state.
    ///
    /// ```
    /// use job_core::{Outcome, EventKind, JobState};
    ///
    /// let running = JobState::Running { cancelling: false };
    /// assert_eq!(JobState::Waiting.next(EventKind::Start), Some(running));
    /// // Who asks to cancel a body that has just finished gets the truth: it succeeded.
    /// let cancelling = running.next(EventKind::Cancel).unwrap();
    /// assert_eq!(cancelling.next(EventKind::Succeed), Some(JobState::Complete(Outcome::Succeeded)));
    /// ```
    #[must_use]
    pub const fn next(self, event: EventKind) -> Option<Self> {
        use EventKind as E;
        match self {
            Self::Waiting => match event {
                E::Start => Some(Self::Running { cancelling: false }),
                E::Cancel => Some(Self::Complete(Outcome::Cancelled)),
                E::Expire => Some(Self::Complete(Outcome::Failed)),
                E::Succeed | E::Fail | E::Stop | E::Requeue | E::Suspect | E::Clear => None,
            },
            Self::Running { cancelling } => match event {
                E::Succeed => Some(Self::Complete(Outcome::Succeeded)),
                E::Fail => Some(Self::Complete(Outcome::Failed)),
                E::Cancel => Some(Self::Running { cancelling: true }),
                // A body may end as cancelled only after a cancel request. A job with a cancel request is not run
                // again.
                E::Stop if cancelling => Some(Self::Complete(Outcome::Cancelled)),
                E::Requeue | E::Suspect if !cancelling => Some(Self::Waiting),
                E::Clear if !cancelling => Some(Self::Running { cancelling }),
                E::Stop | E::Requeue | E::Suspect | E::Clear | E::Start | E::Expire => None,
            },
            Self::Complete(_) => match event {
                E::Start
                | E::Succeed
                | E::Fail
                | E::Cancel
                | E::Stop
                | E::Requeue
                | E::Suspect
                | E::Clear
                | E::Expire => None,
            },
        }
    }

    /// Whether the job will never change again.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Complete(_))
    }

    /// Whether the job holds its idempotency key. A failed or cancelled job does not: a caller who asks again
    /// wants the work done.
    #[must_use]
    pub const fn holds_key(self) -> bool {
        !matches!(self, Self::Complete(Outcome::Failed | Outcome::Cancelled))
    }
}

/// The word for people: `waiting`, `running`, `cancelling`, `succeeded`, `failed` or `cancelled`.
impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting",
            Self::Running { cancelling: false } => "running",
            Self::Running { cancelling: true } => "cancelling",
            Self::Complete(Outcome::Succeeded) => "succeeded",
            Self::Complete(Outcome::Failed) => "failed",
            Self::Complete(Outcome::Cancelled) => "cancelled",
        })
    }
}

impl EventKind {
    /// Every event.
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Succeed,
        Self::Fail,
        Self::Cancel,
        Self::Stop,
        Self::Requeue,
        Self::Suspect,
        Self::Clear,
        Self::Expire,
    ];
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Stop => "stop",
            Self::Requeue => "requeue",
            Self::Suspect => "suspect",
            Self::Clear => "clear",
            Self::Expire => "expire",
        })
    }
}

/// One transition: an edge of the graph of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: JobState,
    /// The event.
    pub event: EventKind,
    /// The state after.
    pub to: JobState,
}

impl Transition {
    /// Every transition, derived from [`JobState::next`].
    ///
    /// ```
    /// use job_core::Transition;
    ///
    /// assert!(Transition::all().all(|edge| !edge.from.is_complete()));
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        JobState::ALL.into_iter().flat_map(|from| {
            EventKind::ALL.into_iter().filter_map(move |event| from.next(event).map(|to| Self { from, event, to }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same table stands in ARCHITECTURE.md; `tests/it/docs.rs` of job-tests compares the two.
    #[test]
    fn the_graph_of_states_is_this_table() {
        let table: Vec<String> =
            Transition::all().map(|edge| format!("{} {} {}", edge.from, edge.event, edge.to)).collect();
        assert_eq!(
            table,
            [
                "waiting start running",
                "waiting cancel cancelled",
                "waiting expire failed",
                "running succeed succeeded",
                "running fail failed",
                "running cancel cancelling",
                "running requeue waiting",
                "running suspect waiting",
                "running clear running",
                "cancelling succeed succeeded",
                "cancelling fail failed",
                "cancelling cancel cancelling",
                "cancelling stop cancelled",
            ]
        );
    }

    #[test]
    fn every_state_can_be_reached_from_waiting() {
        let mut seen = vec![JobState::Waiting];
        let mut at = 0;
        while let Some(&from) = seen.get(at) {
            for edge in Transition::all().filter(|edge| edge.from == from) {
                if !seen.contains(&edge.to) {
                    seen.push(edge.to);
                }
            }
            at += 1;
        }
        assert_eq!(seen.len(), JobState::ALL.len());
    }
}
