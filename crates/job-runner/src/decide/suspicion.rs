//! Decides which job is blamed for the death of a process: only a job that ran as the only suspect. All functions
//! are pure but the last one.
//!
//! If several jobs ran when a process died, each may have caused it. So each is a suspect, and none is blamed. The
//! [`queue`](crate::decide::queue) then runs one suspect at a time, beside jobs that are none. A suspect that
//! ends, or runs for long enough, is cleared. One whose process dies meanwhile is blamed, and fails after its last
//! allowed death.

use std::time::Duration;

use job_core::{Event, Failure, FailureKind, JobRecord, JobState, Timestamp};

/// How long a suspect runs until it is cleared, after its first death.
const PERIOD: Duration = Duration::from_mins(1);

/// The facts about the death of a process, from the unfinished jobs that it left.
#[derive(Debug, Default)]
pub(crate) struct Death {
    running: usize,
    /// How many of the found jobs were suspects already.
    suspects: usize,
    /// The time when the latest earlier death was found, whose suspects have not all run since.
    found: Option<Timestamp>,
}

impl Death {
    pub(crate) fn of<'r>(left: impl IntoIterator<Item = &'r JobRecord>) -> Self {
        let mut death = Self::default();
        for record in left {
            let running = matches!(record.state, JobState::Running { .. });
            death.running += usize::from(running);
            death.suspects += usize::from(running && record.is_suspect());
            if !running && record.is_suspect() {
                death.found = death.found.max(record.not_before);
            }
        }
        death
    }

    /// Whether this job, one of the unfinished ones, is to blame.
    pub(crate) fn blames(&self, record: &JobRecord) -> bool {
        // A job that started before `found` belongs to an earlier death. The process that took up the jobs of that
        // death died before it had taken up this one.
        let earlier = self.found.is_some_and(|found| record.started_at.is_none_or(|started| started < found));
        let only = match self.suspects {
            0 => self.running == 1,
            1 => record.is_suspect(),
            _ => false,
        };
        matches!(record.state, JobState::Running { .. }) && only && !earlier
    }
}

/// The fate of a job whose process died while it ran.
pub(crate) fn verdict(record: &JobRecord, is_blamed: bool, how: &str) -> Event {
    if record.state == (JobState::Running { cancelling: true }) {
        return Event::Stop;
    }
    let failure = |reason| Failure::new(FailureKind::Interrupted, reason);
    let deaths = record.failed_attempts.saturating_add(1);
    let most = record.spec.options().max_attempts;
    // A job with one attempt is not run again, blamed or not.
    if most <= 1 || is_blamed && deaths >= most {
        Event::Fail(failure(format!("{how} (attempt {deaths} of {most})")))
    } else if is_blamed {
        Event::Requeue(failure(how.to_owned()), None)
    } else {
        Event::Suspect(failure(format!("{how}, which may have been because of another")))
    }
}

/// How long a suspect runs until it is cleared. The time doubles with each attempt, so that a job is found even if
/// it takes long to kill its process.
pub(crate) fn period(record: &JobRecord) -> Duration {
    let again = record.attempt.saturating_sub(2);
    PERIOD.saturating_mul(1u32.checked_shl(again).unwrap_or(u32::MAX))
}

/// When a running suspect is cleared.
pub(crate) fn cleared_at(record: &JobRecord) -> Option<Timestamp> {
    let runs = record.state == JobState::Running { cancelling: false };
    let started = record.started_at.filter(|_| runs && record.is_suspect())?;
    Some(started.after(period(record)))
}

/// The event for a running job whose engine lives, but could not reach the store until its lease had ended.
pub(crate) fn cut_off(record: &JobRecord) -> Event {
    if record.state == (JobState::Running { cancelling: true }) {
        return Event::Stop;
    }
    Event::Requeue(Failure::new(FailureKind::Shutdown, CUT_OFF), None)
}

/// Why such a job waits again.
pub(crate) const CUT_OFF: &str = "its engine could not reach the store in time while it ran";

#[cfg(test)]
mod tests {
    use job_core::{EventKind, JobId, JobSpec};

    use super::*;

