//! [`Bystander`]: a process with a job that kills it every time it runs, and other jobs, which must not fail.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use job_runner::{
    Engine, EngineBuilder, FailureKind, JobContext, JobError, JobId, JobRecord, JobSpec, JobState, Outcome,
    PageRequest,
    store::{PostgresOptions, PostgresStore, RocksStore, Store},
};
use serde::{Deserialize, Serialize};

use crate::child;

/// How long a claim lasts.
const LEASE: Duration = Duration::from_millis(1_500);
/// Rows of a job that does not kill its process.
const ROWS: u64 = 500;
/// After this time the run counts as stuck, also on a slow machine.
const STUCK: Duration = Duration::from_mins(3);

/// The task of the process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bystander {
    /// Submits the jobs, unless they are there, and runs them to their ends.
    Alone(PathBuf),
    /// Runs what others submit to this database, until its standard input ends.
    Sharing(String),
}

/// The number of running bodies of this process that do not kill it.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// A body that stays, in its first attempt, until the process dies.
fn long(ctx: &mut JobContext) -> Result<(), JobError> {
    INSIDE.fetch_add(1, Ordering::SeqCst);
    while ctx.attempt() == 1 {
        ctx.check_stopped()?;
        thread::yield_now();
    }
    let mut rows = ctx.rows("vertices")?;
    (0..ROWS).try_for_each(|row| rows.push(&row))
}

/// A body that kills its process. In its first attempt it waits until other bodies run.
fn kill(ctx: &mut JobContext) -> Result<(), JobError> {
    while ctx.attempt() == 1 && INSIDE.load(Ordering::SeqCst) < 2 {
        ctx.check_stopped()?;
        thread::yield_now();
    }
    std::process::abort();
}

fn specs() -> [JobSpec; 3] {
    ["long", "kill", "long"].map(|name| JobSpec::algorithm(name).with_graph("movies"))
}

fn handlers<S>(builder: EngineBuilder<S>) -> EngineBuilder<S> {
    builder.algorithm("long", long).algorithm("kill", kill).workers(4)
}

impl Bystander {
    /// Works until everything has ended, or a job ends the process.
    #[must_use]
    pub fn work(&self) -> ExitCode {
        match self {
            Self::Alone(path) => {
                let store: Arc<dyn Store> = Arc::new(RocksStore::open(path, child::options()).expect("it opens"));
                let engine = handlers(Engine::builder(store)).open().expect("the engine opens");
                let mut jobs = engine.reader().list(PageRequest::default()).expect("readable");
                if jobs.is_empty() {
                    let submitted = engine.submit_all(specs()).expect("the engine takes jobs");
                    jobs = submitted.iter().map(job_runner::JobHandle::record).collect();
                }
                for job in jobs {
                    engine.job(job.id).expect("readable").expect("it is there").wait().expect("it ends");
                }
            }
            Self::Sharing(url) => {
                let store = PostgresStore::open(url, PostgresOptions::default()).expect("it opens");
                let builder =
                    Engine::builder_shared(Arc::new(store)).lease_duration(LEASE).poll_interval(LEASE / 10);
                let _engine = handlers(builder).open().expect("the engine opens");
                let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            }
        }
        ExitCode::SUCCESS
    }

    fn start(&self, program: &Path) -> Process {
        let mut command = Command::new(program);
        command.arg("bystander").arg(serde_json::to_string(self).expect("a task is JSON"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Process(command.spawn().expect("the program starts"))
    }
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs one process after another on a store on disk. Returns how many died.
///
/// # Panics
/// When a job that is no killer does not succeed, or the killer does not fail.
#[must_use]
pub fn alone(program: &Path) -> u32 {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let task = Bystander::Alone(directory.path().to_owned());
    let mut deaths = 0;
    while !task.start(program).0.wait().expect("it ends").success() {
        deaths += 1;
        assert!(deaths < 20, "the process dies for ever");
    }
    let store = RocksStore::open(directory.path(), child::options()).expect("it opens");
    check(&store.list(None, 0, 10).expect("readable"));
    deaths
}

/// Runs two processes on one database, and another for each that dies. Returns how many died.
///
/// # Panics
/// When [`alone`] panics, and when no job ends.
#[must_use]
pub fn sharing(program: &Path, url: &str) -> u32 {
    let store = PostgresStore::open(url, PostgresOptions::default()).expect("it opens");
    let front = Engine::builder_shared(Arc::new(store.clone())).front_end().open().expect("the engine opens");
    let jobs = front.submit_all(specs()).expect("the engine takes jobs");
    let task = Bystander::Sharing(url.to_owned());
    // With one process first, all jobs are in it when it dies.
    let mut processes = vec![task.start(program)];
    let (mut deaths, start) = (0, Instant::now());
    for job in &jobs {
        while job.wait_timeout(LEASE / 10).expect("the engine is well").is_none() {
            assert!(start.elapsed() < STUCK, "{deaths} deaths; {}", front.explain(job.id()).expect("readable"));
            for process in &mut processes {
                if process.0.try_wait().expect("it can be waited for").is_some() {
                    deaths += 1;
                    *process = task.start(program);
                }
            }
            if deaths == 1 && processes.len() == 1 {
                processes.push(task.start(program));
            }
        }
    }
    check(&store.list(None, 0, 10).expect("readable"));
    deaths
}

fn check(records: &[JobRecord]) {
    let kinds: BTreeMap<JobId, String> = records.iter().map(|job| (job.id, job.spec.kind().to_string())).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    for record in records {
        if record.spec.kind().to_string() == "kill" {
            let failure = record.failure.as_ref().map(|failure| failure.kind);
            assert_eq!(record.state, JobState::Complete(Outcome::Failed), "{record:?}");
            assert_eq!(failure, Some(FailureKind::Interrupted), "{record:?}");
        } else {
            assert_eq!(record.state, JobState::Complete(Outcome::Succeeded), "{record:?}");
            assert_eq!((record.failed_attempts, record.size.rows), (0, ROWS), "{record:?}");
        }
    }
}
