//! [`JobRecord`]: one job as it is stored, and [`Event`]: the changes of a job.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{EventKind, JobId, JobSpec, JobState, Timestamp};

/// One job as it is stored.
///
/// A record is never changed in place: [`apply`](Self::apply) returns the next one with `revision + 1`. A store
/// replaces the old record only if its revision is unchanged (compare-and-set).
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// The id of the job.
    pub id: JobId,
    /// The request; shared, because it never changes while the record does.
    pub spec: Arc<JobSpec>,
    /// The state of the job.
    pub state: JobState,
    /// Counts the changes; 0 at submission.
    pub revision: u64,
    /// Counts the starts; 0 before the first. Every row is written under the attempt that made it.
    pub attempt: u32,
    /// Counts the attempts that failed by their own fault: transient errors, and deaths of the process that only this
    /// job can have caused. Orderly shutdowns and outages of the store do not count. Reaching
    /// [`JobOptions::max_attempts`](crate::JobOptions::max_attempts) ends it.
    pub failed_attempts: u32,
    /// When the job was submitted.
    pub submitted_at: Timestamp,
    /// When the latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When a running job was first asked to stop.
    pub cancel_requested_at: Option<Timestamp>,
    /// When the job became complete.
    pub finished_at: Option<Timestamp>,
    /// The earliest start of a waiting job whose latest attempt failed for the moment.
    pub not_before: Option<Timestamp>,
    /// Why the job failed; of a waiting job, why its latest attempt gave no result. A running job keeps a failure
    /// of the kind [`Interrupted`](FailureKind::Interrupted) while it is [under suspicion](JobRecord::is_suspect).
    pub failure: Option<Failure>,
    /// The size of the result; zero until the job is complete, and for most jobs that did not succeed.
    pub size: ResultSize,
    /// The progress of the last attempt of a cancelled job when it stopped, in percent; `None` without an attempt.
    pub progress: Option<u8>,
    /// Fields that a later version of this library has added.
    pub later: LaterFields,
}

/// A tag and its bytes.
type LaterField = (u8, Vec<u8>);

/// Fields of a record that a later version of this library has written. This version does not know their meaning,
/// and keeps them. So a job loses no field when engines of two versions change it.
///
/// ```
/// use job_core::LaterFields;
///
/// let fields: LaterFields = [(200, b"00-4bf92f35".to_vec())].into_iter().collect();
/// assert_eq!(fields.iter().collect::<Vec<_>>(), [(200, b"00-4bf92f35".as_slice())]);
/// assert_eq!(LaterFields::default().iter().count(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaterFields(Option<Arc<[LaterField]>>);

impl LaterFields {
    /// The fields, each with its tag, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().flat_map(|fields| fields.iter()).map(|(tag, value)| (*tag, value.as_slice()))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<(u8, Vec<u8>)> for LaterFields {
    fn from_iter<I: IntoIterator<Item = (u8, Vec<u8>)>>(fields: I) -> Self {
        let fields: Vec<_> = fields.into_iter().collect();
        Self(if fields.is_empty() { None } else { Some(fields.into()) })
    }
}

/// An event of a job's life, with its data.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker takes the job: a new attempt begins.
    Start,
    /// The body ended well; the same write stores the result, which has this size.
    Succeed(ResultSize),
    /// The body ended badly.
    Fail(Failure),
    /// A caller asks for the end of the job.
    Cancel,
    /// The body stopped because of a cancel request.
    Stop,
    /// The attempt is void for this reason. The job goes back to the queue, and does not start before the given
    /// time.
    Requeue(Failure, Option<Timestamp>),
    /// The attempt is void for this reason, and it is not known whether the job is at fault. The job goes back to
    /// the queue, under suspicion.
    Suspect(Failure),
    /// The job has run for long enough to be cleared of suspicion.
    Clear,
    /// The deadline passed while the job waited.
    Expire(Failure),
}

impl Event {
    /// The event without its data.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Start => EventKind::Start,
            Self::Succeed(_) => EventKind::Succeed,
            Self::Fail(_) => EventKind::Fail,
            Self::Cancel => EventKind::Cancel,
            Self::Stop => EventKind::Stop,
            Self::Requeue(..) => EventKind::Requeue,
            Self::Suspect(_) => EventKind::Suspect,
            Self::Clear => EventKind::Clear,
            Self::Expire(_) => EventKind::Expire,
        }
    }
}

impl JobRecord {
    /// A job just submitted.
    #[must_use]
    pub fn waiting(id: JobId, spec: impl Into<Arc<JobSpec>>, now: Timestamp) -> Self {
        Self {
            id,
            spec: spec.into(),
            state: JobState::Waiting,
            revision: 0,
            attempt: 0,
            failed_attempts: 0,
            submitted_at: now,
            started_at: None,
            cancel_requested_at: None,
            finished_at: None,
            not_before: None,
            failure: None,
            size: ResultSize::default(),
            progress: None,
            later: LaterFields::default(),
        }
    }

