//! Tests in which a process dies at each step of an export, and the next attempt goes on from there.
//!
//! A death is a thread that blocks for ever inside a call to the store. No code after it runs, no destructor
//! either. The next engine takes over the store, as after the end of a process.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use cap_std::fs::Dir;
use job_runner::{
    Engine, JobHandle, JobRecord, JobSpec,
    store::{Fault, FaultStore, MemoryStore, Moment},
};

use super::*;

const NAME: &str = "out/rows.jsonl";
const WHOLE: &str = "0\n1\n2\n";
const THEIRS: &str = "9\n9\n9\n";

/// The link of a file system without hard links: it fails.
fn no_link(_: &Dir, _: &str, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::PermissionDenied.into())
}

fn engine(store: Arc<dyn Store>, directory: &Path, link: Link, workers: usize) -> Engine {
    let exporter = Exporter { link, ..Exporter::new(Arc::clone(&store), directory) };
    let builder = Engine::builder(store);
    let builder = if workers == 0 { builder.manual() } else { builder.workers(workers) };
    builder
        .shutdown_timeout(Duration::ZERO)
        .algorithm(Exporter::KIND, exporter)
        .vertex_filter(|ctx: &mut JobContext| {
            let mut rows = ctx.rows("vertices")?;
            (0..3).try_for_each(|n| rows.push(&n))
        })
        .open()
        .unwrap()
}

/// A process that stops at a step of its export.
struct Stopped {
    engine: Arc<Engine>,
    /// Sending lets the export go on.
    go: Sender<()>,
    /// Receives `true` when the export stops before a step, and `false` when it has ended.
    told: Receiver<bool>,
}

/// An export that waits before a step, and the directory of its file.
struct Waiting {
    store: Arc<dyn Store>,
    directory: tempfile::TempDir,
    link: Link,
    source: JobId,
    export: JobId,
}

