//! [`Expected`]: one job of the model, and the outcomes of its attempts.

use std::{ops::RangeInclusive, time::Duration};

use job_runner::{FailureKind, JobId, JobSpec, JobState, Outcome, Timestamp};

use crate::script::{self, End, Script, Step};

/// One job.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Expected {
    pub(super) id: JobId,
    pub(super) spec: JobSpec,
    pub(super) script: Script,
    pub(super) late: bool,
    pub(super) state: JobState,
    pub(super) revision: u64,
    pub(super) attempt: u32,
    pub(super) failed: u32,
    pub(super) failure: Option<FailureKind>,
    pub(super) submitted: Timestamp,
    pub(super) not_before: Option<Timestamp>,
    /// Whether its time had come when the engine last looked. A clock that jumps back does not change that.
    pub(super) due: bool,
    pub(super) finished: Option<Timestamp>,
    pub(super) last_read: Option<Timestamp>,
    /// The rows of the job's result; `None` without a result.
    pub(super) rows: Option<Vec<u64>>,
    /// The state that the job saved last for its next attempt.
    pub(super) saved: Option<Vec<u8>>,
    pub(super) pinned: bool,
    pub(super) removed: bool,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) state: JobState,
    pub(super) failure: Option<FailureKind>,
    pub(super) rows: Option<Vec<u64>>,
    /// For a job that waits again, the time at which another attempt may start.
    pub(super) due: Option<RangeInclusive<u64>>,
    /// The time afterwards.
    pub(super) now: Timestamp,
    /// The times at which the body had due work done.
    pub(super) ticks: Vec<Timestamp>,
    pub(super) saved: Option<Vec<u8>>,
}

/// Why a body stopped early.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Told,
    OverBudget,
}

/// A running body of the model, which interprets the script.
struct Play<'e> {
    job: &'e Expected,
    now: Timestamp,
    rows: Vec<u64>,
    output: bool,
    cancelling: bool,
    told: Option<FailureKind>,
    ticks: Vec<Timestamp>,
    saved: Option<Vec<u8>>,
    muted: bool,
    ignored: Option<usize>,
}

pub(super) fn later(time: Timestamp, millis: u32) -> Timestamp {
    Timestamp::from_micros(time.as_micros() + u64::from(millis) * 1_000)
}

impl Expected {
    pub(super) fn is_waiting(&self) -> bool {
        !self.removed && self.state == JobState::Waiting
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state.is_complete()
    }

    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        self.spec.options().deadline.is_some_and(|deadline| now >= deadline)
    }

    /// The end of the job or the time when it was last read, whichever is later.
    pub(super) fn used(&self) -> Timestamp {
        self.finished.max(self.last_read).unwrap_or_default()
    }

    /// The outcome of an attempt that starts at `now` without a fault. With `muted`, ticks have no effect.
    /// `ignored` is the number of cancels before one that is refused.
    pub(super) fn fate(&self, now: Timestamp, muted: bool, ignored: Option<usize>) -> Fate {
        let mut play = Play {
            job: self,
            now,
            rows: Vec::new(),
            output: false,
            cancelling: false,
            told: None,
            ticks: Vec::new(),
            saved: self.saved.clone(),
            muted,
            ignored,
        };
        let mut base = 0;
        let mut stopped = None;
        for (at, &step) in self.script.steps.iter().enumerate() {
            if step == Step::Save {
                play.saved = Some(script::saved(self.attempt + 1, at));
            }
            stopped = play.step(step, &mut base);
            if stopped.is_some() {
                break;
            }
        }
        play.end(stopped)
    }
}

