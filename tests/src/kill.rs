//! Kills a [`Child`] again and again, at random times and at chosen writes, also while it recovers. Checks the
//! store after each death.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader},
    ops::AddAssign,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use job_runner::{
    Durability, Engine, FailureKind, JobId, JobReader, JobState, Outcome, PageRequest, StoreError,
    store::{RocksStore, SegmentKey, Store},
};
use serde::Serialize;

use crate::{
    child::{self, Child, How, Told},
    script::{End, Script, Step, row},
};

/// A series of deaths.
#[derive(Debug, Clone)]
pub struct Kills {
    /// The program that has a subcommand `child`.
    pub program: PathBuf,
    /// Deaths in all.
    pub kills: u32,
    /// The seed of its random choices.
    pub seed: u64,
}

/// The sums of a run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Seen {
    pub stores: u32,
    pub kills: u32,
    pub kills_at_chosen_writes: u32,
    pub kills_before_open: u32,
    pub deepest: u32,
    pub acknowledged: u64,
    pub succeeded: u64,
    pub rows: u64,
    pub pages: u64,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.stores += other.stores;
        self.kills += other.kills;
        self.kills_at_chosen_writes += other.kills_at_chosen_writes;
        self.kills_before_open += other.kills_before_open;
        self.deepest = self.deepest.max(other.deepest);
        self.acknowledged += other.acknowledged;
        self.succeeded += other.succeeded;
        self.rows += other.rows;
        self.pages += other.pages;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills on {} stores ({} at chosen writes, {} before the store was open, up to {} in a row), {} jobs \
             acknowledged, {} succeeded, {} rows and {} pages compared: lost 0, wrong 0, stuck 0",
            self.kills,
            self.stores,
            self.kills_at_chosen_writes,
            self.kills_before_open,
            self.deepest,
            self.acknowledged,
            self.succeeded,
            self.rows,
            self.pages
        )
    }
}

/// The facts about a job from the lines of children.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    script: Script,
    cancelled: bool,
    ended: Option<How>,
    pub(crate) removing: bool,
    pub(crate) removed: bool,
}

impl Kills {
    /// Kills, and checks after every death.
    ///
    /// # Panics
    /// When an acknowledged job is lost, wrong or stuck. The message has the seed.
    #[must_use]
    pub fn run(&self) -> Seen {
        let mut seen = Seen::default();
        let mut chance = fastrand::Rng::with_seed(self.seed);
        while seen.kills < self.kills {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let depth = 1 + chance.u32(..6);
            let mut known = BTreeMap::new();
            for _ in 0..depth.min(self.kills - seen.kills) {
                self.one(directory.path(), &mut chance, &mut known, &mut seen);
                check_after_death(directory.path(), &known, &mut seen);
            }
            finish(directory.path(), &known, &mut seen);
            seen.stores += 1;
            seen.deepest = seen.deepest.max(depth);
        }
        seen
    }

    /// Runs one process until its end, and checks the store.
    fn one(&self, store: &Path, chance: &mut fastrand::Rng, known: &mut BTreeMap<JobId, Known>, seen: &mut Seen) {
        let chosen = chance.bool();
        // The first writes of a process are those of its recovery.
        let within = if chance.u64(..3) == 0 { 6 } else { 120 };
        let child = Child {
            store: store.to_owned(),
            seed: chance.u64(..u64::MAX),
            jobs: 20,
            death: chosen.then(|| (chance.u64(..within), chance.bool())),
            synced: chance.u64(..4) == 0,
        };
        // Some die while the store is opened and recovered, the others at work.
        let life = Life { from_start: chance.u64(..3) == 0, micros: chance.u64(..150_000) };
        let told = live(&self.program, &child, (!chosen).then_some(life));
        seen.kills += 1;
        seen.kills_at_chosen_writes += u32::from(chosen);
        seen.kills_before_open += u32::from(!told.iter().any(|line| matches!(line, Told::Open)));
        for line in told {
            learn(line, known, seen, &child);
        }
    }
}