    /// The record after `event` at `now`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the job's state does not allow the event. Nothing has changed then.
    pub fn apply(&self, event: Event, now: Timestamp) -> Result<Self, IllegalTransition> {
        let kind = event.kind();
        let state =
            self.state.next(kind).ok_or(IllegalTransition { id: self.id, state: self.state, event: kind })?;
        let mut next = Self { state, revision: self.revision + 1, ..self.clone() };
        match event {
            Event::Start => {
                next.attempt += 1;
                next.started_at = Some(now);
                next.not_before = None;
                // Suspicion lasts until it is cleared.
                next.failure = next.failure.filter(|_| self.is_suspect());
            }
            Event::Succeed(size) => {
                next.size = size;
                next.failure = None;
            }
            Event::Clear | Event::Stop => next.failure = None,
            Event::Fail(failure) | Event::Expire(failure) => next.failure = Some(failure),
            Event::Requeue(failure, not_before) => {
                next.failed_attempts += u32::from(failure.kind.blames_the_job());
                // An orderly shutdown clears no job.
                if !(failure.kind == FailureKind::Shutdown && self.is_suspect()) {
                    next.failure = Some(failure);
                }
                next.not_before = not_before;
            }
            Event::Suspect(failure) => {
                next.failure = Some(failure);
                // The time of the discovery. Jobs that had started before it may have died of the same cause.
                next.not_before = Some(now);
            }
            Event::Cancel if !state.is_complete() => {
                next.cancel_requested_at = next.cancel_requested_at.or(Some(now));
            }
            Event::Cancel => {}
        }
        if state.is_complete() {
            next.finished_at = Some(now);
        }
        Ok(next)
    }

    /// Whether the pause before the next attempt is over, for a job whose pauses last at most `longest`. A pause
    /// that would last longer comes from a clock that was ahead, and is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use job_core::{JobRecord, Timestamp};
    ///
    /// let (now, minute) = (Timestamp::from_micros(1_000_000_000), Duration::from_secs(60));
    /// assert!(JobRecord::is_over(None, now, minute));
    /// assert!(!JobRecord::is_over(Some(now.after(minute)), now, minute));
    /// assert!(JobRecord::is_over(Some(now.after(minute * 60)), now, minute)); // set by a clock that was an hour ahead
    /// ```
    #[must_use]
    pub fn is_over(not_before: Option<Timestamp>, now: Timestamp, longest: Duration) -> bool {
        not_before.is_none_or(|due| due <= now || due > now.after(longest))
    }

    /// Whether the job is under suspicion: it ran when its process died, and has not been cleared since. An engine
    /// runs one such job at a time, and blames it if its process dies again meanwhile.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        let interrupted = |failure: &Failure| failure.kind == FailureKind::Interrupted;
        !self.state.is_complete() && self.failure.as_ref().is_some_and(interrupted)
    }

    /// Adds the progress of the attempt at its stop, in percent.
    #[must_use]
    pub const fn stopped_at(mut self, percent: u8) -> Self {
        self.progress = Some(percent);
        self
    }

    /// Adds the size of the kept rows of a job that did not succeed.
    #[must_use]
    pub fn keeping(mut self, rows: ResultSize) -> Self {
        self.size = rows;
        self
    }
}

/// An event that the job's state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("job {id} is {state}: it cannot {event}")]
pub struct IllegalTransition {
    /// The id of the job.
    pub id: JobId,
    /// The present state of the job.
    pub state: JobState,
    /// The event that was refused.
    pub event: EventKind,
}

/// How large a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResultSize {
    /// Rows in the job's list.
    pub rows: u64,
    /// Bytes of their JSON, with the comma between every two of a block.
    pub bytes: u64,
}

/// Why a job failed, or why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of the reason.
    pub kind: FailureKind,
    /// One sentence for people.
    pub message: String,
}

impl Failure {
    /// The longest message, in bytes. A longer one is cut, and then ends in `...`.
    pub const MAX_MESSAGE: usize = 4 << 10;

    /// A failure of `kind` with this message, cut to [`MAX_MESSAGE`](Self::MAX_MESSAGE).
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(Self::MAX_MESSAGE - ELLIPSIS.len()));
            message.push_str(ELLIPSIS);
            message.shrink_to_fit();
        }
        Self { kind, message }
    }
}

const ELLIPSIS: &str = "...";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The class of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error.
    Handler,
    /// The handler panicked.
    Panicked,
    /// The process died while the job ran, or its engine did not renew its lease.
    Interrupted,
    /// The engine was shut down while the job ran, had no worker for the started job, or could not reach the
    /// store. The job is not at fault.
    Shutdown,
    /// The rows or the result of the job could not be stored.
    Store,
    /// The deadline of the job passed.
    Deadline,
    /// The job had more rows than its budget allows.
    RowBudget,
    /// The rows of the job had more bytes than its budget allows.
    ByteBudget,
    /// The job used more memory than its budget allows.
    MemoryBudget,
}

