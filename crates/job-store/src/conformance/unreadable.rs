//! Laws about records that are damaged, or that a later version has written.

use job_core::JobId;

use super::{Broken, Fixture, UsageOfOne, finish, read, running, succeeded, versioned, waiting, write};
use crate::{Durability, ErrorKind, JobStore, Listed, Pin, StoreError};

/// A record of a later version, and bytes that are no record.
const BYTES: [&[u8]; 3] = [&[9, b'J', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[], b"what is this?"];

law! { Fixture;
    /// Lists show the unreadable job among the others, with an error that names it.
    [Unreadable]
    fn a_record_that_cannot_be_read_hides_no_other(in fixture) {
        for bytes in BYTES {
            let store = fixture.open();
            let kept = [succeeded(&*store, 1, 5)?, waiting(2), running(&*store, 4)?];
            store.insert(&[kept[1].clone(), waiting(3)], Durability::Synced)?;
            let done = succeeded(&*store, 5, 5)?;
            drop(store);
            let lost = [waiting(3).id, done.id];
            if !lost.iter().all(|id| fixture.overwrite(*id, bytes)) {
                return Ok(());
            }
            let store = fixture.open();
            let all = store.entries(None, 0, 9)?;
            let ids = |entries: &[Listed]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
            assert_eq!(ids(&all), [done.id, kept[2].id, lost[0], kept[1].id, kept[0].id]);
            assert_eq!(ids(&store.entries(Some(done.id), 1, 2)?), [lost[0], kept[1].id]);
            assert_eq!(ids(&store.unfinished_entries()?), [kept[1].id, lost[0], kept[2].id]);
            for entry in all.into_iter().chain(store.unfinished_entries()?) {
                match entry.record {
                    Ok(record) => assert!(kept.contains(&record), "{record:?}"),
                    Err(error) => assert_unreadable(&error, &lost),
                }
            }
            for id in lost {
                assert_unreadable(&store.get(id).unwrap_err(), &[id]);
            }
            assert_unreadable(&store.list(None, 0, 9).unwrap_err(), &lost);
            assert_unreadable(&store.unfinished().unwrap_err(), &lost);
            assert_eq!(store.usage(&[lost[0], kept[0].id, lost[1]])?.len(), 3);
            // The other jobs can still be written.
            write(&*store, super::key(&kept[2], 0), 0, 3, 1)?;
            assert_eq!(read(&*store, super::key(&kept[0], 0), 0..5)?.len(), 5);
            finish(&*store, &waiting(6))?;
            for id in [kept[0].id, lost[0], lost[1], waiting(6).id] {
                assert!(store.remove(id)?);
            }
            drop(store);
            clear(fixture, &[kept[1].id, kept[2].id])?;
        }
    }

    /// An unreadable job is removed in any state, with its pin and with every entry that leads to it.
    [Unreadable]
    fn what_cannot_be_read_is_removed_with_all_that_belongs_to_it(in fixture) {
        let store = fixture.open();
        let (keyed, beside) = (versioned(1, "v1"), versioned(2, "v1"));
        store.insert(std::slice::from_ref(&beside), Durability::Synced)?;
        let done = finish(&*store, &keyed)?;
        let runs = running(&*store, 3)?;
        write(&*store, super::key(&runs, 0), 0, 30, 10)?;
        store.save_checkpoint(runs.id, 1, b"half way")?;
        store.save_failures(runs.id, 1, &[super::failures::failed(1, "busy")])?;
        store.record_reads(&[(done.id, super::at(7))])?;
        store.pin(done.id, Pin::Keep)?;
        drop(store);
        if ![done.id, runs.id].iter().all(|id| fixture.overwrite(*id, BYTES[0])) {
            return Ok(());
        }
        let store = fixture.open();
        assert_eq!(store.remove(done.id).unwrap_err().kind, ErrorKind::Invalid, "it is pinned");
        store.pin(done.id, Pin::Release)?;
        for id in [done.id, runs.id] {
            assert!(store.remove(id)?);
            assert!(!store.remove(id)?);
            assert_eq!((store.get(id)?, store.result(id)?, store.checkpoint(id)?), (None, None, None));
            assert_eq!((store.last_read(id)?, store.is_pinned(id)?), (None, false));
            assert_eq!(store.failures(id)?, []);
        }
        let mut blocks = 0;
        store.blocks(super::key(&runs, 0), &mut |_, _| {
            blocks += 1;
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        assert_eq!(blocks, 0);
        assert_eq!(store.find_key("图", "key 1")?, None);
        assert_eq!(store.find_key("图", "key 2")?, Some(beside.id));
        assert_eq!(store.find_reusable(&keyed.spec)?, None);
        assert_eq!(store.list(None, 0, 9)?, std::slice::from_ref(&beside));
        assert_eq!(store.unfinished()?, [beside]);
        // The idempotency key of the removed job can be taken again.
        finish(&*store, &keyed)?;
    }
}

fn assert_unreadable(error: &StoreError, jobs: &[JobId]) {
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert!(error.job.is_some_and(|job| jobs.contains(&job)), "{error}");
}

/// Ends and removes the remaining jobs before the next round.
fn clear(fixture: &dyn Fixture, jobs: &[JobId]) -> Result<(), Broken> {
    let store = fixture.open();
    for id in jobs {
        let mut record = store.get(*id)?.ok_or("it is gone")?;
        for event in [job_core::Event::Cancel, job_core::Event::Stop] {
            if !record.state.is_complete() {
                record = record.apply(event, super::at(99))?;
                store.replace(&record, Durability::Buffered)?;
            }
        }
        assert!(JobStore::remove(&*store, *id)?);
    }
    Ok(())
}