/// The life of a child, counted from its start or from the opening of its engine.
#[derive(Debug, Clone, Copy)]
struct Life {
    from_start: bool,
    micros: u64,
}

/// Runs a child until it dies by itself, or is killed at the end of its life. Returns its lines.
fn live(program: &Path, child: &Child, life: Option<Life>) -> Vec<Told> {
    let mut process = Command::new(program)
        .arg("child")
        .arg(serde_json::to_string(child).expect("a child is JSON"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let out = process.stdout.take().expect("a pipe");
    let (send, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            // The last line may be cut by the death.
            if let Ok(told) = serde_json::from_str::<Told>(&line) {
                let _ = send.send(told);
            }
        }
    });
    let mut told = Vec::new();
    if let Some(life) = life {
        if !life.from_start {
            told.extend(lines.recv());
        }
        // The length of its life is random; the sleep waits for no event.
        thread::sleep(Duration::from_micros(life.micros));
        process.kill().expect("the child can be killed");
    }
    process.wait().expect("the child ends");
    reader.join().expect("the reader ends");
    told.extend(lines);
    told
}

pub(crate) fn learn(told: Told, known: &mut BTreeMap<JobId, Known>, seen: &mut Seen, child: &Child) {
    match told {
        Told::Open | Told::Done => {}
        Told::Submitted(id, script) => {
            seen.acknowledged += 1;
            let earlier = known.entry(id).or_insert_with(|| new(script.clone()));
            earlier.script = script;
        }
        // Another thread may print an end before its submission.
        Told::Ended(id, how) => known.entry(id).or_insert_with(|| new(nothing())).ended = Some(how),
        Told::Cancelled(id) => known.entry(id).or_insert_with(|| new(nothing())).cancelled = true,
        Told::Removing(id) => known.entry(id).or_insert_with(|| new(nothing())).removing = true,
        Told::Removed(id) => known.entry(id).or_insert_with(|| new(nothing())).removed = true,
        Told::Refused(why) => panic!("a healthy engine refused a job: {why}\n{child:?}"),
    }
}

const fn nothing() -> Script {
    Script { seed: 0, steps: Vec::new(), end: End::Well }
}

const fn new(script: Script) -> Known {
    Known { script, cancelled: false, ended: None, removing: false, removed: false }
}

pub(crate) fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(RocksStore::open(path, child::options()).unwrap_or_else(|error| panic!("after a death: {error}")))
}

/// The state before any recovery.
pub(crate) fn check_after_death(path: &Path, known: &BTreeMap<JobId, Known>, seen: &mut Seen) {
    let store = open(path);
    for (&id, job) in known {
        let record = store.get(id).unwrap_or_else(|error| panic!("{error}"));
        let Some(record) = record else {
            assert!(job.removing, "job {id} was acknowledged and is lost");
            continue;
        };
        assert!(!job.removed, "job {id} was removed and is there again");
        if let Some(how) = job.ended {
            assert_eq!(How::of(record.state), Some(how), "job {id} had ended, and has changed");
        }
        if job.cancelled {
            assert_eq!(
                record.state,
                JobState::Complete(Outcome::Cancelled),
                "job {id} was cancelled while it waited"
            );
        }
    }
    // Unacknowledged jobs may be stored: the answer died with the process.
    for record in store.list(None, 0, usize::MAX).unwrap_or_else(|error| panic!("{error}")) {
        if record.state == JobState::Complete(Outcome::Succeeded) {
            let script: Script = record.spec.parameters().read().expect("a script");
            check_rows(&store, record.id, &script, seen);
        }
    }
}

