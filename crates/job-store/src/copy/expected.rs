//! Records of a copy, as pure functions: as they are to be, as they are put first, and how far they are.

use job_core::{Event, Failure, FailureKind, JobRecord, JobState, Outcome};

/// The record that the target is to have. Another process goes on with an unfinished job: one that runs waits again, and
/// one that is being cancelled is cancelled. The same record gives the same, at any time.
pub(super) fn expected(record: &JobRecord) -> JobRecord {
    let event = match record.state {
        JobState::Running { cancelling: true } => Event::Stop,
        JobState::Running { cancelling: false } => {
            let why = "it was copied into another store while it ran";
            Event::Requeue(Failure::new(FailureKind::Shutdown, why), None)
        }
        JobState::Waiting | JobState::Complete(_) => return record.clone(),
    };
    let at = record.cancel_requested_at.or(record.started_at).unwrap_or(record.submitted_at);
    record.apply(event, at).unwrap_or_else(|_| record.clone())
}

/// The record that is put first. A job that has a result is one that is being cancelled until all of it is there. Of
/// `attempts`, those that have rows, it is in the first. `None` when there are too few revisions for it.
///
/// An unfinished job that has been started may have a checkpoint, which only a running attempt may write.
pub(super) fn first(record: &JobRecord, attempts: Option<&[u32]>) -> Option<JobRecord> {
    match attempts {
        None if record.state.is_complete() || record.attempt == 0 => Some(record.clone()),
        None | Some([]) => half(record, record.attempt, 1),
        Some(attempts @ [first, ..]) => half(record, *first, attempts.len() as u64),
    }
}

/// The record of a job that is not whole yet, `steps` changes before it is.
pub(super) fn half(record: &JobRecord, attempt: u32, steps: u64) -> Option<JobRecord> {
    let state = JobState::Running { cancelling: true };
    Some(JobRecord { state, attempt, revision: record.revision.checked_sub(steps)?, ..record.clone() })
}

/// The end of a job that is to be removed and written anew; no engine ends one so.
pub(super) fn cancelled(stored: &JobRecord) -> JobRecord {
    JobRecord {
        state: JobState::Complete(Outcome::Cancelled),
        finished_at: Some(stored.finished_at.unwrap_or(stored.submitted_at)),
        failure: Some(Failure::new(FailureKind::Shutdown, ANEW)),
        revision: stored.revision + 1,
        ..stored.clone()
    }
}

const ANEW: &str = "a copy from another store writes it anew";

fn is_cancelled_by_a_copy(stored: &JobRecord) -> bool {
    let is_anew = |failure: &Failure| failure.kind == FailureKind::Shutdown && failure.message == ANEW;
    stored.state == JobState::Complete(Outcome::Cancelled) && stored.failure.as_ref().is_some_and(is_anew)
}

/// How far a job is in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not there.
    Missing,
    /// All of it is there.
    Whole,
    /// A half of it, or an earlier state.
    Behind,
    /// It is another one, for this reason.
    Other(&'static str),
}

/// Compares the record in the target with the one that is to be there.
pub(super) fn standing(stored: Option<&JobRecord>, expected: &JobRecord) -> Standing {
    let Some(stored) = stored else { return Standing::Missing };
    if stored == expected {
        return Standing::Whole;
    }
    if stored.spec != expected.spec || stored.submitted_at != expected.submitted_at {
        return Standing::Other("the target has another job under its id: remove one of the two");
    }
    if is_cancelled_by_a_copy(stored) {
        return Standing::Behind;
    }
    if stored.state.is_complete() {
        return Standing::Other("it has ended in the target in another way: remove it there to copy it again");
    }
    if stored.revision < expected.revision {
        return Standing::Behind;
    }
    Standing::Other("it has gone on in the target: cancel and remove it there to copy it again")
}

