//! Records a [`Child`] that works on a store, cuts the power at any of its calls, and checks what each durability
//! promises. Work goes on with the state of one of the cuts, so power cuts also come in a recovery.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use job_runner::JobId;
use serde::Serialize;

use crate::{
    child::{Child, How, Told},
    disk::Disk,
    kill::{Known, Seen, check_after_death, finish, learn, open},
    trace::{self, Call, Thread},
};

/// Lives of a store that end by power cuts.
#[derive(Debug, Clone)]
pub struct Power {
    /// The program that has a subcommand `child`.
    pub program: PathBuf,
    /// Whether acknowledgements wait for the disk.
    pub synced: bool,
    /// The number of lives, each on the state that the one before left.
    pub lives: u32,
    /// Cuts of each life.
    pub cuts: u32,
    /// The seed of its random choices.
    pub seed: u64,
}

/// The sums of a run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Cuts {
    pub lives: u32,
    pub cuts: u32,
    pub calls: u64,
    pub acknowledged: u64,
    pub rows: u64,
}

impl std::ops::AddAssign for Cuts {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.cuts += other.cuts;
        self.calls += other.calls;
        self.acknowledged += other.acknowledged;
        self.rows += other.rows;
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} power cuts in {} lives of {} calls to the file system, {} acknowledgements, {} rows compared: lost 0, \
             wrong 0, did not open 0",
            self.cuts, self.lives, self.calls, self.acknowledged, self.rows
        )
    }
}

/// The lines of a process, and the thread of each.
type Said = Vec<(Thread, Told)>;

impl Power {
    /// Cuts the power and checks the states; `None` if no process can be recorded.
    ///
    /// # Panics
    /// When a store does not open after a cut, or a job is lost or wrong against a promise.
    #[must_use]
    pub fn run(&self) -> Option<Cuts> {
        let mut seen = Cuts::default();
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let mut known = BTreeMap::new();
        let mut left = tempfile::tempdir().expect("a temporary directory");
        for _ in 0..self.lives {
            let child = Child {
                store: left.path().to_owned(),
                seed: chance.u64(..u64::MAX),
                jobs: 8,
                death: None,
                synced: self.synced,
            };
            let disk = Disk::of(left.path()).expect("readable");
            let life = Life::record(&self.program, child, &disk)?;
            let moments = life.moments(self.cuts, &mut chance);
            (left, known) = self.live(&life, disk, &moments, &known, &mut chance, &mut seen);
            seen.lives += 1;
        }
        Some(seen)
    }

    /// Cuts a life at each of these moments. Returns the state that one of the cuts left, with all that was known
    /// by then.
    fn live(
        &self,
        life: &Life,
        mut disk: Disk,
        moments: &[usize],
        before: &BTreeMap<JobId, Known>,
        chance: &mut fastrand::Rng,
        seen: &mut Cuts,
    ) -> (tempfile::TempDir, BTreeMap<JobId, Known>) {
        let mut known = before.clone();
        let mut said = Said::new();
        let mut next = None;
        let goes_on = moments[chance.usize(..moments.len())];
        for (at, call) in life.calls.iter().enumerate() {
            if moments.binary_search(&at).is_ok() {
                let (files, story) = cut(&disk, chance);
                let place = format!("seed {}, call {at}: {story}", self.seed);
                self.check(files.path(), &known, &said, &place, seen);
                seen.cuts += 1;
            }
            if at == goes_on {
                next = Some((cut(&disk, chance).0, if self.synced { known.clone() } else { BTreeMap::new() }));
            }
            disk.apply(call);
            if let Some(told) = told(call) {
                seen.acknowledged += 1;
                learn(told.1.clone(), &mut known, &mut Seen::default(), &life.child);
                said.push(told);
            }
        }
        seen.calls += life.calls.len() as u64;
        next.expect("a life has calls")
    }

    fn check(&self, files: &Path, known: &BTreeMap<JobId, Known>, said: &Said, place: &str, seen: &mut Cuts) {
        // The place that every panic of the checks reports.
        let place = Place(place);
        let mut rows = Seen::default();
        let mut promised = if self.synced { known.clone() } else { BTreeMap::new() };
        // A removal does not wait for the disk, so the whole job may be there again.
        for job in promised.values_mut() {
            job.removed = false;
        }
        check_after_death(files, &promised, &mut rows);
        if !self.synced {
            check_order(files, known, said);
        }
        finish(files, &promised, &mut rows);
        seen.rows += rows.rows;
        drop(place);
    }
}

struct Place<'a>(&'a str);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// The work of one process.
struct Life {
    child: Child,
    calls: Vec<Call>,
    /// The calls that changed the disk.
    changes: Vec<usize>,
}

impl Life {
    fn record(program: &Path, child: Child, disk: &Disk) -> Option<Self> {
        let mut command = Command::new(program);
        command.arg("child").arg(serde_json::to_string(&child).expect("a child is JSON"));
        let mut calls = Vec::new();
        if !trace::record(&mut command, &mut |call| calls.push(call)).expect("the child is recorded") {
            return None;
        }
        let mut disk = disk.clone();
        let changes = (0..calls.len()).filter(|&at| disk.apply(&calls[at])).collect();
        Some(Self { child, calls, changes })
    }

    /// Random moments for a power cut, in order. Each is the number of a call that changes the disk.
    fn moments(&self, count: u32, chance: &mut fastrand::Rng) -> Vec<usize> {
        let mut any = || self.changes[chance.usize(..self.changes.len())];
        let mut moments: Vec<usize> = (0..count).map(|_| any()).collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

fn cut(disk: &Disk, chance: &mut fastrand::Rng) -> (tempfile::TempDir, String) {
    let files = tempfile::tempdir().expect("a temporary directory");
    let story = disk.cut(files.path(), chance).expect("writable");
    (files, story)
}

/// The message of a call: on its standard output a child tells one line a call.
fn told(call: &Call) -> Option<(Thread, Told)> {
    let Call::Write { thread, fd: 1, bytes, .. } = call else { return None };
    Some((*thread, serde_json::from_slice(bytes).expect("a line of a child")))
}

/// Checks that a cut lost only the latest acknowledgements of each thread, none before them.
fn check_order(files: &Path, known: &BTreeMap<JobId, Known>, said: &Said) {
    let store = open(files);
    let mut lost: BTreeMap<Thread, &Told> = BTreeMap::new();
    for (thread, told) in said {
        let (id, how) = match told {
            Told::Submitted(id, _) => (id, None),
            Told::Ended(id, how) => (id, Some(*how)),
            Told::Cancelled(id) => (id, Some(How::Cancelled)),
            _ => continue,
        };
        if known[id].removing {
            continue;
        }
        let record = store.get(*id).unwrap_or_else(|error| panic!("{error}"));
        let holds = record.is_some_and(|record| how.is_none() || How::of(record.state) == how);
        match lost.get(thread) {
            Some(first) => assert!(!holds, "{told:?} is there, and before it is lost: {first:?}"),
            None if holds => {}
            None => {
                lost.insert(*thread, told);
            }
        }
    }
}
