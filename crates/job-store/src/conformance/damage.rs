//! Laws about stored bytes that were changed from outside.

use std::sync::Arc;

use job_core::{JobResult, Parameters};
use serde_json::value::RawValue;

use super::{Broken, Fixture, at, finish, key, list, running, succeed, waiting};
use crate::{BlockBuilder, Durability, ErrorKind, Store, StoreError};

/// The pattern that is looked for in the stored bytes: long, like nothing else, and hard to compress.
const MARK: &str = "q7Zk0vXw93Jd5sTeRhLm2BcUyA8oFi6GnPxV1EzKaWtQbYrHuDjM4fSgNlOpIC";

law! { Fixture;
    /// The store returns an error, and never a record that differs from the one that was written.
    [Damage]
    fn a_damaged_record_is_not_handed_out(in fixture) {
        let store = fixture.open();
        let mut job = waiting(1);
        let parameters = Parameters::from_text(format!("{MARK:?}"))?;
        job.spec = Arc::new(job_core::JobSpec::clone(&job.spec).with_raw_parameters(parameters));
        store.insert(std::slice::from_ref(&job), Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        is_told(&store.get(job.id))?;
        is_told(&store.list(None, 0, 9))?;
        is_told(&store.unfinished())?;
    }

    /// The same holds for a result.
    [Damage]
    fn a_damaged_result_is_not_handed_out(in fixture) {
        let store = fixture.open();
        let running = running(&*store, 1)?;
        let mut result = JobResult::default();
        result.outputs.insert("mark", &MARK)?;
        let done = succeed(&*store, &running, at(9), &result, Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        is_told(&store.result(done.id))?;
    }

    /// The same holds for a row, whether it is read alone, among others or by `blocks`.
    [Damage]
    fn damaged_rows_are_not_handed_out(in fixture) {
        let store = fixture.open();
        let running = running(&*store, 1)?;
        let (mut writer, mut block) = (store.segment(key(&running, 0))?, BlockBuilder::new(key(&running, 0)));
        for number in 0..20u64 {
            let text = if number == 7 { format!("{MARK:?}") } else { format!("{:?}", super::large_row(number)) };
            block.push_json(&RawValue::from_string(text)?)?;
            writer.append(block.seal())?;
        }
        let result = list(vec![writer.finish()?]);
        let done = succeed(&*store, &running, at(9), &result, Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        for rows in [7..8, 0..20, 5..9, 7..20] {
            let read = store.read(key(&done, 0), rows.clone(), &mut |run| {
                let is_mark = |row: &[u8]| row.len() < 200;
                assert!(!run.unpack()?.iter().any(is_mark), "the damaged row is handed out");
                Ok(std::ops::ControlFlow::Continue(()))
            });
            is_told(&read)?;
        }
        // Undamaged entries can still be read.
        let mut seen = 0;
        store.read(key(&done, 0), 15..20, &mut |run| {
            seen += run.len();
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        assert_eq!(seen, 5);
        let mut found = 0;
        crate::verify(&*store, &mut |_| found += 1)?;
        assert!(found > 0, "verify finds it");
    }

    /// The same holds for a row in the middle of a block that shrinks where a store packs it.
    [Damage]
    fn a_damaged_row_among_many_is_not_handed_out(in fixture) {
        let store = fixture.open();
        let running = running(&*store, 1)?;
        let (mut writer, mut block) = (store.segment(key(&running, 0))?, BlockBuilder::new(key(&running, 0)));
        for number in 0..5_000u64 {
            let text = if number == 4_000 { format!("{MARK:?}") } else { format!("\"vertex {number} is Sarah\"") };
            block.push_json(&RawValue::from_string(text)?)?;
        }
        writer.append(block.seal())?;
        let result = list(vec![writer.finish()?]);
        let done = succeed(&*store, &running, at(9), &result, Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        for rows in [4_000..4_001, 0..5_000, 0..10, 4_990..5_000] {
            is_told(&store.read(key(&done, 0), rows, &mut |_| Ok(std::ops::ControlFlow::Continue(()))))?;
        }
    }

    /// The same holds for a checkpoint.
    [Damage]
    fn a_damaged_checkpoint_is_not_handed_out(in fixture) {
        let store = fixture.open();
        let running = running(&*store, 1)?;
        store.save_checkpoint(running.id, 1, MARK.as_bytes())?;
        // Everything before a synced write is on the disk.
        finish(&*store, &waiting(2))?;
        store.insert(&[waiting(3)], Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        is_told(&store.checkpoint(running.id))?;
    }

    /// The same holds for failed attempts.
    [Damage]
    fn damaged_failed_attempts_are_not_handed_out(in fixture) {
        let store = fixture.open();
        let running = running(&*store, 1)?;
        store.save_failures(running.id, 1, &[super::failures::failed(1, MARK)])?;
        // Everything before a synced write is on the disk.
        finish(&*store, &waiting(2))?;
        store.insert(&[waiting(3)], Durability::Synced)?;
        let Some(store) = damaged(fixture, store)? else { return Ok(()) };
        is_told(&store.failures(running.id))?;
    }
}

/// Closes the store, damages the mark in it and opens it again. `None` where the fixture cannot, or where the store says
/// by itself that it is damaged.
fn damaged(fixture: &dyn Fixture, store: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>, Broken> {
    drop(store);
    if !fixture.damage(MARK.as_bytes()) {
        return Ok(None);
    }
    match fixture.open_damaged() {
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Checks that the error is of the kind `Corrupt`.
fn is_told<T: std::fmt::Debug>(read: &Result<T, StoreError>) -> Result<(), Broken> {
    match read {
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(()),
        other => Err(format!("it is damaged, and this is the answer: {other:?}").into()),
    }
}
