//! Laws about failed attempts.

use job_core::{Event, FailedAttempt, Failure, FailureKind, JobRecord};

use super::{Broken, Fixture, at, key, list, running, waiting, write};
use crate::{Durability, ErrorKind, Store};

/// An attempt that failed with this message.
pub(super) fn failed(attempt: u32, message: &str) -> FailedAttempt {
    let started = at(u64::from(attempt) * 10);
    FailedAttempt { attempt, started, ended: at(7), failure: Failure::new(FailureKind::Interrupted, message) }
}

/// The next attempt of a job, after this one has failed.
fn again(store: &dyn Store, job: &JobRecord) -> Result<JobRecord, Broken> {
    let failure = Failure::new(FailureKind::Handler, "busy");
    let waits = job.apply(Event::Requeue(failure, None), at(3))?;
    store.replace(&waits, Durability::Buffered)?;
    store.discard(job.id, job.attempt)?;
    let runs = waits.apply(Event::Start, at(4))?;
    store.replace(&runs, Durability::Buffered)?;
    Ok(runs)
}

law! { Fixture;
    /// A job has one list of failed attempts, the last one that was kept, byte by byte. A later attempt finds it, and so does a
    /// reader after each of the ways to end.
    [Failures]
    fn failed_attempts_are_kept_and_outlive_the_job(store) {
        let message = "图 is busy ".repeat(300);
        let kept = [failed(1, &message), failed(2, "")];
        let jobs = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        for job in &jobs {
            assert_eq!(store.failures(job.id)?, []);
            store.save_failures(job.id, 1, &kept[..1])?;
        }
        let second = again(store, &jobs[0])?;
        assert_eq!(store.failures(second.id)?, kept[..1]);
        store.save_failures(second.id, 2, &kept)?;
        let result = list(vec![write(store, key(&second, 0), 0, 3, 2)?]);
        store.complete(&[(&second.apply(Event::Succeed(result.size()), at(8))?, &result)], Durability::Buffered)?;
        let end = |job: &JobRecord, event| store.replace(&job.apply(event, at(9))?, Durability::Buffered).map_err(Broken::from);
        end(&jobs[1], Event::Fail(Failure::new(FailureKind::Handler, "no")))?;
        let cancelling = jobs[2].apply(Event::Cancel, at(8))?;
        store.replace(&cancelling, Durability::Buffered)?;
        store.save_failures(cancelling.id, 1, &kept[1..])?;
        end(&cancelling, Event::Stop)?;
        assert_eq!(store.failures(second.id)?, kept);
        assert_eq!(store.failures(jobs[1].id)?, kept[..1]);
        assert_eq!(store.failures(jobs[2].id)?, kept[1..]);
        assert_eq!(store.failures(waiting(4).id)?, []);
    }

    /// Only the running attempt keeps failed attempts, and not more than there may be.
    [FailuresRefused, Fence]
    fn failed_attempts_are_fenced_and_have_a_limit(store) {
        let running = running(store, 1)?;
        store.insert(&[waiting(2)], Durability::Buffered)?;
        for (job, attempt) in [(running.id, 0), (running.id, 2), (waiting(2).id, 0), (waiting(3).id, 1)] {
            assert_eq!(store.save_failures(job, attempt, &[failed(1, "x")]).unwrap_err().kind, ErrorKind::Fenced);
            assert_eq!(store.failures(job)?, []);
        }
        let most: Vec<_> = (1..=8).map(|attempt| failed(attempt, &"x".repeat(Failure::MAX_MESSAGE))).collect();
        store.save_failures(running.id, 1, &most)?;
        let more: Vec<_> = (1..=9).map(|attempt| failed(attempt, "x")).collect();
        assert_eq!(store.save_failures(running.id, 1, &more).unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(store.failures(running.id)?, most);
        store.replace(&running.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(7))?, Durability::Buffered)?;
        assert_eq!(store.save_failures(running.id, 1, &[]).unwrap_err().kind, ErrorKind::Fenced);
    }

    /// Failed attempts go with their job, and those of other jobs stay.
    [FailuresGo, RemoveWhole]
    fn failed_attempts_go_with_their_job(store) {
        let jobs = [running(store, 1)?, running(store, 2)?];
        for job in &jobs {
            store.save_failures(job.id, 1, &[failed(1, "busy")])?;
            let failed = job.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(7))?;
            store.replace(&failed, Durability::Buffered)?;
        }
        assert!(store.remove(jobs[0].id)?);
        assert_eq!((store.failures(jobs[0].id)?, store.failures(jobs[1].id)?.len()), (Vec::new(), 1));
        store.insert(&[waiting(1)], Durability::Buffered)?;
        assert_eq!(store.failures(jobs[0].id)?, []);
    }
}
