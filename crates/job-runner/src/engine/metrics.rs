//! Counters, gauges and histograms for a recorder of the `metrics` facade, if one is installed.
//!
//! | name | kind | labels | measures |
//! | --- | --- | --- | --- |
//! | `jobs_submitted_total` | counter | | new jobs |
//! | `jobs_started_total` | counter | `class` | attempts that began |
//! | `jobs_ended_total` | counter | `class`, `ending` | jobs that ended |
//! | `jobs_removed_total` | counter | | jobs that retention removed |
//! | `job_waited_seconds` | histogram | `class` | from submission to the start of an attempt |
//! | `job_ran_seconds` | histogram | `class`, `ending` | from the start of the last attempt to the end |
//! | `job_cancel_seconds` | histogram | | from the first cancel request to the end |
//! | `job_rows_written_total`, `job_row_bytes_written_total` | counter | | stored rows, and their bytes of JSON |
//! | `job_row_bytes_stored_total` | counter | | the same rows in bytes of their blocks, packed where the store packs them |
//! | `jobs_waiting`, `jobs_running` | gauge | `class` | jobs at this moment |
//! | `job_oldest_waiting_seconds`, `job_oldest_running_seconds` | gauge | `class` | the longest time; 0 without a job |
//! | `jobs_cancelling` | gauge | | running jobs with a cancel request |
//!
//! `class` is `read` or `write`; `ending` is `succeeded`, `failed` or `cancelled`. All figures are of one engine.
//! Gauges are set every 10 s and by [`Driver::tick`](crate::Driver::tick). [`Stats`] gives the figures at any
//! other moment.

use job_core::{JobRecord, JobState};
use metrics::{Counter, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use std::{
    mem,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{engine::stats::Stats, seam::shield};

/// The handles of the metrics, which are looked up once.
pub(crate) struct Metrics {
    submitted: Counter,
    removed: Counter,
    rows: Counter,
    bytes: Counter,
    packed: Counter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        record(describe);
        let handle = |register: fn() -> Counter| shield::run(register).unwrap_or_else(|_| Counter::noop());
        Self {
            submitted: handle(|| counter!("jobs_submitted_total")),
            removed: handle(|| counter!("jobs_removed_total")),
            rows: handle(|| counter!("job_rows_written_total")),
            bytes: handle(|| counter!("job_row_bytes_written_total")),
            packed: handle(|| counter!("job_row_bytes_stored_total")),
        }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        for counter in [&mut self.submitted, &mut self.removed, &mut self.rows, &mut self.bytes] {
            shield::discard(mem::replace(counter, Counter::noop()));
        }
    }
}

/// Calls the recorder of the host. If it panics, the figure is lost, and no job.
fn record(call: impl FnOnce()) {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if let Err(message) = shield::run(call)
        && !PANICKED.swap(true, Ordering::Relaxed)
    {
        tracing::error!(message, "the recorder of metrics panicked: figures are lost");
    }
}

impl Metrics {
    pub(crate) fn submitted(&self, jobs: usize) {
        record(|| self.submitted.increment(jobs as u64));
    }

    pub(crate) fn removed(&self, jobs: u64) {
        record(|| self.removed.increment(jobs));
    }

    pub(crate) fn rows_written(&self, rows: u64, bytes: u64, packed: u64) {
        record(|| {
            self.rows.increment(rows);
            self.bytes.increment(bytes);
            self.packed.increment(packed);
        });
    }

    pub(crate) fn gauges(stats: &Stats) {
        record(|| gauges(stats));
    }

    #[expect(clippy::unused_self, reason = "labels differ from job to job, so there is no handle to keep")]
    pub(crate) fn started(&self, job: &JobRecord) {
        record(|| started(job));
    }

    #[expect(clippy::unused_self, reason = "labels differ from job to job, so there is no handle to keep")]
    pub(crate) fn ended(&self, job: &JobRecord) {
        record(|| ended(job));
    }
}

/// Tells the recorder the meaning of each metric. docs/operate.md has the same texts.
fn describe() {
    describe_counter!("jobs_submitted_total", "new jobs");
    describe_counter!("jobs_started_total", "attempts that began");
    describe_counter!("jobs_ended_total", "jobs that ended");
    describe_counter!("jobs_removed_total", "jobs that retention removed");
    describe_counter!("job_rows_written_total", "stored rows");
    describe_counter!("job_row_bytes_written_total", "bytes of JSON of the stored rows");
    describe_counter!(
        "job_row_bytes_stored_total",
        "the same rows in bytes of their blocks, packed where the store packs them"
    );
    describe_histogram!("job_waited_seconds", "from submission to the start of an attempt");
    describe_histogram!("job_ran_seconds", "from the start of the last attempt to the end");
    describe_histogram!("job_cancel_seconds", "from the first cancel request to the end");
    describe_gauge!("jobs_waiting", "jobs that wait");
    describe_gauge!("jobs_running", "jobs that run");
    describe_gauge!("jobs_cancelling", "running jobs with a cancel request");
    describe_gauge!("job_oldest_waiting_seconds", "how long the oldest waiting job has waited; 0 without one");
    describe_gauge!("job_oldest_running_seconds", "how long the oldest running job has run; 0 without one");
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn gauges(stats: &Stats) {
    for (class, of) in [("read", stats.read), ("write", stats.write)] {
        gauge!("jobs_waiting", "class" => class).set(of.waiting as f64);
        gauge!("jobs_running", "class" => class).set(of.running as f64);
        gauge!("job_oldest_waiting_seconds", "class" => class).set(of.oldest_waiting);
        gauge!("job_oldest_running_seconds", "class" => class).set(of.oldest_running);
    }
    gauge!("jobs_cancelling").set(stats.cancelling as f64);
}

fn started(record: &JobRecord) {
    let class = record.spec.options().class.as_str();
    counter!("jobs_started_total", "class" => class).increment(1);
    if let Some(started) = record.started_at {
        histogram!("job_waited_seconds", "class" => class).record(started.since(record.submitted_at));
    }
}

fn ended(record: &JobRecord) {
    let class = record.spec.options().class.as_str();
    let ending = match record.state {
        JobState::Complete(job_core::Outcome::Succeeded) => "succeeded",
        JobState::Complete(job_core::Outcome::Failed) => "failed",
        _ => "cancelled",
    };
    counter!("jobs_ended_total", "class" => class, "ending" => ending).increment(1);
    let Some(finished) = record.finished_at else { return };
    if let Some(started) = record.started_at {
        let ran = finished.since(started);
        histogram!("job_ran_seconds", "class" => class, "ending" => ending).record(ran);
    }
    if let Some(requested) = record.cancel_requested_at {
        histogram!("job_cancel_seconds").record(finished.since(requested));
    }
}
