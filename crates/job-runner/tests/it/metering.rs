//! The counted events, each counted once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use job_runner::{JobContext, JobError, Retention};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use parking_lot::Mutex;

use crate::support::{Rig, count, drain, gated, job, numbers};

/// Adds up counters, and counts the values of histograms.
#[derive(Debug, Default)]
struct Tally(Mutex<BTreeMap<String, Arc<AtomicU64>>>, Mutex<BTreeMap<String, Arc<AtomicU64>>>, Described);

/// Kind and meaning of each metric that was described, and the names that were used.
#[derive(Debug, Default)]
struct Described {
    told: Mutex<BTreeMap<String, (&'static str, String)>>,
    used: Mutex<BTreeMap<String, (&'static str, BTreeSet<String>)>>,
}

impl Described {
    fn tell(&self, name: &KeyName, kind: &'static str, meaning: &SharedString) {
        self.told.lock().insert(name.as_str().to_owned(), (kind, meaning.to_string()));
    }

    fn note(&self, key: &Key, kind: &'static str) {
        let labels = key.labels().map(|label| label.key().to_owned());
        self.used.lock().entry(key.name().to_owned()).or_insert((kind, BTreeSet::new())).1.extend(labels);
    }
}

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
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.2.tell(&name, "counter", &meaning);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.2.tell(&name, "gauge", &meaning);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.2.tell(&name, "histogram", &meaning);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.2.note(key, "counter");
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.2.note(key, "gauge");
        let labels: String = key.labels().map(|label| format!(" {}", label.value())).collect::<Vec<_>>().concat();
        Gauge::from_arc(Arc::clone(self.1.lock().entry(format!("{}{labels}", key.name())).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.2.note(key, "histogram");
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
            ("job_row_bytes_stored_total", 72),
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

/// The page for operators is the one list of the metrics, so it must be whole and right.
#[test]
fn the_metrics_in_the_document_are_those_that_are_emitted() {
    let tally = Tally::default();
    with_local_recorder(&tally, || {
        let (gate, stops) = gated();
        let rig = Rig::new(|builder| {
            builder
                .algorithm("numbers", numbers)
                .algorithm("stops", stops)
                .retention(Retention::default().max_jobs(1))
        });
        rig.queue(count(10));
        let stopped = rig.submit(job("stops"));
        // The recorder is of this thread, so this thread runs the jobs.
        thread::scope(|scope| {
            scope.spawn(|| {
                gate.entered();
                drop(stopped.cancel().unwrap());
                gate.open();
            });
            drain(&rig.engine);
        });
        rig.clock.advance(Duration::from_mins(1));
        rig.engine.driver().tick().unwrap();
    });
    let Described { told, used } = tally.2;
    let (told, used) = (told.into_inner(), used.into_inner());
    assert_eq!(told.keys().collect::<Vec<_>>(), used.keys().collect::<Vec<_>>(), "each metric has a description");
    let expected: BTreeSet<String> = told
        .iter()
        .map(|(name, (kind, meaning))| {
            let (used, labels) = &used[name];
            assert_eq!(used, kind, "{name}");
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{name}` | {kind} | {} | {meaning} |", labels.join(", "))
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.split_once("| metric | kind | labels | measures |").unwrap().1;
    let rows: BTreeSet<String> =
        table.lines().skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect();
    assert_eq!(rows, expected);
    let panel = text.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let panel: serde_json::Value = serde_json::from_str(panel).unwrap();
    for target in panel["targets"].as_array().unwrap() {
        let query = target["expr"].as_str().unwrap();
        let words = query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let mut named = words.filter(|word| word.starts_with("job"));
        assert!(named.any(|word| told.contains_key(word.trim_end_matches("_bucket"))), "{query}");
    }
}
