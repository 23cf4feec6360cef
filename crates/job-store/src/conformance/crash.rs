//! Laws about stores that die.

use job_core::{Event, Failure, FailureKind, JobRecord};

use super::{
    Broken, Death, Fixture, UsageOfOne, at, finish, key, list, read, running, succeed, versioned, waiting, write,
};
use crate::{BlockBuilder, Durability, ErrorKind, Pin, Store};

law! { Fixture;
    /// The process makes every kind of write, removals too, and syncs none of them.
    [Buffered]
    fn a_killed_process_loses_nothing_that_was_acknowledged(in fixture) {
        let store = fixture.open();
        let done = buffered_end(&*store, 1)?;
        let removed = buffered_end(&*store, 2)?;
        let failed = {
            let running = running(&*store, 3)?;
            write(&*store, key(&running, 0), 0, 30, 7)?;
            let failed = running.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(9))?;
            store.replace(&failed, Durability::Buffered)?;
            failed
        };
        let alive = running(&*store, 4)?;
        store.insert(&[waiting(5), versioned(6, "v1")], Durability::Buffered)?;
        let reusable = finish(&*store, &versioned(7, "v1"))?;
        store.save_checkpoint(alive.id, 1, b"half way")?;
        store.save_failures(alive.id, 1, &[super::failures::failed(1, "busy")])?;
        store.record_reads(&[(done.id, at(77))])?;
        store.pin(done.id, Pin::Keep)?;
        assert!(store.remove(removed.id)?);
        if !fixture.crash(store, Death::Process) {
            return Ok(());
        }
        let store = fixture.open();
        let all = [reusable.clone(), versioned(6, "v1"), waiting(5), alive.clone(), failed.clone(), done.clone()];
        assert_eq!(store.list(None, 0, 9)?, all);
        assert_eq!(store.unfinished()?, [alive.clone(), waiting(5), versioned(6, "v1")]);
        is_whole(&*store, &done)?;
        assert_eq!((store.result(failed.id)?, store.result(removed.id)?), (None, None));
        assert_eq!(super::whole::blocks(&*store, key(&failed, 0))?, [0u64; 0]);
        assert_eq!(store.checkpoint(alive.id)?.as_deref(), Some(b"half way".as_slice()));
        assert_eq!(store.failures(alive.id)?, [super::failures::failed(1, "busy")]);
        assert_eq!((store.last_read(done.id)?, store.is_pinned(done.id)?), (Some(at(77)), true));
        assert_eq!(store.find_key("图", "key 6")?, Some(versioned(6, "v1").id));
        assert_eq!(store.find_reusable(&reusable.spec)?, Some(reusable.id));
        assert_eq!(store.insert(&[waiting(5)], Durability::Buffered).unwrap_err().kind, ErrorKind::AlreadyExists);
        // The running attempt goes on after the crash.
        write(&*store, key(&alive, 1), 0, 9, 2)?;
        finish(&*store, &waiting(8))?;
    }

    /// In each round another kind of write is the last one before the power cut. It follows writes that were not
    /// synced.
    [Synced]
    fn what_was_synced_survives_a_loss_of_power_with_all_before_it(in fixture) {
        for n in [10, 20, 30, 40] {
            let store = fixture.open();
            let before = buffered_end(&*store, n)?;
            store.insert(&[waiting(n + 1)], Durability::Buffered)?;
            let runs = running(&*store, n + 2)?;
            store.save_checkpoint(runs.id, 1, b"half way")?;
            store.record_reads(&[(before.id, at(n))])?;
            let (mut last, mut result) = (runs.clone(), None);
            match n {
                10 => {
                    last = versioned(n + 3, "v1");
                    store.insert(std::slice::from_ref(&last), Durability::Synced)?;
                }
                20 => {
                    last = runs.apply(Event::Requeue(Failure::new(FailureKind::Handler, "no"), None), at(9))?;
                    store.replace(&last, Durability::Synced)?;
                }
                30 => {
                    let rows = list(vec![write(&*store, key(&runs, 0), 0, 300, 7)?]);
                    last = runs.apply(Event::Succeed(rows.size()), at(9))?;
                    store.complete(&[(&last, &rows)], Durability::Synced)?;
                    result = Some(rows);
                }
                _ => store.pin(runs.id, Pin::Keep)?,
            }
            if !fixture.crash(store, Death::Power) {
                return Ok(());
            }
            let store = fixture.open();
            is_whole(&*store, &before)?;
            assert_eq!(store.last_read(before.id)?, Some(at(n)));
            assert_eq!(store.get(waiting(n + 1).id)?, Some(waiting(n + 1)));
            assert_eq!(store.get(last.id)?.as_ref(), Some(&last));
            assert_eq!(store.is_pinned(runs.id)?, n == 40);
            match result {
                Some(result) => {
                    assert_eq!(store.result(last.id)?, Some(result));
                    assert_eq!(read(&*store, key(&last, 0), 0..300)?, (0..300).collect::<Vec<_>>());
                }
                None => assert_eq!(store.checkpoint(runs.id)?.as_deref(), Some(b"half way".as_slice())),
            }
        }
    }

    /// After the power came back, each unsynced write is there as a whole, or has left nothing.
    [CrashWhole]
    fn a_write_that_was_lost_with_the_power_has_never_been(in fixture) {
        let store = fixture.open();
        let alive = running(&*store, 1)?;
        let suspended = running(&*store, 2)?;
        let removed = super::succeeded(&*store, 3, 30)?;
        store.save_checkpoint(suspended.id, 1, b"before")?;
        store.insert(&[versioned(4, "v1")], Durability::Synced)?;
        // From here on every write is buffered.
        let batch: Vec<JobRecord> = (5..25).map(|n| versioned(n, "v1")).collect();
        store.insert(&batch, Durability::Buffered)?;
        let segment = write(&*store, key(&alive, 0), 0, 30, 7)?;
        let result = list(vec![segment]);
        let done = alive.apply(Event::Succeed(result.size()), at(9))?;
        store.complete(&[(&done, &result)], Durability::Buffered)?;
        write(&*store, key(&suspended, 0), 0, 30, 7)?;
        let failed = suspended.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(9))?;
        store.replace(&failed, Durability::Buffered)?;
        store.remove(removed.id)?;
        if !fixture.crash(store, Death::Power) {
            return Ok(());
        }
        let store = fixture.open();
        assert_eq!(store.get(versioned(4, "v1").id)?, Some(versioned(4, "v1")));
        let there = batch.iter().filter(|job| store.get(job.id).is_ok_and(|found| found.is_some())).count();
        assert!([0, batch.len()].contains(&there), "{there} of a batch of {}", batch.len());
        for (job, n) in batch.iter().zip(5..) {
            let found = store.find_key("图", &format!("key {n}"))?;
            assert_eq!(found, (there > 0).then_some(job.id), "a key and its job are one");
        }
        match store.get(alive.id)? {
            Some(found) if found == done => is_whole_with(&*store, &done, 30)?,
            found => {
                assert_eq!((found, store.result(alive.id)?), (Some(alive.clone()), None));
                write(&*store, key(&alive, 9), 0, 3, 1)?;
            }
        }
        match store.get(suspended.id)? {
            Some(found) if found == failed => {
                assert_eq!(super::whole::blocks(&*store, key(&suspended, 0))?, [0u64; 0]);
                assert_eq!(store.checkpoint(suspended.id)?, None);
            }
            found => {
                assert_eq!(found, Some(suspended.clone()));
                assert_eq!(store.checkpoint(suspended.id)?.as_deref(), Some(b"before".as_slice()));
            }
        }
        match store.get(removed.id)? {
            Some(_) => is_whole_with(&*store, &removed, 30)?,
            None => assert_eq!((store.result(removed.id)?, store.is_pinned(removed.id)?), (None, false)),
        }
        let unfinished = store.unfinished()?;
        for job in store.list(None, 0, 99)? {
            assert_eq!(unfinished.contains(&job), !job.state.is_complete(), "{job:?}");
        }
    }

    /// The attempt that wrote the rows is fenced as before, and the next attempt writes the same segment anew.
    [Buffered, Fence, Discard]
    fn rows_that_were_on_their_way_when_the_process_died_harm_nobody(in fixture) {
        let store = fixture.open();
        let first = running(&*store, 1)?;
        let mut writer = store.segment(key(&first, 0))?;
        let mut block = BlockBuilder::new(key(&first, 0));
        for row in 0..100u64 {
            block.push(&row)?;
            if block.rows() == 10 {
                writer.append(block.seal())?;
            }
        }
        drop(writer);
        write(&*store, key(&first, 1), 0, 30, 7)?;
        if !fixture.crash(store, Death::Process) {
            return Ok(());
        }
        let store = fixture.open();
        assert_eq!(store.get(first.id)?.as_ref(), Some(&first));
        let suspected = first.apply(Event::Suspect(Failure::new(FailureKind::Interrupted, "died")), at(5))?;
        store.replace(&suspected, Durability::Buffered)?;
        store.discard(first.id, 1)?;
        for number in [0, 1] {
            assert_eq!(super::whole::blocks(&*store, key(&first, number))?, [0u64; 0]);
        }
        let second = suspected.apply(Event::Start, at(6))?;
        store.replace(&second, Durability::Buffered)?;
        assert_eq!(store.segment(key(&first, 1)).unwrap_err().kind, ErrorKind::Fenced);
        let result = list(vec![write(&*store, key(&second, 0), 50, 30, 7)?]);
        let done = second.apply(Event::Succeed(result.size()), at(7))?;
        store.complete(&[(&done, &result)], Durability::Buffered)?;
        assert_eq!(read(&*store, key(&second, 0), 0..30)?, (50..80).collect::<Vec<_>>());
    }
}

/// Runs a job to its end, with buffered writes only.
fn buffered_end(store: &dyn Store, n: u64) -> Result<JobRecord, Broken> {
    let running = running(store, n)?;
    let result = list(vec![write(store, key(&running, 0), 0, 50, 7)?]);
    succeed(store, &running, at(n * 1_000 + 2), &result, Durability::Buffered)
}

fn is_whole(store: &dyn Store, done: &JobRecord) -> Result<(), Broken> {
    is_whole_with(store, done, 50)
}

fn is_whole_with(store: &dyn Store, done: &JobRecord, rows: u64) -> Result<(), Broken> {
    assert_eq!(store.get(done.id)?.as_ref(), Some(done));
    let found = store.result(done.id)?.and_then(|result| result.list).ok_or("its result is gone")?;
    assert_eq!(found.size(), done.size);
    assert_eq!(read(store, key(done, 0), 0..rows)?, (0..rows).collect::<Vec<_>>());
    Ok(())
}