impl FailureKind {
    /// Whether an attempt that ended for this reason counts against the most attempts of the job.
    const fn blames_the_job(self) -> bool {
        !matches!(self, Self::Shutdown | Self::Store)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Outcome, strategies};

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn record() -> JobRecord {
        JobRecord::waiting(JobId::from_parts(at(0), [1; 10]), JobSpec::vertex_filter().with_graph("g"), at(0))
    }

    proptest! {
        #[test]
        fn any_walk_keeps_the_invariants(events in prop::collection::vec(strategies::events(), 0..40)) {
            let mut record = record();
            for (step, event) in events.into_iter().enumerate() {
                let (before, kind) = (record.clone(), event.kind());
                match record.apply(event, at(step as u64 + 1)) {
                    Ok(next) => {
                        prop_assert_eq!(before.state.next(kind), Some(next.state));
                        prop_assert_eq!(next.revision, before.revision + 1);
                        prop_assert_eq!(next.attempt, before.attempt + u32::from(kind == EventKind::Start));
                        record = next;
                    }
                    Err(refused) => {
                        prop_assert_eq!(before.state.next(kind), None);
                        prop_assert_eq!(refused.state, before.state);
                    }
                }
                let running = matches!(record.state, JobState::Running { .. });
                prop_assert!(!(running && record.not_before.is_some()));
                prop_assert_eq!(record.finished_at.is_some(), record.state.is_complete());
                prop_assert_eq!(record.started_at.is_some(), record.attempt > 0);
                let failed = record.state == JobState::Complete(Outcome::Failed);
                prop_assert!(!failed || record.failure.is_some());
                // A running job has a failure only as long as it is under suspicion, and a good end leaves none.
                prop_assert!(!running || record.failure.is_none() || record.is_suspect());
                let succeeded = record.state == JobState::Complete(Outcome::Succeeded);
                prop_assert!(!succeeded || record.failure.is_none());
                let blameless = matches!(kind, EventKind::Suspect | EventKind::Clear | EventKind::Start);
                prop_assert!(!blameless || record.failed_attempts == before.failed_attempts);
                prop_assert!(succeeded || record.size == ResultSize::default());
            }
        }
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let failure = |message: String| Failure::new(FailureKind::Handler, message).message;
        assert_eq!(failure("x".repeat(4_096)).len(), 4_096);
        let cut = failure("\u{83ce}".repeat(1 << 20));
        assert_eq!((cut.len(), cut.trim_start_matches('\u{83ce}')), (4_095, "..."));
        assert!(cut.capacity() < 8_192, "{}", cut.capacity());
    }

    #[test]
    fn neither_a_shutdown_nor_an_outage_of_the_store_spends_an_attempt() {
        use FailureKind as F;
        let running = record().apply(Event::Start, at(1)).unwrap();
        for (kind, spent) in [(F::Shutdown, 0), (F::Store, 0), (F::Handler, 1), (F::Interrupted, 1)] {
            let waiting = running.apply(Event::Requeue(Failure::new(kind, "no"), None), at(2)).unwrap();
            assert_eq!(waiting.failed_attempts, spent, "{kind:?}");
        }
    }

    #[test]
    fn a_second_cancel_keeps_the_time_of_the_first() {
        let running = record().apply(Event::Start, at(1)).unwrap();
        let once = running.apply(Event::Cancel, at(2)).unwrap();
        let twice = once.apply(Event::Cancel, at(3)).unwrap();
        assert_eq!(twice.cancel_requested_at, Some(at(2)));
    }

    #[test]
    fn suspicion_outlives_starts_and_shutdowns_and_ends_when_it_is_cleared() {
        let died = || Failure::new(FailureKind::Interrupted, "died");
        let shut = Failure::new(FailureKind::Shutdown, "shut down");
        let running = record().apply(Event::Start, at(1)).unwrap();
        assert!(!running.is_suspect());
        let mut suspect = running.apply(Event::Suspect(died()), at(2)).unwrap();
        assert_eq!((suspect.failed_attempts, suspect.not_before), (0, Some(at(2))));
        for event in [Event::Start, Event::Requeue(shut, None), Event::Start] {
            suspect = suspect.apply(event, at(3)).unwrap();
            assert!(suspect.is_suspect() && suspect.failure == Some(died()), "{suspect:?}");
        }
        let transient = Failure::new(FailureKind::Handler, "again");
        assert!(!suspect.apply(Event::Requeue(transient, None), at(4)).unwrap().is_suspect(), "it has ended");
        assert!(suspect.apply(Event::Requeue(died(), None), at(4)).unwrap().is_suspect(), "it is blamed");
        let cleared = suspect.apply(Event::Clear, at(4)).unwrap();
        assert_eq!((cleared.state, &cleared.failure, cleared.is_suspect()), (running.state, &None, false));
    }

    #[test]
    fn an_illegal_transition_is_a_sentence() {
        let error = record().apply(Event::Stop, at(1)).unwrap_err();
        assert!(error.to_string().ends_with("is waiting: it cannot stop"), "{error}");
    }
}
