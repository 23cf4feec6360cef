//! The C interface beside the same work in Rust, in the same run. The work is a page through a callback, and rows of 100
//! bytes that are JSON already. `cargo bench -p job-ffi` prints the medians, and the median of the ratios of each round.
#![expect(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a program for people")]

use std::{
    ffi::{c_char, c_void},
    hint::black_box,
    io::{self, Write},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use job::{
    JOB_FOREVER, JOB_OK, JobContext, JobEngine, JobId, JobRows, JobStatus, job_builder_free, job_builder_handler,
    job_builder_new, job_context_rows, job_engine_free, job_engine_open, job_page_pieces, job_remove,
    job_rows_push, job_rows_push_many, job_rows_push_unchecked, job_submit, job_wait,
};
use job_runner::{Engine, JobContext as Context, JobError, JobHandle, JobSpec, PageRequest, store::MemoryStore};
use serde_json::value::RawValue;

const ROWS: usize = 300_000;
const PAGE: u32 = 100_000;
const BATCH: usize = 100;
const ROUNDS: usize = 15;

/// A row of 100 bytes.
const ROW: &str = concat!(
    r#"{"id":"v123456789","label":"person","properties":{"age":[24],"name":["Sarah Co"],"#,
    r#""score":[0.12345]}}"#
);

/// The nanoseconds that the last handler took to push its rows.
static TOOK: AtomicU64 = AtomicU64::new(0);

fn timed(push: impl FnOnce()) {
    let start = Instant::now();
    push();
    TOOK.store(u64::try_from(start.elapsed().as_nanos()).unwrap(), Ordering::Release);
}

fn ok(status: JobStatus) {
    assert_eq!(status, JOB_OK);
}

fn in_rust(context: &mut Context) -> Result<(), JobError> {
    let row: &RawValue = serde_json::from_str(ROW)?;
    let mut rows = context.rows("rows")?;
    timed(|| (0..ROWS).for_each(|_| rows.push(black_box(row)).unwrap()));
    Ok(())
}

/// As the host has no value that was checked before: each row is.
fn in_rust_checked(context: &mut Context) -> Result<(), JobError> {
    let mut rows = context.rows("rows")?;
    timed(|| {
        (0..ROWS).for_each(|_| rows.push(serde_json::from_str::<&RawValue>(black_box(ROW)).unwrap()).unwrap());
    });
    Ok(())
}

fn list(context: JobContext) -> JobRows {
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"rows".as_ptr().cast(), 4, &raw mut rows) });
    rows
}

unsafe extern "C-unwind" fn by_one(_: *mut c_void, context: JobContext) -> JobStatus {
    let rows = list(context);
    timed(|| {
        for _ in 0..ROWS {
            // SAFETY: the text has its length.
            ok(unsafe { job_rows_push_unchecked(rows, black_box(ROW).as_ptr().cast(), ROW.len()) });
        }
    });
    JOB_OK
}

unsafe extern "C-unwind" fn by_one_checked(_: *mut c_void, context: JobContext) -> JobStatus {
    let rows = list(context);
    timed(|| {
        for _ in 0..ROWS {
            // SAFETY: the text has its length.
            ok(unsafe { job_rows_push(rows, black_box(ROW).as_ptr().cast(), ROW.len()) });
        }
    });
    JOB_OK
}

unsafe extern "C-unwind" fn by_many(_: *mut c_void, context: JobContext) -> JobStatus {
    let rows = list(context);
    let (text, lengths) = (ROW.repeat(BATCH), [ROW.len(); BATCH]);
    timed(|| {
        for _ in 0..ROWS / BATCH {
            let text = black_box(text.as_ptr()).cast();
            // SAFETY: the texts have their lengths.
            ok(unsafe { job_rows_push_many(rows, text, lengths.as_ptr(), BATCH, 0) });
        }
    });
    JOB_OK
}

const KINDS: [(&str, unsafe extern "C-unwind" fn(*mut c_void, JobContext) -> JobStatus); 3] =
    [("by_one", by_one), ("by_one_checked", by_one_checked), ("by_many", by_many)];

fn open() -> JobEngine {
    let (mut builder, mut engine) = (0, 0);
    let options = r#"{"store":"memory","workers":1}"#;
    // SAFETY: the place may be written.
    ok(unsafe { job_builder_new(&raw mut builder) });
    for (kind, run) in KINDS {
        // SAFETY: the text has its length, and the function needs no data.
        ok(unsafe {
            job_builder_handler(builder, kind.as_ptr().cast(), kind.len(), Some(run), ptr::null_mut(), None)
        });
    }
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_engine_open(builder, options.as_ptr().cast(), options.len(), &raw mut engine) });
    ok(job_builder_free(builder));
    engine
}

