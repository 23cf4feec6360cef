//! Laws about what is still true after the store was closed and opened again.

use job_core::{Event, Failure, FailureKind};

use super::{Broken, Fixture, UsageOfOne, at, failures::failed, key, read, running, succeeded, waiting, write};
use crate::{Durability, ErrorKind, Pin};

law! { Fixture;
    /// Jobs in every state, results and rows are there again, and a removed job stays removed.
    [Reopening]
    fn what_was_acknowledged_is_there_after_reopening(in fixture) {
        let store = fixture.open();
        let done = succeeded(&*store, 1, 500)?;
        let removed = succeeded(&*store, 2, 500)?;
        store.remove(removed.id)?;
        let alive = running(&*store, 3)?;
        store.insert(&[waiting(4)], Durability::Synced)?;
        let result = store.result(done.id)?;
        drop(store);

        let store = fixture.open();
        assert_eq!(store.list(None, 0, 10)?, [waiting(4), alive.clone(), done.clone()]);
        assert_eq!(store.unfinished()?, [alive, waiting(4)]);
        assert_eq!(store.result(done.id)?, result);
        assert_eq!(read(&*store, key(&done, 0), 0..500)?, (0..500).collect::<Vec<_>>());
        assert_eq!((store.get(removed.id)?, store.result(removed.id)?), (None, None));
    }

    /// The rows of a dead worker stay until recovery drops them, and its attempt stays fenced.
    [Reopening, Discard]
    fn rows_of_an_attempt_survive_reopening_until_discarded(in fixture) {
        let store = fixture.open();
        let first = running(&*store, 1)?;
        write(&*store, key(&first, 0), 0, 100, 9)?;
        drop(store);

        let store = fixture.open();
        assert_eq!(read(&*store, key(&first, 0), 0..100)?.len(), 100);
        let failure = Failure::new(FailureKind::Interrupted, "process died");
        store.replace(&first.apply(Event::Requeue(failure, None), at(5))?, Durability::Synced)?;
        store.discard(first.id, first.attempt)?;
        assert_eq!(read(&*store, key(&first, 0), 0..1).unwrap_err().kind, ErrorKind::Corrupt);
        assert_eq!(store.segment(key(&first, 0)).unwrap_err().kind, ErrorKind::Fenced);
    }

    /// The entries that find, keep and resume jobs are as durable as the jobs.
    [Reopening]
    fn keys_work_reads_pins_and_checkpoints_survive_reopening(in fixture) {
        let store = fixture.open();
        let done = super::finish(&*store, &super::versioned(1, "v7"))?;
        let running = running(&*store, 2)?;
        store.record_reads(&[(done.id, at(50))])?;
        store.pin(done.id, Pin::Keep)?;
        store.save_checkpoint(running.id, running.attempt, b"half way")?;
        store.save_failures(running.id, running.attempt, &[failed(1, "busy")])?;
        drop(store);

        let store = fixture.open();
        assert_eq!(store.find_key("图", "key 1")?, Some(done.id));
        assert_eq!(store.find_reusable(&done.spec)?, Some(done.id));
        assert_eq!((store.last_read(done.id)?, store.is_pinned(done.id)?), (Some(at(50)), true));
        assert_eq!(store.checkpoint(running.id)?.as_deref(), Some(b"half way".as_slice()));
        assert_eq!(store.failures(running.id)?, [failed(1, "busy")]);
        store.pin(done.id, Pin::Release)?;
        assert!(store.remove(done.id)?);
        drop(store);

        let store = fixture.open();
        assert_eq!((store.find_key("图", "key 1")?, store.find_reusable(&done.spec)?), (None, None));
        assert_eq!((store.last_read(done.id)?, store.is_pinned(done.id)?), (None, false));
    }
}
