//! Laws about rows and results.

use std::ops::ControlFlow;

use job_core::{Event, Failure, FailureKind, JobResult, Outputs};

use super::{Broken, Fixture, at, key, list, read, running, waiting, write};
use crate::{BlockBuilder, Durability, ErrorKind, Store, StoreError};

law! { Fixture;
    /// A read of any window gives exactly its rows, with blocks of any size.
    [Read, RowsDense]
    fn every_window_of_a_segment_is_its_rows(store) {
        for (n, per_block) in [(1, 1), (2, 7), (3, 1_000)] {
            let running = running(store, n)?;
            let segment = write(store, key(&running, 0), 0, 50, per_block)?;
            assert_eq!((segment.rows, segment.bytes), (50, 50 + 40 + 50 - 50u64.div_ceil(per_block)));
            for start in 0..=50 {
                for end in start..=50 {
                    let rows = read(store, key(&running, 0), start..end)?;
                    assert_eq!(rows, (start..end).collect::<Vec<_>>(), "{start}..{end} in blocks of {per_block}");
                }
            }
        }
    }

    /// Segments of one job and of two jobs are written in turns, and each holds only its own rows.
    [SegmentsApart]
    fn segments_do_not_mix(store) {
        let jobs = [running(store, 1)?, running(store, 2)?];
        let keys: Vec<_> = jobs.iter().flat_map(|job| (0..3).map(|number| key(job, number))).collect();
        let mut writers = Vec::new();
        for &key in &keys {
            writers.push((store.segment(key)?, BlockBuilder::new(key)));
        }
        for round in 0..20u64 {
            for ((writer, block), owner) in writers.iter_mut().zip(0u64..) {
                block.push(&(owner * 1_000 + round))?;
                writer.append(block.seal())?;
            }
        }
        for (writer, _) in writers {
            assert_eq!(writer.finish()?.rows, 20);
        }
        for (&key, owner) in keys.iter().zip(0u64..) {
            assert_eq!(read(store, key, 0..20)?, (0..20).map(|row| owner * 1_000 + row).collect::<Vec<_>>());
        }
    }

    /// A read past the end is refused: a shorter answer would be wrong.
    [ReadRefused]
    fn rows_past_the_end_are_an_error(store) {
        let running = running(store, 1)?;
        write(store, key(&running, 0), 0, 10, 4)?;
        write(store, key(&running, 1), 0, 10, 4)?;
        for rows in [5..11, 10..11, 400..401] {
            let error = read(store, key(&running, 0), rows).unwrap_err();
            assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(running.id)), "{error}");
        }
        assert_eq!(read(store, key(&running, 0), 10..10)?, [0u64; 0]);
        assert_eq!(read(store, key(&running, 9), 0..1).unwrap_err().kind, ErrorKind::Corrupt);
    }

    /// The record that says `succeeded` and the result are one write.
    [ResultWithRecord, CompleteRefused]
    fn a_result_comes_with_its_record_or_not_at_all(store) {
        let running = running(store, 1)?;
        let mut result = list(vec![write(store, key(&running, 0), 0, 10, 3)?]);
        result.outputs.insert("runtime", &0.5)?;
        let done = running.apply(Event::Succeed(result.size()), at(3))?;
        let cancelling = running.apply(Event::Cancel, at(2))?;
        store.replace(&cancelling, Durability::Buffered)?;
        let refused = store.complete(&[(&done, &result)], Durability::Synced).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict);
        assert_eq!((store.get(running.id)?, store.result(running.id)?), (Some(cancelling.clone()), None));

        let done = cancelling.apply(Event::Succeed(result.size()), at(4))?;
        store.complete(&[(&done, &result)], Durability::Synced)?;
        assert_eq!((store.get(running.id)?, store.result(running.id)?), (Some(done), Some(result.clone())));
        let unfinished = waiting(9).apply(Event::Start, at(1))?;
        assert_eq!(store.complete(&[(&unfinished, &result)], Durability::Synced).unwrap_err().kind, ErrorKind::Invalid);
    }

    /// Waiting, running, failed and unknown jobs have no result.
    [ResultWithRecord]
    fn a_job_without_a_result_has_none(store) {
        let running = running(store, 1)?;
        assert_eq!(store.result(running.id)?, None);
        store.replace(&running.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(3))?, Durability::Synced)?;
        assert_eq!(store.result(running.id)?, None);
        assert_eq!(store.result(waiting(5).id)?, None);
    }

    /// Results with a list without rows, without a list, and with values only are read as they were written.
    [ResultWhole]
    fn an_empty_list_is_a_result(store) {
        let mut outputs = Outputs::default();
        outputs.insert("path", &["Sarah", "西德尼"])?;
        for (n, result) in [(1, list(Vec::new())), (2, JobResult { outputs, list: None }), (3, JobResult::default())] {
            let running = running(store, n)?;
            let done = running.apply(Event::Succeed(result.size()), at(3))?;
            store.complete(&[(&done, &result)], Durability::Buffered)?;
            assert_eq!(store.result(running.id)?, Some(result));
        }
        let running = running(store, 4)?;
        assert_eq!(store.segment(key(&running, 0))?.finish()?.rows, 0);
    }

    /// Many ends in one write: one stale record keeps all of them out.
    [CompleteAll]
    fn many_jobs_are_completed_whole_or_not_at_all(store) {
        let running = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        let mut ends = Vec::new();
        for record in &running {
            let result = list(vec![write(store, key(record, 0), 0, 7, 3)?]);
            ends.push((record.apply(Event::Succeed(result.size()), at(9))?, result));
        }
        let batch: Vec<_> = ends.iter().map(|(next, result)| (next, result)).collect();
        let cancelling = running[1].apply(Event::Cancel, at(8))?;
        store.replace(&cancelling, Durability::Buffered)?;
        let refused = store.complete(&batch, Durability::Synced).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::Conflict, Some(running[1].id)));
        assert_eq!(store.unfinished()?, [running[0].clone(), cancelling, running[2].clone()]);
        assert_eq!(store.result(running[0].id)?, None);
        store.complete(&[batch[0], batch[2]], Durability::Synced)?;
        store.complete(&[], Durability::Synced)?;
        for at in [0, 2] {
            assert_eq!(store.get(running[at].id)?.as_ref(), Some(batch[at].0));
            assert_eq!(store.result(running[at].id)?.as_ref(), Some(batch[at].1));
        }
    }

    /// The attempt is a fence: a worker that lost its job can write nothing more.
    [Fence]
    fn only_the_running_attempt_writes(store) {
        let first = running(store, 1)?;
        let mut writer = store.segment(key(&first, 0))?;
        let mut block = BlockBuilder::new(key(&first, 0));
        block.push(&1)?;
        writer.append(block.seal())?;
        let lost = first.apply(Event::Requeue(Failure::new(FailureKind::Interrupted, "gone"), None), at(3))?;
        store.replace(&lost, Durability::Buffered)?;
        block.push(&2)?;
        let fenced = writer.append(block.seal()).unwrap_err();
        assert_eq!((fenced.kind, fenced.job), (ErrorKind::Fenced, Some(first.id)));

        let second = lost.apply(Event::Start, at(4))?;
        store.replace(&second, Durability::Buffered)?;
        assert_eq!(writer.append(block.seal()).unwrap_err().kind, ErrorKind::Fenced);
        assert_eq!(writer.finish().unwrap_err().kind, ErrorKind::Fenced);
        assert_eq!(store.segment(key(&first, 1)).unwrap_err().kind, ErrorKind::Fenced);
        assert_eq!(write(store, key(&second, 0), 0, 5, 2)?.attempt, 2);
        assert_eq!(read(store, key(&second, 0), 0..5)?, [0, 1, 2, 3, 4]);
    }

    /// A job that waits, has ended or does not exist takes no rows.
    [Fence]
    fn a_complete_job_takes_no_rows(store) {
        let running = running(store, 1)?;
        let mut writer = store.segment(key(&running, 0))?;
        let done = running.apply(Event::Succeed(list(Vec::new()).size()), at(3))?;
        store.complete(&[(&done, &list(Vec::new()))], Durability::Buffered)?;
        let mut block = BlockBuilder::new(key(&running, 0));
        block.push(&1)?;
        assert_eq!(writer.append(block.seal()).unwrap_err().kind, ErrorKind::Fenced);
        store.insert(&[waiting(2)], Durability::Buffered)?;
        for job in [waiting(2), waiting(3)] {
            assert_eq!(store.segment(key(&job, 0)).unwrap_err().kind, ErrorKind::Fenced);
        }
    }

    /// A block that leaves a gap, overlaps, is of another segment or is empty is refused.
    [AppendRefused]
    fn a_block_must_follow_the_last(store) {
        let running = running(store, 1)?;
        let mut writer = store.segment(key(&running, 0))?;
        let mut block = BlockBuilder::new(key(&running, 0));
        block.push(&0)?;
        writer.append(block.seal())?;
        assert_eq!(writer.append(block.seal()).unwrap_err().kind, ErrorKind::Invalid); // empty
        let mut again = BlockBuilder::new(key(&running, 0));
        again.push(&0)?;
        assert_eq!(writer.append(again.seal()).unwrap_err().kind, ErrorKind::Invalid);
        let mut other = BlockBuilder::new(key(&running, 1));
        other.push(&0)?;
        assert_eq!(writer.append(other.seal()).unwrap_err().kind, ErrorKind::Invalid);
        block.push(&1)?;
        writer.append(block.seal())?;
        assert_eq!(writer.finish()?.rows, 2);
        assert_eq!(read(store, key(&running, 0), 0..2)?, [0, 1]);
    }

    /// The rows of dead attempts go, those of the live one and of other jobs stay.
    [Discard]
    fn discard_drops_void_attempts_only(store) {
        let mut record = running(store, 1)?;
        let other = running(store, 2)?;
        write(store, key(&other, 0), 0, 30, 7)?;
        let first = record.clone();
        write(store, key(&first, 0), 0, 30, 7)?;
        record = record.apply(Event::Requeue(Failure::new(FailureKind::Interrupted, "gone"), None), at(3))?;
        store.replace(&record, Durability::Buffered)?;
        record = record.apply(Event::Start, at(4))?;
        store.replace(&record, Durability::Buffered)?;
        write(store, key(&record, 0), 100, 30, 7)?;
        store.discard(record.id, 1)?;
        store.discard(record.id, 1)?;
        assert_eq!(read(store, key(&first, 0), 0..1).unwrap_err().kind, ErrorKind::Corrupt);
        assert_eq!(read(store, key(&record, 0), 0..30)?, (100..130).collect::<Vec<_>>());
        assert_eq!(read(store, key(&other, 0), 0..30)?, (0..30).collect::<Vec<_>>());
    }

    /// The rows of a succeeded job cannot be discarded.
    [DiscardRefused]
    fn a_result_in_use_is_not_discarded(store) {
        let done = super::succeeded(store, 1, 20)?;
        assert_eq!(store.discard(done.id, done.attempt).unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(read(store, key(&done, 0), 0..20)?.len(), 20);
    }

    /// An error of the reader ends the read, and the read returns this error.
    [ReadEach]
    fn the_first_error_of_a_reader_ends_the_read(store) {
        let running = running(store, 1)?;
        write(store, key(&running, 0), 0, 30, 10)?;
        let mut calls = 0;
        let stop = StoreError::new(ErrorKind::Unavailable, "write the page", "the client is gone");
        let error = store.read(key(&running, 0), 0..30, &mut |_| {
            calls += 1;
            if calls == 2 { Err(stop.clone()) } else { Ok(ControlFlow::Continue(())) }
        });
        assert_eq!((error, calls), (Err(stop.clone()), 2));
    }

    /// A reader that has enough ends the read without an error.
    [ReadEach]
    fn a_reader_may_stop_early(store) {
        let running = running(store, 1)?;
        write(store, key(&running, 0), 0, 30, 10)?;
        let mut seen = 0;
        store.read(key(&running, 0), 5..30, &mut |run| {
            seen += run.len();
            Ok(ControlFlow::Break(()))
        })?;
        assert_eq!(seen, 5);
    }

    /// A store may hold rows or not. Rows that it holds are those of a read, and are there as long as the caller has them.
    [HeldRows]
    fn held_rows_are_those_of_a_read(store) {
        let done = super::succeeded(store, 1, 95)?;
        let mut held = Vec::new();
        for start in (0..95).step_by(7) {
            let block = start / 10 * 10 + 10;
            read(store, key(&done, 0), start..95)?;
            for end in [start + 1, block.min(95), 95] {
                let Some(found) = store.held_rows(key(&done, 0), start..end)? else { continue };
                let wanted: Vec<u64> = (start..end.min(block)).collect();
                assert_eq!(found.rows, wanted.len() as u64, "rows {start}..{end}");
                held.push((found.json, wanted));
            }
        }
        assert_eq!(store.held_rows(key(&done, 0), 3..3)?, None);
        assert_eq!(store.held_rows(key(&done, 0), 95..96)?, None);
        assert!(store.remove(done.id)?);
        assert_eq!(store.held_rows(key(&done, 0), 0..5)?, None);
        for (json, wanted) in held {
            let found: Vec<u64> = serde_json::from_slice(&[b"[", &*json, b"]"].concat()).unwrap_or_default();
            assert_eq!(found, wanted);
        }
    }

    /// Every checksum, table and count is right in an undamaged store; and the blocks are listed in order.
    [Blocks]
    fn a_sound_store_verifies(store) {
        let done = super::succeeded(store, 1, 95)?;
        super::succeeded(store, 2, 5)?;
        running(store, 3)?;
        let mut found = Vec::new();
        let seen = crate::verify(store, &mut |finding| found.push(finding))?;
        assert_eq!(found, []);
        assert_eq!((seen.jobs, seen.results, seen.segments, seen.blocks, seen.rows), (3, 2, 2, 11, 100));
        let mut ends = Vec::new();
        store.blocks(key(&done, 0), &mut |end, bytes| {
            assert!(!bytes.is_empty());
            ends.push(end);
            Ok(ControlFlow::Continue(()))
        })?;
        assert_eq!(ends, [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]);
        store.blocks(key(&done, 7), &mut |_, _| panic!("there is no such segment"))?;
    }

    /// A result that counts missing rows is refused, or `verify` finds it.
    [Blocks]
    fn what_is_missing_is_found(store) {
        let running = running(store, 1)?;
        let mut segment = write(store, key(&running, 0), 0, 30, 10)?;
        segment.rows = 35;
        let result = list(vec![segment]);
        match store.complete(&[(&running.apply(Event::Succeed(result.size()), at(7))?, &result)], Durability::Buffered) {
            Err(error) if error.kind == ErrorKind::Lost => {
                assert_eq!(store.get(running.id)?, Some(running));
                return Ok(());
            }
            stored => stored?,
        }
        let mut found = Vec::new();
        crate::verify(store, &mut |finding| found.push(finding))?;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].job, found[0].segment, found[0].rows.clone()), (running.id, Some((1, 0)), Some(30..35)));
    }

    /// A cancel or a failure leaves no rows that a reader could name.
    [EndDropsRows]
    fn rows_of_a_job_that_ends_without_a_result_go(store) {
        let failed = running(store, 1)?;
        write(store, key(&failed, 0), 0, 30, 7)?;
        let other = running(store, 2)?;
        write(store, key(&other, 0), 0, 30, 7)?;
        store.replace(&failed.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(3))?, Durability::Synced)?;
        assert_eq!(read(store, key(&failed, 0), 0..1).unwrap_err().kind, ErrorKind::Corrupt);
        assert_eq!(read(store, key(&other, 0), 0..30)?.len(), 30);
    }

    /// `visible_rows` never promises a row that a read would not find, and after `finish` all are there.
    [VisibleRows]
    fn a_writer_says_what_can_be_read(store) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        let mut writer = store.segment(key)?;
        let mut block = BlockBuilder::new(key);
        assert_eq!(writer.visible_rows(), 0);
        for row in 0..200u64 {
            block.push(&row)?;
            if block.rows() == 10 {
                writer.append(block.seal())?;
                let readable = writer.visible_rows();
                assert!(readable <= row + 1);
                assert_eq!(read(store, key, 0..readable)?, (0..readable).collect::<Vec<_>>());
            }
        }
        writer.finish()?;
        assert_eq!(read(store, key, 0..200)?.len(), 200);
    }

    /// The rows of a long job are seen while it runs, however few they are.
    [ShowRows]
    fn rows_that_are_shown_can_be_read_and_more_may_follow(store; patience) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        let (mut writer, mut block) = (store.segment(key)?, BlockBuilder::new(key));
        writer.show_rows()?; // of nothing
        assert_eq!(writer.visible_rows(), 0);
        for (start, end) in [(0, 1), (1, 20), (20, 400)] {
            for row in start..end {
                block.push(&row)?;
                if block.rows() == 10 || row + 1 == end {
                    writer.append(block.seal())?;
                }
            }
            writer.show_rows()?;
            super::within(patience, "appended rows are shown", || Ok((writer.visible_rows() == end).then_some(())))?;
            assert_eq!(read(store, key, 0..end)?, (0..end).collect::<Vec<_>>());
        }
        writer.show_rows()?; // once more
        assert_eq!(writer.finish()?.rows, 400);
        assert_eq!(read(store, key, 0..400)?, (0..400).collect::<Vec<_>>());
    }

    /// `finish` gives the same segment after `start_flush`, whether or not the store flushes in the background.
    [StartFlush]
    fn a_segment_whose_flush_was_started_is_finished_as_any_other(store) {
        let running = running(store, 1)?;
        let mut segments = Vec::new();
        for (number, rows) in [(0, 0), (1, 10), (2, 4_000)] {
            let key = key(&running, number);
            let (mut writer, mut block) = (store.segment(key)?, BlockBuilder::new(key));
            for row in 0..rows {
                block.push(&row)?;
                if block.rows() == 10 {
                    writer.append(block.seal())?;
                }
            }
            let settled = writer.start_flush()?;
            let readable = writer.visible_rows();
            assert!(readable <= rows);
            assert_eq!(read(store, key, 0..readable)?.len() as u64, readable, "{settled}");
            segments.push((writer, key, rows));
        }
        for (writer, key, rows) in segments {
            assert_eq!(writer.finish()?.rows, rows);
            assert_eq!(read(store, key, 0..rows)?, (0..rows).collect::<Vec<_>>());
        }
    }

    /// Pages of a segment that outgrows the store's buffers are read as those of a small one.
    [Read, RemoveWhole]
    fn a_large_segment_is_read_like_a_small_one(store) {
        let running = running(store, 1)?;
        let blocks = 160; // 10 MiB
        let segment = super::write_large(store, key(&running, 0), blocks)?;
        assert_eq!(segment.rows, blocks);
        let result = list(vec![segment]);
        let done = running.apply(Event::Succeed(result.size()), at(7))?;
        store.complete(&[(&done, &result)], Durability::Synced)?;
        for (start, end) in [(0, blocks), (0, 1), (blocks - 1, blocks), (63, 66)] {
            let mut next = start;
            store.read(key(&running, 0), start..end, &mut |run| {
                for row in run.unpack()?.iter() {
                    let found: String = serde_json::from_slice(row).unwrap_or_default();
                    assert_eq!(found, super::large_row(next));
                    next += 1;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            assert_eq!(next, end);
        }
        assert!(store.remove(done.id)?);
        assert_eq!(read(store, key(&running, 0), 0..1).unwrap_err().kind, ErrorKind::NotFound);
    }

    /// Rows of very different sizes, with text in any script, are read as they were written.
    [Read]
    fn large_and_small_rows_share_a_segment(store) {
        let running = running(store, 1)?;
        let rows = ["x".repeat(3 << 20), String::new(), "西德尼 \"\\\u{1}".to_owned(), "y".repeat(70_000)];
        let mut writer = store.segment(key(&running, 0))?;
        let mut block = BlockBuilder::new(key(&running, 0));
        for row in &rows {
            block.push(row)?;
            if block.bytes() > 64 << 10 {
                writer.append(block.seal())?;
            }
        }
        if block.rows() > 0 {
            writer.append(block.seal())?;
        }
        writer.finish()?;
        for start in 0..4u64 {
            let mut json = vec![b'['];
            store.read(key(&running, 0), start..4, &mut |run| {
                if json.len() > 1 {
                    json.push(b',');
                }
                run.append_to(&mut json)?;
                Ok(ControlFlow::Continue(()))
            })?;
            json.push(b']');
            let found: Vec<String> = serde_json::from_slice(&json)?;
            assert!(found.iter().eq(rows.iter().skip(usize::try_from(start)?)), "from row {start}");
        }
    }
}