#[cfg(test)]
mod tests {
    use job_core::{JobId, JobSpec, ResultSize, Timestamp};

    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn waiting() -> JobRecord {
        JobRecord::waiting(JobId::from_bytes([7; 16]), JobSpec::vertex_filter().with_graph("g"), at(1))
    }

    fn after(events: impl IntoIterator<Item = Event>) -> JobRecord {
        events.into_iter().zip(2..).fold(waiting(), |record, (event, time)| record.apply(event, at(time)).unwrap())
    }

    fn size() -> ResultSize {
        ResultSize { rows: 1, bytes: 1 }
    }

    #[test]
    fn a_job_that_runs_waits_in_the_copy_and_one_that_stops_is_cancelled() {
        let interrupted = || Failure::new(FailureKind::Interrupted, "it died");
        let table = [
            (after([]), JobState::Waiting, 0),
            (after([Event::Start]), JobState::Waiting, 2),
            (after([Event::Start, Event::Cancel]), JobState::Complete(Outcome::Cancelled), 3),
            (after([Event::Start, Event::Succeed(size())]), JobState::Complete(Outcome::Succeeded), 2),
            (after([Event::Start, Event::Suspect(interrupted()), Event::Start]), JobState::Waiting, 4),
        ];
        for (record, state, revision) in table {
            let copied = expected(&record);
            assert_eq!((copied.state, copied.revision), (state, revision), "{record:?}");
            assert_eq!((copied.attempt, copied.failed_attempts), (record.attempt, record.failed_attempts));
            assert_eq!(copied.is_suspect(), record.is_suspect() && !copied.state.is_complete(), "{record:?}");
            assert_eq!(expected(&copied), copied, "a copy of the copy is the same");
        }
    }

    #[test]
    fn a_job_is_whole_only_after_its_last_step() {
        let succeeded = after([Event::Start, Event::Succeed(size())]);
        let retried =
            after([Event::Start, Event::Requeue(Failure::new(FailureKind::Handler, "later"), Some(at(9)))]);
        let table: [(&JobRecord, Option<&[u32]>, u64, u32); 6] = [
            (&waiting(), None, 0, 0),
            (&succeeded, None, 2, 1),
            (&succeeded, Some(&[]), 1, 1),
            (&succeeded, Some(&[1]), 1, 1),
            (&succeeded, Some(&[1, 3]), 0, 1),
            (&retried, None, 1, 1),
        ];
        for (record, attempts, revision, attempt) in table {
            let first = first(record, attempts).unwrap();
            assert_eq!((first.revision, first.attempt), (revision, attempt), "{attempts:?} of {record:?}");
            let is_half = first.revision != record.revision;
            assert_eq!(first.state == JobState::Running { cancelling: true }, is_half);
            assert_eq!(standing(Some(&first), record) == Standing::Behind, is_half);
        }
        assert_eq!(first(&succeeded, Some(&[1, 2, 3])), None);
    }

    #[test]
    fn a_job_of_the_target_that_is_not_this_one_is_never_written_over() {
        let succeeded = after([Event::Start, Event::Succeed(size())]);
        let other = JobRecord { submitted_at: at(77), ..waiting() };
        let other_work = JobRecord { spec: JobSpec::edge_filter().with_graph("g").into(), ..waiting() };
        let gone_on = JobRecord { revision: 9, ..after([Event::Start]) };
        assert_eq!(standing(None, &succeeded), Standing::Missing);
        assert_eq!(standing(Some(&succeeded), &succeeded), Standing::Whole);
        assert_eq!(standing(Some(&waiting()), &succeeded), Standing::Behind);
        assert_eq!(standing(Some(&cancelled(&after([Event::Start]))), &succeeded), Standing::Behind);
        let stopped = after([Event::Start, Event::Cancel, Event::Stop]);
        for stored in [other, other_work, gone_on, after([Event::Cancel]), stopped] {
            assert!(matches!(standing(Some(&stored), &succeeded), Standing::Other(_)), "{stored:?}");
        }
    }
}