/// Runs a job to its end.
fn run_in_c(engine: JobEngine, kind: &str) -> JobId {
    let spec = format!(r#"{{"kind":{{"algorithm":"{kind}"}},"graph":"g"}}"#);
    let mut job = JobId { bytes: [0; 16] };
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_submit(engine, spec.as_ptr().cast(), spec.len(), 0, &raw mut job) });
    // SAFETY: the id is there.
    ok(unsafe { job_wait(engine, &raw const job, JOB_FOREVER, ptr::null_mut()) });
    job
}

fn run_in_rust(engine: &Engine, kind: &str) -> JobHandle {
    let job = engine.submit(JobSpec::algorithm(kind).with_graph("g")).unwrap();
    job.wait().unwrap();
    job
}

fn took() -> f64 {
    TOOK.load(Ordering::Acquire) as f64
}

/// The nanoseconds of the pushes of such a job.
fn pushes_in_c(engine: JobEngine, kind: &str) -> f64 {
    let job = run_in_c(engine, kind);
    // SAFETY: the id is there.
    ok(unsafe { job_remove(engine, &raw const job) });
    took()
}

fn pushes_in_rust(engine: &Engine, kind: &str) -> f64 {
    engine.remove(run_in_rust(engine, kind).id()).unwrap();
    took()
}

/// Copies pieces into a buffer that is used again.
struct Body(Vec<u8>);

impl Write for &mut Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

unsafe extern "C-unwind" fn append(data: *mut c_void, bytes: *const c_char, length: usize) -> i32 {
    // SAFETY: the caller gives this data.
    let body = unsafe { &mut *data.cast::<Body>() };
    // SAFETY: the library gives the bytes.
    body.0.extend_from_slice(unsafe { std::slice::from_raw_parts(bytes.cast(), length) });
    0
}

fn page_in_c(engine: JobEngine, job: &JobId, body: &mut Body) -> f64 {
    body.0.clear();
    let start = Instant::now();
    // SAFETY: the id is there, and the function is for this data.
    ok(unsafe {
        job_page_pieces(engine, job, 0, PAGE, Some(append), ptr::from_mut(body).cast(), ptr::null_mut())
    });
    start.elapsed().as_nanos() as f64
}

fn page_in_rust(job: &JobHandle, mut body: &mut Body) -> f64 {
    body.0.clear();
    let start = Instant::now();
    job.page(PageRequest::new(0, PAGE).unwrap()).unwrap().write_to(&mut body).unwrap();
    start.elapsed().as_nanos() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs both in turn, another one first each time, and prints a line.
fn compare(what: &str, per: f64, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) {
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|round| {
            if round % 2 == 0 {
                let ours = ours();
                (ours, theirs())
            } else {
                let theirs = theirs();
                (ours(), theirs)
            }
        })
        .collect();
    let column = |of: fn(&(f64, f64)) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
    let (ours, theirs, ratio) = (column(|round| round.0), column(|round| round.1), column(|(a, b)| a / b));
    println!("{what:<44} {:>12.1} {:>12.1} {:>9.3}", ours / per, theirs / per, ratio);
}

fn main() {
    assert_eq!(ROW.len(), 100);
    let engine = open();
    let rust = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("in_rust", in_rust)
        .algorithm("in_rust_checked", in_rust_checked)
        .workers(1)
        .open()
        .unwrap();
    println!("{:<44} {:>12} {:>12} {:>9}", "", "C", "Rust", "C / Rust");
    for (what, ours, theirs) in [
        ("ns a row: unchecked, one a call", "by_one", "in_rust"),
        ("ns a row: unchecked, 100 a call", "by_many", "in_rust"),
        ("ns a row: checked, one a call", "by_one_checked", "in_rust_checked"),
    ] {
        compare(what, ROWS as f64, || pushes_in_c(engine, ours), || pushes_in_rust(&rust, theirs));
    }
    let (ours, theirs) = (run_in_c(engine, "by_one"), run_in_rust(&rust, "in_rust"));
    let mut bodies = (Body(Vec::new()), Body(Vec::new()));
    page_in_c(engine, &ours, &mut bodies.0);
    page_in_rust(&theirs, &mut bodies.1);
    assert_eq!(bodies.0.0, bodies.1.0);
    let (mine, other) = (&mut bodies.0, &mut bodies.1);
    compare(
        "us a page of 100,000 rows, 10 MB, in pieces",
        1e3,
        || page_in_c(engine, &ours, mine),
        || page_in_rust(&theirs, other),
    );
    ok(job_engine_free(engine));
}
