//! Laws about records.

use job_core::{Event, Failure, FailureKind};

use super::{Broken, Fixture, at, read, running, succeeded, waiting, write};
use crate::{Durability, ErrorKind, Store};

law! { Fixture;
    /// A second engine is refused, and the error names the first. A store that engines share refuses every engine
    /// that wants it alone.
    [OneSeat]
    fn one_engine_has_the_store_for_itself(store) {
        match store.seat("the first") {
            Ok(first) => {
                let refused = store.seat("the second").unwrap_err();
                assert_eq!(refused.kind, ErrorKind::AlreadyOpen);
                assert!(refused.to_string().contains("the first"), "{refused}");
                drop(first);
                store.seat("the second")?;
            }
            Err(refused) => {
                assert_eq!(refused.kind, ErrorKind::Invalid);
                assert!(refused.to_string().contains("builder_shared"), "{refused}");
            }
        }
    }

    /// Every field of a record survives, also after many changes.
    [RecordWhole]
    fn a_job_is_read_back_whole(store) {
        let job = waiting(1);
        store.insert(std::slice::from_ref(&job), Durability::Synced)?;
        assert_eq!(store.get(job.id)?, Some(job.clone()));
        let failure = Failure::new(FailureKind::Interrupted, "process died");
        let moves = [Event::Start, Event::Requeue(failure.clone(), Some(at(77))), Event::Start, Event::Cancel, Event::Fail(failure)];
        let mut record = job;
        for (event, now) in moves.into_iter().zip(10..) {
            record = record.apply(event, at(now))?;
            store.replace(&record, Durability::Buffered)?;
            assert_eq!(store.get(record.id)?.as_ref(), Some(&record));
        }
    }

    /// Asking for a job that never was is no error.
    [NoSuchJob]
    fn an_unknown_job_is_none(store) {
        store.insert(&[waiting(2)], Durability::Buffered)?;
        assert_eq!(store.get(waiting(1).id)?, None);
        assert!(!store.remove(waiting(1).id)?);
    }

    /// A second insert under one id is refused, and the first record stays.
    [IdTaken]
    fn an_id_is_taken_once(store) {
        let running = running(store, 1)?;
        let refused = store.insert(&[waiting(1)], Durability::Buffered).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::AlreadyExists, Some(running.id)));
        assert_eq!(store.get(running.id)?, Some(running));
    }

    /// One bad record in a batch keeps all of it out.
    [InsertWhole]
    fn a_batch_is_inserted_whole_or_not_at_all(store) {
        let batch: Vec<_> = (1..=100).map(waiting).collect();
        store.insert(&batch[..50], Durability::Buffered)?;
        assert_eq!(store.insert(&batch[49..], Durability::Buffered).unwrap_err().kind, ErrorKind::AlreadyExists);
        let twice = [waiting(200), waiting(200)];
        assert_eq!(store.insert(&twice, Durability::Buffered).unwrap_err().kind, ErrorKind::AlreadyExists);
        assert_eq!(store.unfinished()?, batch[..50]);
    }

    /// Compare-and-set: a record that was made from an old revision is refused with `Conflict`.
    [CompareAndSet]
    fn a_stale_replace_changes_nothing(store) {
        let running = running(store, 1)?;
        let cancelling = running.apply(Event::Cancel, at(5))?;
        store.replace(&cancelling, Durability::Buffered)?;
        let late = running.apply(Event::Fail(Failure::new(FailureKind::Handler, "late")), at(6))?;
        let refused = store.replace(&late, Durability::Buffered).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::Conflict, Some(late.id)));
        assert_eq!(store.replace(&running, Durability::Buffered).unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(store.get(running.id)?, Some(cancelling));
    }

    /// A replace of an unknown job is refused, and creates nothing.
    [NoSuchJob]
    fn a_replace_needs_a_job(store) {
        let never = waiting(1).apply(Event::Start, at(1))?;
        assert_eq!(store.replace(&never, Durability::Buffered).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(store.get(never.id)?, None);
    }

    /// Lists are newest first, without the job `before`. `skip` and `limit` cut them, and a list past the end is
    /// empty.
    [ListWindow]
    fn a_list_is_newest_first_and_windowed(store) {
        let jobs: Vec<_> = (1..=20).map(waiting).collect();
        store.insert(&jobs, Durability::Buffered)?;
        let ids = |before: Option<u64>, skip, limit| -> Result<Vec<_>, Broken> {
            let listed = store.list(before.map(|n| waiting(n).id), skip, limit)?;
            Ok(listed.into_iter().map(|job| job.submitted_at.as_micros() / 1_000).collect())
        };
        assert_eq!(ids(None, 0, 3)?, [20, 19, 18]);
        assert_eq!(ids(None, 18, 10)?, [2, 1]);
        assert_eq!(ids(Some(5), 1, 2)?, [3, 2]);
        assert_eq!(ids(None, 20, 10)?, [0u64; 0]);
        assert_eq!(ids(None, u64::MAX, 10)?, [0u64; 0]);
        assert_eq!(ids(Some(1), 0, 10)?, [0u64; 0]);
        assert_eq!(ids(None, 0, 0)?, [0u64; 0]);
    }

    /// The jobs that a reopening must look at: waiting and running ones, in the order of submission.
    [Unfinished]
    fn unfinished_holds_what_is_not_complete_oldest_first(store) {
        succeeded(store, 3, 5)?;
        let running = running(store, 2)?;
        let cancelled = waiting(4).apply(Event::Cancel, at(9))?;
        store.insert(&[waiting(4), waiting(1), waiting(5)], Durability::Buffered)?;
        store.replace(&cancelled, Durability::Buffered)?;
        assert_eq!(store.unfinished()?, [waiting(1), running, waiting(5)]);
    }

    /// A removal takes record, result and rows of the job, and leaves its neighbours.
    [RemoveWhole]
    fn a_removed_job_leaves_nothing_and_takes_nothing_else(store) {
        let jobs = [succeeded(store, 1, 100)?, succeeded(store, 2, 100)?, succeeded(store, 3, 100)?];
        let [before, removed, after] = &jobs;
        assert!(store.remove(removed.id)?);
        assert!(!store.remove(removed.id)?);
        assert_eq!((store.get(removed.id)?, store.result(removed.id)?), (None, None));
        let gone = read(store, super::key(removed, 0), 0..100).unwrap_err();
        assert_eq!(gone.kind, ErrorKind::NotFound);
        assert_eq!(store.list(None, 0, 10)?, [after.clone(), before.clone()]);
        for kept in [before, after] {
            assert_eq!(read(store, super::key(kept, 0), 0..100)?, (0..100).collect::<Vec<_>>());
        }
    }

    /// A job that can still write must not vanish under its worker.
    [RemoveRefused]
    fn an_unfinished_job_is_not_removed(store) {
        let running = running(store, 1)?;
        write(store, super::key(&running, 0), 0, 10, 5)?;
        store.insert(&[waiting(2)], Durability::Buffered)?;
        for id in [running.id, waiting(2).id] {
            assert_eq!(store.remove(id).unwrap_err().kind, ErrorKind::Invalid);
        }
        assert_eq!(store.unfinished()?.len(), 2);
    }
}