    const HOW: &str = "the process died while it ran";

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn job(n: u8) -> JobRecord {
        JobRecord::waiting(JobId::from_bytes([n; 16]), JobSpec::vertex_filter().with_graph("g"), at(0))
    }

    fn suspect(n: u8, found: u64) -> JobRecord {
        running(&job(n), 1).apply(verdict(&running(&job(n), 1), false, HOW), at(found)).unwrap()
    }

    fn running(waiting: &JobRecord, started: u64) -> JobRecord {
        waiting.apply(Event::Start, at(started)).unwrap()
    }

    #[test]
    fn only_what_dies_alone_is_blamed() {
        let cancelling = |n| running(&job(n), 5).apply(Event::Cancel, at(6)).unwrap();
        let cases: [(&str, Vec<JobRecord>, &[u8]); 9] = [
            ("alone", vec![running(&job(1), 5), job(2)], &[1]),
            ("two that nothing is known of", vec![running(&job(1), 5), running(&job(2), 5)], &[]),
            ("beside one that was to be cancelled", vec![running(&job(1), 5), cancelling(2)], &[]),
            (
                "a suspect beside others",
                vec![running(&suspect(1, 3), 5), running(&job(2), 5), running(&job(3), 5)],
                &[1],
            ),
            ("a suspect alone", vec![running(&suspect(1, 3), 5), suspect(2, 3)], &[1]),
            ("two suspects", vec![running(&suspect(1, 3), 5), running(&suspect(2, 3), 5)], &[]),
            ("a suspect that waits", vec![suspect(1, 3), running(&job(2), 5), running(&job(3), 5)], &[]),
            ("the last that is not taken up yet", vec![suspect(1, 9), running(&job(2), 5)], &[]),
            ("a suspect that is not taken up yet", vec![suspect(1, 9), running(&suspect(2, 3), 5)], &[]),
        ];
        for (what, left, expected) in cases {
            let death = Death::of(&left);
            let blamed: Vec<u8> =
                left.iter().filter(|record| death.blames(record)).map(|record| record.id.as_bytes()[0]).collect();
            assert_eq!(blamed, expected, "{what}");
        }
    }

    #[test]
    fn whoever_is_blamed_runs_again_until_it_has_failed_too_often() {
        let mut record =
            JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("g").max_attempts(2), at(0));
        let mut moves = Vec::new();
        while !record.state.is_complete() {
            record = running(&record, 1);
            let event = verdict(&record, record.attempt > 3, HOW);
            moves.push((event.kind(), record.failed_attempts));
            record = record.apply(event, at(2)).unwrap();
        }
        let suspected = (EventKind::Suspect, 0);
        assert_eq!(moves, [suspected, suspected, suspected, (EventKind::Requeue, 0), (EventKind::Fail, 1)]);
        assert_eq!(record.failure.unwrap().message, "the process died while it ran (attempt 2 of 2)");
    }

    #[test]
    fn what_may_be_attempted_once_is_not_run_again_whoever_is_to_blame() {
        let once = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("g").max_attempts(1), at(0));
        assert_eq!(verdict(&running(&once, 1), false, HOW).kind(), EventKind::Fail);
    }

    #[test]
    fn a_job_that_was_to_be_cancelled_is_cancelled() {
        let cancelling = running(&job(1), 1).apply(Event::Cancel, at(2)).unwrap();
        assert_eq!(verdict(&cancelling, true, HOW), Event::Stop);
    }

    #[test]
    fn a_suspect_is_cleared_after_a_minute_and_later_each_time() {
        let mut record = running(&suspect(1, 1), 10);
        let mut seconds = Vec::new();
        for _ in 0..4 {
            seconds.push(cleared_at(&record).unwrap().since(at(10)).as_secs());
            record = running(&record.apply(verdict(&record, false, HOW), at(10)).unwrap(), 10);
        }
        assert_eq!(seconds, [60, 120, 240, 480]);
        assert_eq!(cleared_at(&record.apply(Event::Clear, at(11)).unwrap()), None);
        record.attempt = u32::MAX;
        assert!(period(&record) > Duration::from_hours(24 * 365 * 100));
    }
}
