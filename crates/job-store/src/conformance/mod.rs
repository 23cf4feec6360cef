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
//! The laws are [data](LAWS) too: each names the [promises](Promise) of the contract that it is about. To add one, write
//! it in one of the modules with `law!` and name it in [`conformance_tests`](crate::conformance_tests); a test says so
//! when that is forgotten.

// A law that does not hold panics, which fails its test.
#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, clippy::missing_panics_doc)]

/// Writes laws: each a function of a fixture, and an entry of the module's `LAWS` with the promises that it is about. A law
/// takes one store, two claimants, or what makes them (`in fixture`); one that waits takes the patience of the fixture
/// as well. It reports an error as a panic.
macro_rules! law {
    ($fixture:ident; $($(#[$doc:meta])* [$($promise:ident),+] fn $name:ident($($arg:tt)+) $body:block)*) => {
        $(
            $(#[$doc])*
            pub fn $name(fixture: &dyn $fixture) {
                fn law(fixture: &dyn $fixture) -> Result<(), Broken> {
                    law!(@open fixture, $($arg)+);
                    $body
                    Ok(())
                }
                $crate::conformance::report(law(fixture));
            }
        )*

        pub(super) const LAWS: &[super::Law<dyn $fixture>] = &[$(super::Law {
            name: stringify!($name),
            promises: &[$(super::Promise::$promise),+],
            run: $name,
        }),*];
    };
    (@open $fixture:ident, in $it:ident) => {
        let $it = $fixture;
    };
    (@open $fixture:ident, $store:ident $(; $patience:ident)?) => {
        let $store = $fixture.open();
        let $store: &dyn Store = &*$store;
        $(let $patience = $fixture.patience();)?
    };
    (@open $fixture:ident, $one:ident, $other:ident $(; $patience:ident)?) => {
        let ($one, $other) = ($fixture.open(), $fixture.open());
        let ($one, $other): (&dyn SharedStore, &dyn SharedStore) = (&*$one, &*$other);
        $(let $patience = $fixture.patience();)?
    };
}

mod checkpoints;
mod cost;
mod crash;
mod damage;
mod failures;
mod filtered;
mod finding;
mod jobs;
mod packing;
mod promise;
mod race;
mod reopen;
mod results;
mod sharing;
mod unreadable;
mod whole;

use std::{
    fmt,
    ops::{ControlFlow, Range},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, RowList, Segment, Timestamp};

pub use self::{
    checkpoints::*, cost::*, crash::*, damage::*, failures::*, filtered::*, finding::*, jobs::*, packing::*,
    promise::Promise, race::*, reopen::*, results::*, sharing::*, unreadable::*, whole::*,
};
use crate::{BlockBuilder, Durability, JobStore, SegmentKey, Store, StoreError};

/// One place to keep jobs: a directory, a database, a shared memory.
pub trait Fixture {
    /// Opens the store there, after every earlier store was dropped.
    fn open(&self) -> Arc<dyn Store>;

    /// Overwrites the stored record of a job with these bytes, without the store's own code. No store is open
    /// then. `false` if this backend has no way to do that: it then has no record that cannot be read.
    fn overwrite(&self, _job: JobId, _record: &[u8]) -> bool {
        false
    }

    /// Ends the store without closing it, and keeps what that leaves for the next [`open`](Self::open). `store` is
    /// the only handle, and its destructor must have no effect. `false` if the fixture cannot do that: laws about
    /// crashes then pass.
    fn crash(&self, _store: Arc<dyn Store>, _death: Death) -> bool {
        false
    }

    /// Flips a bit in the middle of these bytes wherever they are stored, without the store's own code. No store
    /// is open then. `false` if the bytes are not found: laws about damage then pass.
    fn damage(&self, _bytes: &[u8]) -> bool {
        false
    }

    /// As [`open`](Self::open), after a [`damage`](Self::damage). The store may refuse to open, with `Corrupt`.
    ///
    /// # Errors
    /// The error with which the store refuses to open.
    fn open_damaged(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.open())
    }

    /// How many keys, rows or steps all stores of this fixture have looked at so far. `None` if the fixture does
    /// not count: laws about costs then pass.
    fn looked_at(&self) -> Option<u64> {
        None
    }

    /// How long a law waits for a promised effect before it fails; 1 minute by default.
    fn patience(&self) -> Duration {
        PATIENCE
    }
}

/// The ways in which a store ends without being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Death {
    /// The process is killed: bytes that the operating system has stay.
    Process,
    /// The power goes: bytes that the disk has stay.
    Power,
}

/// The default of [`Fixture::patience`]: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A law: a test of a store, and the sentences of the contract that it tests.
/// [`conformance_tests`](crate::conformance_tests) makes `#[test]` functions of all laws; a program can also run
/// them by itself.
///
/// ```
/// use std::sync::Arc;
/// use job_store::{MemoryStore, Store, conformance::{Fixture, LAWS}};
///
/// #[derive(Default)]
/// struct Memory(MemoryStore);
///
/// impl Fixture for Memory {
///     fn open(&self) -> Arc<dyn Store> {
///         Arc::new(self.0.clone())
///     }
/// }
///
/// for law in LAWS.iter().filter(|law| law.name.contains("checkpoint")) {
///     println!("{}: {}", law.name, law.promises[0].sentence());
///     (law.run)(&Memory::default());
/// }
/// ```
pub struct Law<F: ?Sized + 'static = dyn Fixture> {
    /// The name of the law and of its test.
    pub name: &'static str,
    /// The promises of the contract that the law checks.
    pub promises: &'static [Promise],
    /// Runs the law on a new, empty fixture; panics when the store breaks it.
    pub run: fn(&F),
}

