//! A process that runs out of file descriptors while it works, and gets them back.

use std::{
    fs::File,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use job_runner::{
    Durability, Ending, Engine, EngineError, JobContext, JobHandle, JobSpec, JobState, PageRequest, RetryPolicy,
    store::{RocksStore, Store},
};
use serde_json::value::RawValue;

use crate::{child, script::row};

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Starved {
    pub acknowledged: usize,
    /// Submissions that were refused, each with a reason.
    pub refused: usize,
    /// Attempts that came to nothing.
    pub failed_attempts: u32,
}

/// Works on a new store with no descriptor left, then with all of them again; the limit is the caller's.
///
/// # Panics
/// When something that was acknowledged is lost or wrong, an error has no reason, or the engine does not recover.
#[must_use]
pub fn starve(directory: &Path) -> Starved {
    let store: Arc<dyn Store> =
        Arc::new(RocksStore::open(directory, child::options()).expect("an empty store opens"));
    let engine = engine(store);
    let first = submit(&engine, 2_000).expect("all is well");
    first.wait().expect("all is well");
    let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let (mut acknowledged, mut refused) = (vec![(first, 2_000)], 0);
    for turn in 0..100 {
        // The large ones need files of their own; all of them fill the memory of the store, which then needs a file too.
        let rows = if turn % 10 == 0 { 2_000 } else { 10 };
        match submit(&engine, rows) {
            Ok(job) => acknowledged.push((job, rows)),
            Err(error) => {
                assert!(error.to_string().contains("Too many open files"), "{error}");
                refused += 1;
            }
        }
    }
    wait_for_hunger(&acknowledged, refused);
    drop(hoard);
    recover(&engine);
    let failed_attempts = acknowledged.iter().map(|(job, rows)| check(&engine, job, *rows)).sum();
    Starved { acknowledged: acknowledged.len(), refused, failed_attempts }
}

fn engine(store: Arc<dyn Store>) -> Engine {
    Engine::builder(store)
        .workers(1)
        .durability(Durability::Buffered)
        .retry(RetryPolicy { first: Duration::from_millis(5), most: Duration::from_millis(50) })
        .vertex_filter(|ctx: &mut JobContext| {
            let (count, _): (u64, String) = ctx.spec().json().read()?;
            let mut rows = ctx.rows("vertices")?;
            (0..count).try_for_each(|n| rows.push(&RawValue::from_string(row(7, n))?))
        })
        .open()
        .expect("an empty store opens")
}

fn submit(engine: &Engine, rows: u64) -> Result<JobHandle, EngineError> {
    let parameters = (rows, "x".repeat(256 << 10));
    let spec = JobSpec::vertex_filter().graph("g").parameters(&parameters).expect("a number and a text");
    engine.submit(spec.max_attempts(u32::MAX))
}

/// Until the lack was felt, at least once.
fn wait_for_hunger(jobs: &[(JobHandle, u64)], refused: usize) {
    patiently("nothing needed a descriptor", || {
        refused > 0 || jobs.iter().any(|(job, _)| job.record().failed_attempts > 0)
    });
}

/// Until the engine takes jobs again.
fn recover(engine: &Engine) {
    patiently("the engine does not recover", || {
        engine.health().is_ok() && submit(engine, 1).is_ok_and(|job| job.wait().is_ok())
    });
}

/// Waits for the end of a job and compares its rows; how many attempts failed comes back.
fn check(engine: &Engine, job: &JobHandle, rows: u64) -> u32 {
    let record = job.wait().expect("the engine is well");
    assert_eq!(record.state, JobState::Complete(Ending::Succeeded), "{record:?}");
    let page = engine.reader().page(job.id(), PageRequest::default()).expect("the store is well");
    let found: Vec<Box<RawValue>> = page.rows().expect("the store is well");
    assert_eq!(found.len() as u64, rows);
    assert!(found.iter().zip(0..).all(|(found, number)| found.get() == row(7, number)), "rows of {}", job.id());
    record.failed_attempts
}

fn patiently(otherwise: &str, mut done: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_mins(2);
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{otherwise}");
        thread::sleep(Duration::from_millis(10));
    }
}
