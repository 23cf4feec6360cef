//! The contract of a store as tests, for every backend (feature `conformance`).
//!
//! Each law is a function of its own, so that each has a line of its own in the report:
//!
//! ```
//! use std::sync::Arc;
//! use job_store::{MemoryStore, Store, conformance::Fixture};
//!
//! #[derive(Default)]
//! struct Memory(MemoryStore);
//!
//! impl Fixture for Memory {
//!     fn open(&self) -> Arc<dyn Store> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! mod memory {
//!     # use super::Memory;
//!     job_store::conformance_tests!(Memory::default());
//! }
//! # fn main() {}
//! ```
//!
//! A store that several engines share has laws of its own, see [`SharedFixture`] and
//! [`sharing_tests`](crate::sharing_tests).
//!
//! To add a law, write the function in one of the modules and name it in [`conformance_tests`](crate::conformance_tests).

// A law ends a test by panicking: that is how it reports.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, clippy::missing_panics_doc)]

/// Writes laws as functions of a [`Fixture`]: opens the store, runs the body, and reports an error as a panic.
macro_rules! law {
    ($($(#[$doc:meta])* fn $name:ident($store:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            pub fn $name(fixture: &dyn Fixture) {
                fn law($store: &dyn Store) -> Result<(), Broken> {
                    $body
                    Ok(())
                }
                $crate::conformance::report(law(&*fixture.open()));
            }
        )*
    };
}

mod checkpoints;
mod finding;
mod jobs;
mod race;
mod reopen;
mod results;
mod sharing;
mod unreadable;

use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, RowList, Segment, Timestamp};

pub use self::{checkpoints::*, finding::*, jobs::*, race::*, reopen::*, results::*, sharing::*, unreadable::*};
use crate::{BlockBuilder, Durability, SegmentKey, Store, StoreError};

/// One place to keep jobs: a directory, a database, a shared memory.
pub trait Fixture {
    /// Opens the store there, after whatever was opened before has been dropped.
    fn open(&self) -> Arc<dyn Store>;

    /// Writes these bytes where the record of a job is, past every store; none is open meanwhile. `false` where that cannot
    /// be: then there is no record that cannot be read.
    fn overwrite(&self, _job: JobId, _record: &[u8]) -> bool {
        false
    }
}

/// Makes one `#[test]` per law; the argument is an expression that makes a new, empty [`Fixture`]. Followed by `, skip`
/// it makes an `Option` of one, and the tests pass where that is `None`: what the fixture needs is not there.
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        $crate::conformance_tests! { @list laws $fixture }
    };
    ($fixture:expr, skip) => {
        $crate::conformance_tests! { @list laws_or_skip $fixture }
    };
    (@list $rule:ident $fixture:expr) => {
        $crate::conformance_tests! { @$rule $fixture;
            one_engine_has_the_store_for_itself
            a_job_is_read_back_whole
            an_unknown_job_is_none
            an_id_is_taken_once
            a_batch_is_inserted_whole_or_not_at_all
            a_stale_replace_changes_nothing
            a_replace_needs_a_job
            a_list_is_newest_first_and_windowed
            unfinished_holds_what_is_not_complete_oldest_first
            a_removed_job_leaves_nothing_and_takes_nothing_else
            an_unfinished_job_is_not_removed
            every_window_of_a_segment_is_its_rows
            segments_do_not_mix
            rows_past_the_end_are_an_error
            a_result_comes_with_its_record_or_not_at_all
            a_job_without_a_result_has_none
            an_empty_list_is_a_result
            many_jobs_are_completed_whole_or_not_at_all
            only_the_running_attempt_writes
            a_complete_job_takes_no_rows
            a_block_must_follow_the_last
            discard_drops_void_attempts_only
            a_result_in_use_is_not_discarded
            the_first_error_of_a_reader_ends_the_read
            a_reader_may_stop_early
            large_and_small_rows_share_a_segment
            what_was_acknowledged_is_there_after_reopening
            rows_of_an_attempt_survive_reopening_until_discarded
            of_racing_replaces_one_wins
            a_complete_and_a_cancel_cannot_both_win
            readers_beside_a_writer_see_whole_blocks
            a_reader_beside_a_removal_sees_rows_or_no_job
            an_idempotency_key_finds_its_job_until_that_is_removed
            an_idempotency_key_is_taken_once_on_a_graph
            a_job_that_failed_or_was_cancelled_gives_its_idempotency_key_free
            of_racing_inserts_under_one_key_one_wins
            finished_work_is_found_by_what_was_asked
            finished_work_is_forgotten_with_its_job
            what_was_read_is_noted_of_known_jobs_only
            a_pinned_job_is_not_removed
            what_keeps_jobs_is_told_of_many
            the_newest_checkpoint_replaces_the_last
            a_checkpoint_is_fenced_and_has_a_limit
            a_checkpoint_goes_when_the_job_ends
            rows_of_a_job_that_ends_without_a_result_go
            a_sound_store_verifies
            what_is_missing_is_found
            a_writer_says_what_can_be_read
            a_large_segment_is_read_like_a_small_one
            two_segments_of_a_job_grow_side_by_side
            keys_work_reads_pins_and_checkpoints_survive_reopening
            a_record_that_cannot_be_read_hides_no_other
            what_cannot_be_read_is_removed_with_all_that_belongs_to_it
        }
    };
    // As functions, for whoever runs them all in one test.
    (@functions $fixture:expr; $($law:ident)*) => {
        [$($crate::conformance::$law),*]
    };
    (@laws $fixture:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::conformance::$law(&$fixture);
            }
        )*
    };
    (@laws_or_skip $fixture:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                if let Some(fixture) = $fixture {
                    $crate::conformance::$law(&fixture);
                }
            }
        )*
    };
}