impl<F: ?Sized + 'static> Clone for Law<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: ?Sized + 'static> Copy for Law<F> {}

impl<F: ?Sized + 'static> fmt::Debug for Law<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Law").field("name", &self.name).field("promises", &self.promises).finish_non_exhaustive()
    }
}

const MODULES: &[&[Law]] = &[
    jobs::LAWS,
    results::LAWS,
    reopen::LAWS,
    race::LAWS,
    finding::LAWS,
    checkpoints::LAWS,
    failures::LAWS,
    unreadable::LAWS,
    whole::LAWS,
    crash::LAWS,
    damage::LAWS,
    cost::LAWS,
    filtered::LAWS,
    packing::LAWS,
];

/// Every law of [`JobStore`] and [`ResultStore`](crate::ResultStore).
pub const LAWS: &[Law] = &join::<_, { count(MODULES) }>(MODULES);

/// Every law of [`SharedStore`](crate::SharedStore), beside those of [`LAWS`].
pub const SHARING_LAWS: &[Law<dyn SharedFixture>] = sharing::LAWS;

const fn count(modules: &[&[Law]]) -> usize {
    let (mut all, mut module) = (0, 0);
    while module < modules.len() {
        all += modules[module].len();
        module += 1;
    }
    all
}

const fn join<F: ?Sized, const N: usize>(modules: &[&[Law<F>]]) -> [Law<F>; N] {
    let mut all = [modules[0][0]; N];
    let (mut next, mut module) = (0, 0);
    while module < modules.len() {
        let mut law = 0;
        while law < modules[module].len() {
            all[next] = modules[module][law];
            next += 1;
            law += 1;
        }
        module += 1;
    }
    all
}

/// Makes one `#[test]` per law. The argument is an expression that makes a new, empty [`Fixture`]. With `, skip`
/// behind it, the expression makes an `Option` of a fixture. The tests pass where it is `None`, because something
/// that the fixture needs is not installed.
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
            held_rows_are_those_of_a_read
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
            failed_attempts_are_kept_and_outlive_the_job
            failed_attempts_are_fenced_and_have_a_limit
            failed_attempts_go_with_their_job
            damaged_failed_attempts_are_not_handed_out
            rows_of_a_job_that_ends_without_a_result_go
            a_sound_store_verifies
            what_is_missing_is_found
            a_writer_says_what_can_be_read
            rows_that_are_shown_can_be_read_and_more_may_follow
            a_segment_whose_flush_was_started_is_finished_as_any_other
            a_large_segment_is_read_like_a_small_one
            two_segments_of_a_job_grow_side_by_side
            keys_work_reads_pins_and_checkpoints_survive_reopening
            a_record_that_cannot_be_read_hides_no_other
            what_cannot_be_read_is_removed_with_all_that_belongs_to_it
            every_option_of_a_request_is_read_back
            every_field_of_a_record_is_read_back
            the_least_and_the_greatest_id_are_jobs_like_others
            a_walk_over_many_jobs_meets_each_once
            a_job_is_unfinished_until_it_ends
            idempotency_keys_are_compared_byte_by_byte
            finished_work_is_told_apart
            a_result_is_read_back_whole_with_its_segments_in_order
            a_result_of_very_many_segments_is_read_back
            rows_are_handed_out_as_they_were_pushed
            segments_and_attempts_are_told_apart_by_their_whole_number
            an_attempt_that_is_cancelled_writes_until_its_end
            however_a_job_ends_with_a_result_it_keeps_its_rows
            no_row_stays_behind_a_job_that_ends_without_a_result
            discard_drops_up_to_an_attempt_and_no_further
            a_checkpoint_is_of_its_job_and_kept_byte_by_byte
            the_next_revision_is_one_more
            one_wrong_end_keeps_all_of_them_out
            one_wrong_job_keeps_the_whole_batch_out
            pins_and_notes_are_of_their_job
            a_reader_may_call_the_store
            nothing_leads_to_a_removed_job
            kinds_are_told_apart
            nobody_sees_a_record_before_its_result
            a_batch_is_seen_whole
            an_end_and_its_rows_are_seen_together
            a_killed_process_loses_nothing_that_was_acknowledged
            what_was_synced_survives_a_loss_of_power_with_all_before_it
            a_write_that_was_lost_with_the_power_has_never_been
            rows_that_were_on_their_way_when_the_process_died_harm_nobody
            a_damaged_record_is_not_handed_out
            a_damaged_result_is_not_handed_out
            damaged_rows_are_not_handed_out
            a_damaged_row_among_many_is_not_handed_out
            a_damaged_checkpoint_is_not_handed_out
            a_call_costs_what_it_asks_for_whatever_else_is_there
            a_page_costs_its_blocks_wherever_it_begins
            a_filter_shows_what_it_takes_page_by_page
            a_filter_by_state_follows_the_job
            a_removed_job_is_in_no_filtered_list
            a_job_that_ends_beside_a_walk_is_met_once
            a_list_beside_jobs_that_begin_has_all_up_to_the_last
            jobs_that_a_filter_takes_are_counted
            a_job_that_cannot_be_read_is_in_filtered_lists
            what_can_be_removed_is_counted
            jobs_come_in_the_order_of_their_last_use
            what_is_noted_of_a_running_job_counts_at_its_end
            every_page_of_a_large_block_is_the_slice_of_its_rows
            the_longest_row_is_read_back
            rows_that_do_not_shrink_are_read_back
        }
    };
    // The names of the laws, for the test that each law is listed.
    (@names $fixture:expr; $($law:ident)*) => {
        [$(stringify!($law)),*]
    };
    // The laws as functions, for a program that runs them all in one test.
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