impl Waiting {
    fn new(link: Link, erase: bool) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let directory = tempfile::tempdir().unwrap();
        let engine = engine(Arc::clone(&store), directory.path(), link, 0);
        let submit = |spec: JobSpec| engine.submit(spec.with_graph("movies")).unwrap().id();
        let source = submit(JobSpec::vertex_filter());
        assert!(engine.driver().run_one().is_some());
        let export = Export { source, path: NAME.to_owned(), format: Format::Jsonl, erase, guard_formulas: false };
        let export = submit(JobSpec::algorithm(Exporter::KIND).with_parameters(&export).unwrap());
        Self { store, directory, link, source, export }
    }

    /// Runs the job in a process that stops around its writes to the store. At `step` 0 it stops before the first
    /// write, at 1 after it, at 2 before the second, and so on.
    fn run_until(&self, step: u64) -> Stopped {
        let (tell, told) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let (stopped, wait) = (tell.clone(), Mutex::new(wait));
        let hook = move |moment, write| {
            if 2 * write + u64::from(moment == Moment::After) == step {
                let _ = stopped.send(true);
                let _ = wait.lock().unwrap().recv();
            }
        };
        let store = Arc::new(FaultStore::with_hook(Arc::clone(&self.store), hook));
        let engine = Arc::new(engine(store, self.directory.path(), self.link, 0));
        let runs = Arc::clone(&engine);
        thread::spawn(move || {
            runs.driver().run_one();
            let _ = tell.send(false);
        });
        Stopped { engine, go, told }
    }

    /// How many writes the job takes from its start to its end.
    fn writes(&self) -> u64 {
        let store = Arc::new(FaultStore::new(Arc::clone(&self.store)));
        let engine = engine(Arc::clone(&store) as _, self.directory.path(), self.link, 0);
        store.plan(Fault::Never);
        assert!(engine.driver().run_one().is_some());
        assert_eq!(self.text().as_deref(), Some(WHOLE));
        store.writes()
    }

    /// Runs the job to its end in another process.
    fn finish(&self) -> JobRecord {
        let engine = engine(Arc::clone(&self.store), self.directory.path(), self.link, 1);
        let job: Option<JobHandle> = engine.job(self.export).unwrap();
        job.unwrap().wait().unwrap()
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(self.file()).ok()
    }

    fn names(&self) -> Vec<String> {
        let directory = self.directory.path().join("out");
        let names = fs::read_dir(directory).into_iter().flatten();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Stopped {
    /// Waits until the export stops or ends. Returns whether it stopped before its end.
    fn wait(&self) -> bool {
        self.told.recv_timeout(Duration::from_mins(1)).unwrap()
    }

    /// Leaves the store to the next process. It may still go on.
    fn pauses(&self) {
        self.engine.shutdown(Duration::ZERO);
    }

    /// Ends the export for ever, as the death of its process does.
    fn dies(self) {
        self.pauses();
        std::mem::forget(self.go);
    }
}

fn is_good(record: &JobRecord) -> bool {
    record.state == JobState::Complete(Outcome::Succeeded)
}

fn why(record: &JobRecord) -> &str {
    record.failure.as_ref().map_or("", |failure| &failure.message)
}

/// Stops an export at each of its own steps in turn, and gives it to `each`. Returns how many writes it makes of
/// its own. The first and the last write are the engine's: the start and the end of the job.
fn at_each_step(link: Link, erase: bool, mut each: impl FnMut(u64, &Waiting, Stopped)) -> u64 {
    let writes = Waiting::new(link, erase).writes();
    for step in 2..2 * (writes - 1) {
        let job = Waiting::new(link, erase);
        let process = job.run_until(step);
        assert!(process.wait(), "step {step}");
        each(step, &job, process);
    }
    writes - 2
}

#[test]
fn whenever_a_process_dies_the_next_attempt_ends_the_export() {
    for erase in [false, true] {
        let steps = at_each_step(place::hard_link, erase, |step, job, process| {
            process.dies();
            let record = job.finish();
            assert!(is_good(&record), "step {step}: {}", why(&record));
            assert_eq!(job.text().as_deref(), Some(WHOLE), "step {step}");
            assert_eq!(job.names(), ["rows.jsonl"], "step {step}");
            assert_eq!(job.store.get(job.source).unwrap().is_none(), erase, "step {step}");
            let result = job.store.result(job.export).unwrap().unwrap();
            let outputs: Vec<String> =
                result.outputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(
                outputs,
                [format!("file={NAME:?}"), "rows=3".to_owned(), "bytes=6".to_owned()],
                "step {step}"
            );
        });
        assert_eq!(steps, 2 + u64::from(erase), "two notes and the erasing");
    }
}

/// One step leaves an empty file that cannot be told from a foreign one. The next attempt leaves it alone and
/// fails.
#[test]
fn without_hard_links_the_next_attempt_ends_the_export_too() {
    let mut refused = Vec::new();
    at_each_step(no_link, true, |step, job, process| {
        process.dies();
        let record = job.finish();
        if is_good(&record) {
            assert_eq!((job.text().as_deref(), job.names().len()), (Some(WHOLE), 1), "step {step}");
        } else {
            assert!(why(&record).contains("a file of this name exists; name another"), "{}", why(&record));
            assert_eq!(job.text().as_deref(), Some(""));
            assert!(job.store.get(job.source).unwrap().is_some(), "nothing is erased");
            refused.push(step);
        }
    });
    assert_eq!(refused, [4], "before the note about the file that was just made");
}

/// An attempt continues a copy at the byte where an earlier attempt ended, wherever that is.
#[test]
fn without_hard_links_a_file_that_was_begun_is_ended() {
    for cut in 0..=WHOLE.len() {
        let job = Waiting::new(no_link, false);
        let process = job.run_until(5);
        assert!(process.wait());
        process.dies();
        fs::write(job.file(), &WHOLE[..cut]).unwrap();
        let record = job.finish();
        assert!(is_good(&record), "{cut}: {}", why(&record));
        assert_eq!((job.text().as_deref(), job.names().len()), (Some(WHOLE), 1), "{cut}");
    }
}

#[test]
fn a_file_of_somebody_else_stays_in_every_attempt() {
    for link in [place::hard_link as Link, no_link] {
        at_each_step(link, true, |step, job, process| {
            process.dies();
            // Another file probably gets the same number, in file systems that use the numbers of removed files
            // again.
            fs::create_dir_all(job.directory.path().join("out")).unwrap();
            let _ = fs::remove_file(job.file());
            fs::write(job.file(), THEIRS).unwrap();
            let gone = job.store.get(job.source).unwrap().is_none();
            let record = job.finish();
            assert_eq!(job.text().as_deref(), Some(THEIRS), "step {step}");
            assert!(gone || !is_good(&record), "step {step}");
            assert_eq!(
                job.store.get(job.source).unwrap().is_none(),
                gone,
                "step {step}: erased for another's file"
            );
        });
    }
}

/// A foreign file with the same bytes is still foreign.
#[test]
fn a_file_that_came_between_two_attempts_is_not_the_jobs_own_whatever_is_in_it() {
    for link in [place::hard_link as Link, no_link] {
        // Before and after the note about the draft.
        for step in [2, 3] {
            let job = Waiting::new(link, true);
            let process = job.run_until(step);
            assert!(process.wait());
            process.dies();
            fs::write(job.file(), WHOLE).unwrap();
            let record = job.finish();
            assert!(why(&record).contains("a file of this name exists; name another"), "{}", why(&record));
            assert!(job.store.get(job.source).unwrap().is_some(), "nothing is erased");
            assert_eq!((job.text().as_deref(), job.names().len()), (Some(WHOLE), 1));
        }
    }
}

/// A paused process goes on after a later attempt has ended, and changes nothing.
#[test]
fn an_attempt_that_wakes_up_too_late_harms_nothing() {
    for link in [place::hard_link as Link, no_link] {
        at_each_step(link, false, |step, job, process| {
            process.pauses();
            let record = job.finish();
            let (good, text) = (is_good(&record), job.text());
            process.go.send(()).unwrap();
            assert!(!process.wait(), "it comes to its end");
            assert_eq!(is_good(&job.store.get(job.export).unwrap().unwrap()), good, "step {step}");
            if good {
                assert_eq!((job.text(), job.names().len()), (text, 1), "step {step}");
            }
        });
    }
}
