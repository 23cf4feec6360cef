//! Laws about threads that meet.

use std::thread;

use job_core::Event;

use super::{Broken, Fixture, at, key, list, read, running, within, write};
use crate::{BlockBuilder, Durability, ErrorKind, Store};

law! { Fixture;
    /// Many threads replace one revision at once: in each round exactly one wins.
    [CompareAndSet, Threads]
    fn of_racing_replaces_one_wins(store) {
        let mut record = running(store, 1)?;
        for round in 0..50 {
            let next = record.apply(Event::Cancel, at(round))?;
            let wins: usize = thread::scope(|scope| {
                let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| store.replace(&next, Durability::Buffered))).collect();
                racers
                    .into_iter()
                    .map(|racer| match racer.join() {
                        Ok(Ok(())) => 1,
                        Ok(Err(error)) => { assert_eq!(error.kind, ErrorKind::Conflict); 0 }
                        Err(panic) => std::panic::resume_unwind(panic),
                    })
                    .sum()
            });
            assert_eq!(wins, 1);
            record = next;
        }
    }

    /// A completion and a cancel from the same revision: one of them is refused.
    [CompareAndSet, Threads]
    fn a_complete_and_a_cancel_cannot_both_win(store) {
        for n in 1..50 {
            let running = running(store, n)?;
            let result = list(vec![write(store, key(&running, 0), 0, 3, 2)?]);
            let done = running.apply(Event::Succeed(result.size()), at(7))?;
            let cancelling = running.apply(Event::Cancel, at(7))?;
            let (completed, cancelled) = thread::scope(|scope| {
                let complete = scope.spawn(|| store.complete(&[(&done, &result)], Durability::Buffered));
                let cancel = store.replace(&cancelling, Durability::Buffered);
                (complete.join(), cancel)
            });
            let completed = completed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            assert_ne!(completed.is_ok(), cancelled.is_ok());
            assert_eq!(store.result(running.id)?.is_some(), completed.is_ok());
            let expected = if completed.is_ok() { done } else { cancelling };
            assert_eq!(store.get(running.id)?, Some(expected));
        }
    }

    /// A reader during a write sees either a whole block or nothing of it.
    [VisibleRows, Threads]
    fn readers_beside_a_writer_see_whole_blocks(store; patience) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        thread::scope(|scope| {
            let writer = scope.spawn(move || -> Result<(), crate::StoreError> {
                let mut writer = store.segment(key)?;
                let mut block = BlockBuilder::new(key);
                for row in 0..2_000u64 {
                    let _ = block.push(&row);
                    if block.rows() == 10 {
                        writer.append(block.seal())?;
                    }
                }
                writer.finish().map(drop)
            });
            let mut seen = 0;
            let looked = within(patience, "every row is seen", || {
                let is_finished = writer.is_finished();
                match read(store, key, seen..seen + 10) {
                    Ok(rows) => {
                        assert_eq!(rows, (seen..seen + 10).collect::<Vec<_>>());
                        seen += 10;
                    }
                    Err(error) => {
                        assert_eq!(error.kind, ErrorKind::Corrupt);
                        assert!(!is_finished, "a row is not there though the segment is finished: {error}");
                    }
                }
                Ok((seen == 2_000).then_some(()))
            });
            match writer.join() {
                Ok(written) => written?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
            looked
        })?;
        assert_eq!(read(store, key, 0..2_000)?.len(), 2_000);
    }

    /// A reader during a removal gets the rows, or an error that the job was removed. It never gets an error about
    /// missing rows.
    [ReadRefused, Threads]
    fn a_reader_beside_a_removal_sees_rows_or_no_job(store; patience) {
        for n in 1..100 {
            let running = running(store, n)?;
            let key = key(&running, 0);
            let result = list(vec![write(store, key, 0, 3, 2)?]);
            store.complete(&[(&running.apply(Event::Succeed(result.size()), at(7))?, &result)], Durability::Buffered)?;
            // A store may cache the record after a read.
            assert!(store.get(running.id)?.is_some());
            thread::scope(|scope| {
                let removal = scope.spawn(|| store.remove(running.id));
                within(patience, "the removal is seen", || match read(store, key, 0..3) {
                    Ok(rows) => {
                        assert_eq!(rows, [0, 1, 2]);
                        Ok(None)
                    }
                    Err(error) => {
                        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
                        assert_eq!(store.get(running.id).map_err(|e| e.kind), Ok(None));
                        Ok(Some(()))
                    }
                })?;
                removal.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                Ok::<_, Broken>(())
            })?;
        }
    }

    /// Two workers fill a segment each, and both segments are complete.
    [SegmentsApart, Threads]
    fn two_segments_of_a_job_grow_side_by_side(store) {
        let running = running(store, 1)?;
        let segments = thread::scope(|scope| {
            let keys = [key(&running, 0), key(&running, 1)];
            let writers = keys.map(|key| scope.spawn(move || super::write_large(store, key, 100)));
            writers
                .into_iter()
                .map(|writer| writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        for segment in &segments {
            assert_eq!(segment.rows, 100);
            let mut rows = 0;
            store.read(key(&running, segment.number), 0..100, &mut |run| {
                rows += run.len();
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            assert_eq!(rows, 100);
        }
    }
}