impl Play<'_> {
    fn step(&mut self, step: Step, base: &mut u64) -> Option<Stop> {
        match step {
            Step::Rows(count) => {
                self.output = true;
                let first = *base;
                *base += u64::from(count);
                self.push(first..*base)
            }
            Step::Scan(ids, size) => {
                self.output = true;
                let first = *base;
                *base += u64::from(ids);
                let mut partition = 0;
                while partition < u64::from(ids) {
                    let end = (partition + u64::from(size)).min(u64::from(ids));
                    let kept = (partition..end).filter(|id| id % 3 != 0).map(|id| first + id);
                    let stopped = self.checkpoint().or_else(|| self.push(kept));
                    if stopped.is_some() {
                        return stopped;
                    }
                    partition = end;
                }
                None
            }
            Step::Value => {
                self.output = true;
                None
            }
            Step::Checkpoint => self.checkpoint(),
            Step::Cancel if self.ignores() => None,
            Step::Cancel => {
                self.cancelling = true;
                self.told.get_or_insert(FailureKind::Handler);
                None
            }
            Step::Pass(millis) => {
                self.now = later(self.now, millis);
                None
            }
            Step::Tick if self.muted => None,
            Step::Tick => {
                self.ticks.push(self.now);
                if self.job.is_past(self.now) {
                    self.told.get_or_insert(FailureKind::Deadline);
                }
                None
            }
            Step::Peek | Step::Save => None,
        }
    }

    fn ignores(&mut self) -> bool {
        let now = self.ignored == Some(0);
        self.ignored = self.ignored.and_then(|left| left.checked_sub(1));
        now
    }

    fn push(&mut self, rows: impl Iterator<Item = u64>) -> Option<Stop> {
        for row in rows {
            if self.job.spec.options().budget.rows.is_some_and(|most| self.rows.len() as u64 >= most) {
                return Some(Stop::OverBudget);
            }
            self.rows.push(row);
        }
        None
    }

    fn checkpoint(&mut self) -> Option<Stop> {
        if self.job.is_past(self.now) {
            self.told.get_or_insert(FailureKind::Deadline);
        }
        self.told.map(|_| Stop::Told)
    }

    fn end(self, stopped: Option<Stop>) -> Fate {
        let failed = JobState::Complete(Outcome::Failed);
        let cancelled = JobState::Complete(Outcome::Cancelled);
        let again = matches!(self.job.script.end, End::Transient(most) if self.job.attempt < most);
        let (state, failure) = match (stopped, self.job.script.end) {
            (Some(Stop::OverBudget), _) => (failed, Some(FailureKind::RowBudget)),
            (Some(Stop::Told), _) if self.cancelling => (cancelled, None),
            (Some(Stop::Told), _) => (failed, Some(FailureKind::Deadline)),
            (None, End::Fail) => (failed, Some(FailureKind::Handler)),
            (None, End::Panic) => (failed, Some(FailureKind::Panicked)),
            (None, End::Transient(_)) if again => self.transient(FailureKind::Handler),
            (None, _) => (JobState::Complete(Outcome::Succeeded), None),
        };
        let keeps = state == cancelled
            || matches!(failure, Some(FailureKind::Deadline | FailureKind::RowBudget)) && state == failed;
        let kept = keeps && self.job.spec.options().keep_rows && self.output;
        let has_result = kept || state == JobState::Complete(Outcome::Succeeded);
        Fate {
            state,
            failure,
            due: (state == JobState::Waiting).then(|| pause(self.now, self.job.failed + 1)),
            rows: has_result.then_some(self.rows),
            now: self.now,
            ticks: self.ticks,
            saved: self.saved.filter(|_| state == JobState::Waiting),
        }
    }

    /// An attempt that failed for the moment.
    fn transient(&self, kind: FailureKind) -> (JobState, Option<FailureKind>) {
        let most = self.job.spec.options().max_attempts;
        if self.cancelling {
            (JobState::Complete(Outcome::Cancelled), None)
        } else if self.job.failed + 1 >= most {
            (JobState::Complete(Outcome::Failed), Some(kind))
        } else {
            (JobState::Waiting, Some(kind))
        }
    }
}

/// The time at which the next attempt may start after this number of failures, in microseconds.
pub(super) fn pause(now: Timestamp, failures: u32) -> RangeInclusive<u64> {
    let full = Duration::from_millis(200).saturating_mul(1 << (failures - 1)).min(Duration::from_mins(1));
    let full = u64::try_from(full.as_micros()).unwrap();
    now.as_micros() + full / 2..=now.as_micros() + full
}