/// The outcome of a law when the store breaks it.
pub(crate) type Broken = Box<dyn std::error::Error>;

/// Fails the test with the error of its law.
fn report(outcome: Result<(), Broken>) {
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
}

/// Calls `look` until it returns a value, or until the patience is over.
fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, Broken>,
) -> Result<T, Broken> {
    let since = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if since.elapsed() > patience {
            return Err(format!("this did not come about within {patience:?}: {what}").into());
        }
        thread::yield_now();
    }
}

/// Asks for the usage of one job.
trait UsageOfOne: JobStore {
    fn last_read(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.usage(&[id])?[0].last_read)
    }

    fn is_pinned(&self, id: JobId) -> Result<bool, StoreError> {
        Ok(self.usage(&[id])?[0].pinned)
    }
}

impl<S: JobStore + ?Sized> UsageOfOne for S {}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// The `n`-th job: ids ascend with `n`.
fn waiting(n: u64) -> JobRecord {
    let spec =
        JobSpec::algorithm("pagerank").with_graph("图").with_raw_parameters(job_core::Parameters::default());
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
    succeed(store, &running, at(6), &list(Vec::new()), Durability::Buffered)
}

/// Ends a running job with this result.
fn succeed(
    store: &dyn Store,
    running: &JobRecord,
    at: Timestamp,
    result: &JobResult,
    durability: Durability,
) -> Result<JobRecord, Broken> {
    let done = running.apply(Event::Succeed(result.size()), at)?;
    store.complete(&[(&done, result)], durability)?;
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
        found.extend(run.unpack()?.iter().filter_map(|row| serde_json::from_slice::<u64>(row).ok()));
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
    succeed(store, &running, at(n * 1_000 + 2), &result, Durability::Synced)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A law that is in no list is run on no backend.
    #[test]
    fn every_law_is_a_test_and_an_entry() {
        let tests = crate::conformance_tests! { @list names () };
        let sharing = crate::sharing_tests! { @list names () };
        let laws: BTreeSet<_> = LAWS.iter().map(|law| law.name).collect();
        assert_eq!((laws.len(), laws), (tests.len(), BTreeSet::from(tests)));
        let laws: BTreeSet<_> = SHARING_LAWS.iter().map(|law| law.name).collect();
        assert_eq!((laws.len(), laws), (sharing.len(), BTreeSet::from(sharing)));
    }

    /// Every law that takes a fixture is written with `law!`, so that it is an entry.
    #[test]
    fn no_law_is_written_by_hand() {
        let modules = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance")).unwrap();
        for path in modules.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("mod.rs")) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("pub fn") || path.ends_with("promise.rs"), "{}", path.display());
            assert!(text.matches("law! {").count() <= 1, "{}: its `LAWS` are those of one `law!`", path.display());
        }
    }

    #[test]
    fn every_promise_has_a_law() {
        let kept = LAWS.iter().map(|law| law.promises).chain(SHARING_LAWS.iter().map(|law| law.promises));
        let kept: Vec<_> = kept.flatten().collect();
        for promise in Promise::ALL {
            assert!(kept.contains(&promise), "no law is about {promise:?}: {}", promise.sentence());
        }
    }
}
