//! The counted events, each counted once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use job_runner::{JobContext, JobError, Retention};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use parking_lot::Mutex;

use crate::support::{Rig, count, drain, job, numbers};

/// Adds up counters, and counts the values of histograms.
#[derive(Debug, Default)]
struct Tally(Mutex<BTreeMap<String, Arc<AtomicU64>>>, Mutex<BTreeMap<String, Arc<AtomicU64>>>);

struct Entries(Arc<AtomicU64>);

impl HistogramFn for Entries {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Tally {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: String = key.labels().map(|label| format!(" {}", label.value())).collect::<Vec<_>>().concat();
        Arc::clone(self.0.lock().entry(format!("{}{labels}", key.name())).or_default())
    }

    /// The last values of gauges.
    fn gauge(&self, name: &str) -> Option<f64> {
        self.1.lock().get(name).map(|cell| f64::from_bits(cell.load(Ordering::SeqCst)))
    }

    fn seen(&self) -> Vec<(String, u64)> {
        self.0.lock().iter().map(|(name, cell)| (name.clone(), cell.load(Ordering::SeqCst))).collect()
    }
}

impl Recorder for Tally {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let labels: String = key.labels().map(|label| format!(" {}", label.value())).collect::<Vec<_>>().concat();
        Gauge::from_arc(Arc::clone(self.1.lock().entry(format!("{}{labels}", key.name())).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Entries(self.cell(key))))
    }
}

#[test]
fn gauges_say_what_waits_and_for_how_long() {
    let tally = Tally::default();
    with_local_recorder(&tally, || {
        let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
        rig.queue(count(10));
        rig.clock.advance(Duration::from_secs(7));
        rig.queue(count(10));
        rig.engine.driver().tick().unwrap();
    });
    assert_eq!(tally.gauge("jobs_waiting read"), Some(2.0));
    assert_eq!(tally.gauge("job_oldest_waiting_seconds read"), Some(7.0));
    assert_eq!((tally.gauge("jobs_running read"), tally.gauge("jobs_waiting write")), (Some(0.0), Some(0.0)));
}

#[test]
fn every_start_and_every_end_is_counted_once() {
    let tally = Tally::default();
    with_local_recorder(&tally, || {
        let rig =
            Rig::new(|builder| {
                builder
                    .algorithm("numbers", numbers)
                    .algorithm("again", |ctx: &mut JobContext| {
                        if ctx.attempt() == 1 { Err(JobError::transient("again")) } else { Ok(()) }
                    })
                    .algorithm("bad", |_: &mut JobContext| Err(JobError::failed("bad")))
                    .retention(Retention::default().max_jobs(1))
            });
        rig.queue(count(10));
        rig.queue(job("again"));
        rig.queue(job("bad"));
        rig.submit(job("bad")).cancel().unwrap();
        drain(&rig.engine);
        rig.clock.advance(Duration::from_mins(1));
        drain(&rig.engine);
        rig.engine.driver().tick().unwrap();
    });
    let seen = tally.seen();
    let seen: Vec<_> = seen.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(
        seen,
        [
            ("job_ran_seconds read failed", 1),
            ("job_ran_seconds read succeeded", 2),
            ("job_row_bytes_written_total", 19),
            ("job_rows_written_total", 10),
            ("job_waited_seconds read", 4),
            ("jobs_ended_total read cancelled", 1),
            ("jobs_ended_total read failed", 1),
            ("jobs_ended_total read succeeded", 2),
            ("jobs_removed_total", 3),
            ("jobs_started_total read", 4),
            ("jobs_submitted_total", 4),
        ]
    );
}