/// What a law does when the store breaks it.
pub(crate) type Broken = Box<dyn std::error::Error>;

/// Fails the test with the error of its law.
fn report(outcome: Result<(), Broken>) {
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// The `n`-th job: ids ascend with `n`.
fn waiting(n: u64) -> JobRecord {
    let spec = JobSpec::algorithm("pagerank").graph("图").raw_parameters(job_core::Parameters::default());
    JobRecord::waiting(JobId::from_parts(at(n * 1_000), [7; 10]), spec, at(n * 1_000))
}

/// The `n`-th job with an idempotency key of its own, on a version of the graph.
fn versioned(n: u64, version: &str) -> JobRecord {
    let mut record = waiting(n);
    let spec = JobSpec::clone(&record.spec).idempotency_key(format!("key {n}")).graph_version(version);
    record.spec = Arc::new(spec);
    record
}

/// Inserts a job and runs it to an empty result.
fn finish(store: &dyn Store, waiting: &JobRecord) -> Result<JobRecord, Broken> {
    store.insert(std::slice::from_ref(waiting), Durability::Buffered)?;
    let running = waiting.apply(Event::Start, at(5))?;
    store.replace(&running, Durability::Buffered)?;
    let result = list(Vec::new());
    let done = running.apply(Event::Succeed(result.size()), at(6))?;
    store.complete(&done, &result, Durability::Buffered)?;
    Ok(done)
}

/// Inserts the `n`-th job and starts it.
fn running(store: &dyn Store, n: u64) -> Result<JobRecord, Broken> {
    let waiting = waiting(n);
    store.insert(std::slice::from_ref(&waiting), Durability::Buffered)?;
    let running = waiting.apply(Event::Start, at(n * 1_000 + 1))?;
    store.replace(&running, Durability::Buffered)?;
    Ok(running)
}

fn key(record: &JobRecord, number: u32) -> SegmentKey {
    SegmentKey { job: record.id, attempt: record.attempt, number }
}

/// Writes `rows` numbers, `per_block` to a block, as JSON numbers that start at `from`.
fn write(store: &dyn Store, key: SegmentKey, from: u64, rows: u64, per_block: u64) -> Result<Segment, StoreError> {
    let mut writer = store.segment(key)?;
    let mut block = BlockBuilder::new(key);
    for row in from..from + rows {
        // A number always serializes and is short.
        let _ = block.push(&row);
        if block.rows() as u64 == per_block {
            writer.append(block.seal())?;
        }
    }
    if block.rows() > 0 {
        writer.append(block.seal())?;
    }
    writer.finish()
}

/// Reads `rows` of a segment as numbers.
fn read(store: &dyn Store, key: SegmentKey, rows: Range<u64>) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    store.read(key, rows, &mut |run| {
        found.extend(run.iter().filter_map(|row| serde_json::from_slice::<u64>(row).ok()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Writes a segment too large for any buffer: `blocks` blocks of 64 KiB, one row each, the n-th full of its number.
fn write_large(store: &dyn Store, key: SegmentKey, blocks: u64) -> Result<Segment, StoreError> {
    let mut writer = store.segment(key)?;
    let mut block = BlockBuilder::new(key);
    for number in 0..blocks {
        let _ = block.push(&large_row(number));
        writer.append(block.seal())?;
    }
    writer.finish()
}

fn large_row(number: u64) -> String {
    format!("{number:08}").repeat(8 << 10)
}

fn list(segments: Vec<Segment>) -> JobResult {
    JobResult { list: Some(RowList::new("vertices", segments)), ..JobResult::default() }
}

/// Runs the `n`-th job to its end, with `rows` rows.
fn succeeded(store: &dyn Store, n: u64, rows: u64) -> Result<JobRecord, Broken> {
    let running = running(store, n)?;
    let result = list(vec![write(store, key(&running, 0), 0, rows, 10)?]);
    let done = running.apply(Event::Succeed(result.size()), at(n * 1_000 + 2))?;
    store.complete(&done, &result, Durability::Synced)?;
    Ok(done)
}