/// Lets a new process take everything up and run to the end, then compares every row.
pub(crate) fn finish(path: &Path, known: &BTreeMap<JobId, Known>, seen: &mut Seen) {
    {
        let (engine, stage) = child::engine(open(path), 2, Durability::Buffered).expect("the engine opens");
        wait_for_all(&engine);
        assert!(stage.wrong.lock().is_empty(), "{:?}", stage.wrong.lock());
    }
    check_after_death(path, known, seen);
    let store = open(path);
    assert!(store.unfinished().expect("readable").is_empty(), "jobs are stuck");
    for (&id, job) in known {
        let Some(record) = store.get(id).expect("readable") else { continue };
        assert!(record.state.is_complete());
        assert_eq!(
            store.checkpoint(id).expect("readable"),
            None,
            "job {id} is complete, but what it saved is there"
        );
        let failure = record.failure.as_ref().map(|failure| failure.kind);
        // Too many deaths in a row end a job. Otherwise it ends by its script.
        if failure != Some(FailureKind::Interrupted) && !job.cancelled && job.ended.is_none() {
            check_end(id, &job.script, record.state);
        }
        if record.state == JobState::Complete(Outcome::Succeeded) {
            seen.succeeded += 1;
        } else {
            assert!(store.result(id).expect("readable").is_none(), "job {id} has rows, but did not succeed");
            check_gone(&store, id, record.attempt);
        }
    }
}

fn wait_for_all(engine: &Engine) {
    let reader = engine.reader();
    for record in reader.list(PageRequest::default()).expect("readable") {
        if let Some(job) = engine.job(record.id).expect("readable") {
            let ended = job.wait_timeout(Duration::from_mins(1)).expect("the engine is well");
            assert!(ended.is_some(), "job {} is stuck: {:?}", record.id, engine.explain(record.id));
        }
    }
}

/// Checks that the end of a job is one that its script allows. A script that requests a cancel may still succeed
/// or fail.
pub(crate) fn check_end(id: JobId, script: &Script, state: JobState) {
    let may_be_cancelled = script.steps.contains(&Step::Cancel);
    let lawful = match state {
        JobState::Complete(Outcome::Succeeded) => matches!(script.end, End::Well | End::Transient(_)),
        JobState::Complete(Outcome::Failed) => !matches!(script.end, End::Well),
        JobState::Complete(Outcome::Cancelled) => may_be_cancelled,
        _ => false,
    };
    // A cancel from outside whose acknowledgement was lost with the process has the same effect.
    assert!(
        lawful || state == JobState::Complete(Outcome::Cancelled),
        "job {id} is {state}, but its script is {script:?}"
    );
}

/// Every row of a succeeded job is there, once, in order, in every page.
pub(crate) fn check_rows(store: &Arc<dyn Store>, id: JobId, script: &Script, seen: &mut Seen) {
    let expected = script.rows();
    let reader = JobReader::new(Arc::clone(store));
    let mut walked = 0usize;
    let limit = 1 + u32::try_from(expected.len() / 3).unwrap_or(0);
    for start in (0..=expected.len()).step_by(usize::try_from(limit).unwrap_or(1)) {
        let page = reader.page(id, PageRequest::new(start as u64, limit).expect("in range")).expect("a page");
        assert_eq!(page.total(), expected.len() as u64, "rows of job {id}");
        page.for_each(|json| {
            assert_eq!(json, row(script.seed, expected[walked]).as_bytes(), "row {walked} of job {id}");
            walked += 1;
            Ok::<_, StoreError>(std::ops::ControlFlow::Continue(()))
        })
        .unwrap_or_else(|error| panic!("{error}"));
        seen.pages += 1;
    }
    assert_eq!(walked, expected.len(), "a row of job {id} is missing or doubled");
    seen.rows += walked as u64;
}

/// Checks that a job without a result has no rows.
fn check_gone(store: &Arc<dyn Store>, job: JobId, attempts: u32) {
    for attempt in 1..=attempts {
        // More segments than any script opens. The store looks each up by its key.
        for number in 0..700 {
            let key = SegmentKey { job, attempt, number };
            store
                .blocks(key, &mut |row, _| panic!("rows up to {row} of attempt {attempt} of job {job} are left"))
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
