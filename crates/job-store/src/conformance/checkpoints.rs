//! Laws about checkpoints.

use job_core::{Event, Failure, FailureKind};

use super::{Broken, Fixture, at, key, list, running, waiting, write};
use crate::{Durability, ErrorKind, MAX_CHECKPOINT, Store};

law! { Fixture;
    /// A job has one checkpoint, the last one written. A later attempt finds it, also when rows were dropped.
    [Checkpoint]
    fn the_newest_checkpoint_replaces_the_last(store) {
        let first = running(store, 1)?;
        assert_eq!(store.checkpoint(first.id)?, None);
        store.save_checkpoint(first.id, 1, b"a long checkpoint")?;
        store.save_checkpoint(first.id, 1, b"short")?;
        assert_eq!(store.checkpoint(first.id)?.as_deref(), Some(b"short".as_slice()));
        let lost = first.apply(Event::Requeue(Failure::new(FailureKind::Interrupted, "gone"), None), at(3))?;
        store.replace(&lost, Durability::Buffered)?;
        store.discard(first.id, 1)?;
        assert_eq!(store.checkpoint(first.id)?.as_deref(), Some(b"short".as_slice()));
        let second = lost.apply(Event::Start, at(4))?;
        store.replace(&second, Durability::Buffered)?;
        store.save_checkpoint(first.id, 2, b"")?;
        assert_eq!(store.checkpoint(first.id)?.as_deref(), Some(b"".as_slice()));
    }

    /// Only the running attempt saves a checkpoint, and a checkpoint above the limit is refused.
    [CheckpointRefused, Fence]
    fn a_checkpoint_is_fenced_and_has_a_limit(store) {
        let running = running(store, 1)?;
        store.insert(&[waiting(2)], Durability::Buffered)?;
        for (job, attempt) in [(running.id, 0), (running.id, 2), (waiting(2).id, 0), (waiting(3).id, 1)] {
            assert_eq!(store.save_checkpoint(job, attempt, b"x").unwrap_err().kind, ErrorKind::Fenced);
        }
        let huge = vec![b'x'; MAX_CHECKPOINT + 1];
        assert_eq!(store.save_checkpoint(running.id, 1, &huge).unwrap_err().kind, ErrorKind::Invalid);
        store.save_checkpoint(running.id, 1, &huge[..1 << 20])?;
        assert_eq!(store.checkpoint(running.id)?.map(|bytes| bytes.len()), Some(1 << 20));
    }

    /// The end of a job removes its checkpoint, for each of the ways to end.
    [CheckpointGoes]
    fn a_checkpoint_goes_when_the_job_ends(store) {
        let jobs = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        for job in &jobs {
            store.save_checkpoint(job.id, job.attempt, b"half way")?;
        }
        let [succeeded, failed, running] = &jobs;
        let result = list(vec![write(store, key(succeeded, 0), 0, 3, 2)?]);
        store.complete(&[(&succeeded.apply(Event::Succeed(result.size()), at(7))?, &result)], Durability::Buffered)?;
        store.replace(&failed.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(7))?, Durability::Buffered)?;
        assert_eq!((store.checkpoint(succeeded.id)?, store.checkpoint(failed.id)?), (None, None));
        assert!(store.checkpoint(running.id)?.is_some());
    }
}
