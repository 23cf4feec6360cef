//! Runs everything at once for a long time: many submitters, readers, cancels, removals, retention. All pages have
//! to be right, and memory, open files and disk must not grow.

use std::{
    collections::VecDeque,
    fmt, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use job_runner::{
    Clock, Durability, Engine, EngineError, JobId, JobState, Outcome, PageRequest, Retention, SystemClock,
    store::{ErrorKind, RocksStore},
};
use parking_lot::Mutex;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{
    child,
    script::{self, Script, Stage, row},
};

/// A long run.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// How long.
    pub time: Duration,
    /// The seed of all random choices.
    pub seed: u64,
    /// Finished jobs that are kept.
    pub kept: u64,
}

/// The memory, files and disk that the process uses.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Usage {
    pub resident_kib: u64,
    pub open_files: u64,
    pub disk_bytes: u64,
    pub p99_micros: u64,
}

/// Selects one of the figures.
type Amount = fn(&Usage) -> u64;

/// The outcome.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Soaked {
    pub jobs: u64,
    pub pages: u64,
    pub cancels: u64,
    pub removals: u64,
    pub unfinished: u64,
    /// The use after each tenth of the time.
    pub usage: Vec<Usage>,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MiB resident, {} open files, {} MiB on disk, pages p99 {} us",
            self.resident_kib >> 10,
            self.open_files,
            self.disk_bytes >> 20,
            self.p99_micros
        )
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} jobs, {} pages compared, {} cancels, {} removals: lost 0, wrong 0, stuck {}",
            self.jobs, self.pages, self.cancels, self.removals, self.unfinished
        )?;
        let mut tenths = self.usage.iter().enumerate();
        tenths.try_for_each(|(at, usage)| write!(f, "\n  after {:3} %: {usage}", (at + 1) * 10))
    }
}

impl Soaked {
    /// Nothing grows. In the second half of the time, memory is at most 1.5 times that of the first half, plus 64 MiB.
    /// Open files and disk have the same bound, plus 64 files and 128 MiB. A leak of a few hundred bytes a job is more
    /// than that within the hour. Caches that fill and merges that are under way are less.
    ///
    /// # Panics
    /// When memory, files or disk have grown.
    pub fn assert_flat(&self) {
        let (first, second) = self.usage.split_at(self.usage.len() / 2);
        let most = |half: &[Usage], of: Amount| half.iter().map(of).max().unwrap_or(0);
        let kinds: [(&str, Amount, u64); 3] = [
            ("KiB of memory", |usage| usage.resident_kib, 64 << 10),
            ("open files", |usage| usage.open_files, 64),
            ("bytes on disk", |usage| usage.disk_bytes, 128 << 20),
        ];
        for (what, of, more) in kinds {
            let (before, after) = (most(first, of), most(second, of));
            let bound = before * 3 / 2 + more;
            assert!(after <= bound, "{after} {what} in the second half, {before} in the first: at most {bound}");
        }
    }
}

/// The times of the latest pages. Their number is bounded, so that this list itself does not grow.
#[derive(Default)]
struct Latencies {
    micros: Vec<u64>,
    next: usize,
}

impl Latencies {
    const MOST: usize = 100_000;

    fn push(&mut self, micros: u64) {
        if let Some(oldest) = self.micros.get_mut(self.next) {
            *oldest = micros;
        } else {
            self.micros.push(micros);
        }
        self.next = (self.next + 1) % Self::MOST;
    }
}

struct Hall {
    engine: Arc<Engine>,
    over: AtomicBool,
    latest: Mutex<VecDeque<(JobId, Script)>>,
    latencies: Mutex<Latencies>,
    jobs: AtomicU64,
    pages: AtomicU64,
    cancels: AtomicU64,
    removals: AtomicU64,
}

impl Soak {
    /// Runs it.
    ///
    /// # Panics
    /// When an answer is wrong or a job is stuck.
    #[must_use]
    pub fn run(self) -> Soaked {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let hall = Arc::new(self.open(directory.path()));
        let mut threads = Vec::new();
        for number in 0..3 {
            threads.push(spawn(&hall, move |hall| hall.submit(self.seed.wrapping_add(number))));
        }
        for _ in 0..2 {
            threads.push(spawn(&hall, Hall::read));
        }
        threads.push(spawn(&hall, Hall::meddle));
        let mut usage = Vec::new();
        for _ in 0..10 {
            thread::sleep(self.time / 10);
            usage.push(hall.usage(directory.path()));
        }
        hall.over.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().expect("nobody found anything wrong");
        }
        let unfinished = hall.drain();
        hall.engine.driver().tick().expect("the store is well");
        Soaked {
            jobs: hall.jobs.load(Ordering::SeqCst),
            pages: hall.pages.load(Ordering::SeqCst),
            cancels: hall.cancels.load(Ordering::SeqCst),
            removals: hall.removals.load(Ordering::SeqCst),
            unfinished,
            usage,
        }
    }

    fn open(self, directory: &Path) -> Hall {
        let store = Arc::new(RocksStore::open(directory, child::options()).expect("an empty store opens"));
        let stage = Arc::new(Stage::default());
        let player = Arc::clone(&stage);
        let engine = Engine::builder(store)
            .workers(2)
            .queue_bound(200)
            .durability(Durability::Buffered)
            .retention(Retention::default().max_jobs(self.kept))
            .algorithm("now", move |ctx: &mut _| player.play(ctx))
            .open()
            .expect("the engine opens");
        let engine = Arc::new(engine);
        *stage.engine.lock() = Arc::downgrade(&engine);
        Hall {
            engine,
            over: AtomicBool::new(false),
            latest: Mutex::default(),
            latencies: Mutex::default(),
            jobs: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
            removals: AtomicU64::new(0),
        }
    }
}

fn spawn(hall: &Arc<Hall>, work: impl FnOnce(&Hall) + Send + 'static) -> thread::JoinHandle<()> {
    let hall = Arc::clone(hall);
    thread::spawn(move || work(&hall))
}

impl Hall {
    const LATEST: usize = 300;

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn submit(&self, seed: u64) {
        let config = Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
        let mut chance = TestRunner::new(config);
        while !self.is_over() {
            let script = Script::any(300).new_tree(&mut chance).expect("a script").current();
            match self.engine.submit_timeout(script.spec("now", "movies"), Duration::from_millis(100)) {
                Ok(job) => {
                    self.jobs.fetch_add(1, Ordering::Relaxed);
                    let mut latest = self.latest.lock();
                    latest.push_back((job.id(), script));
                    if latest.len() > Self::LATEST {
                        latest.pop_front();
                    }
                }
                Err(EngineError::QueueFull { .. }) => {}
                Err(error) => panic!("a submission: {error}"),
            }
        }
    }

    /// One of the latest jobs. The choice changes with the time.
    fn any(&self) -> Option<(JobId, Script)> {
        let latest = self.latest.lock();
        let at = usize::try_from(SystemClock.now().as_micros()).unwrap_or(0) % latest.len().max(1);
        latest.get(at).cloned()
    }

    fn read(&self) {
        while !self.is_over() {
            let Some((id, script)) = self.any() else {
                thread::yield_now();
                continue;
            };
            let start = Instant::now();
            let Some(rows) = self.page(id) else { continue };
            self.latencies.lock().push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
            let expected = script.rows();
            let right = rows.len() == expected.len()
                && rows.iter().zip(&expected).all(|(found, number)| *found == row(script.seed, *number));
            assert!(right, "the rows of job {id} are wrong");
            self.pages.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The rows of a job that has succeeded and is still there.
    fn page(&self, id: JobId) -> Option<Vec<String>> {
        let record = self.engine.reader().record(id).expect("the store is well")?;
        if record.state != JobState::Complete(Outcome::Succeeded) {
            return None;
        }
        let page = match self.engine.reader().page(id, PageRequest::default()) {
            Ok(page) => page,
            Err(EngineError::UnknownJob(_)) => return None,
            Err(error) => panic!("a page: {error}"),
        };
        match script::rows(&page) {
            Ok(rows) => Some(rows),
            Err(error) if error.kind == ErrorKind::NotFound => None,
            Err(error) => panic!("a page: {error}"),
        }
    }

    /// Cancels, removes and lists jobs, and does the due work.
    fn meddle(&self) {
        let mut turn = 0u64;
        while !self.is_over() {
            turn += 1;
            if let Some((id, _)) = self.any() {
                match turn % 4 {
                    0 => self.cancels.fetch_add(u64::from(self.engine.cancel(id).is_ok()), Ordering::Relaxed),
                    1 => self
                        .removals
                        .fetch_add(u64::from(self.engine.remove(id).is_ok_and(|gone| gone)), Ordering::Relaxed),
                    _ => 0,
                };
            }
            let listed =
                self.engine.reader().list(PageRequest::new(0, 50).expect("in range")).expect("the store is well");
            assert!(listed.is_sorted_by(|newer, older| newer.id > older.id));
            self.engine.driver().tick().expect("the store is well");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the submitted jobs, as long as any of them ends. Returns how many have not ended.
    fn drain(&self) -> u64 {
        const PATIENCE: Duration = Duration::from_mins(1);
        let unfinished = || {
            let listed = self.engine.reader().list(PageRequest::default()).expect("the store is well");
            listed.iter().filter(|record| !record.state.is_complete()).count() as u64
        };
        let (mut left, mut since) = (unfinished(), Instant::now());
        while left > 0 && since.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
            let now = unfinished();
            if now < left {
                (left, since) = (now, Instant::now());
            }
        }
        left
    }

    fn usage(&self, directory: &Path) -> Usage {
        let mut latencies = std::mem::take(&mut *self.latencies.lock()).micros;
        latencies.sort_unstable();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
        Usage {
            resident_kib: resident.unwrap_or(0),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            disk_bytes: bytes_in(directory),
            p99_micros: latencies.get(latencies.len() * 99 / 100).copied().unwrap_or(0),
        }
    }
}

/// The bytes of the files of a directory.
fn bytes_in(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    // A file may go while the directory is read.
    entries.filter_map(|entry| entry.metadata().ok().filter(fs::Metadata::is_file)).map(|file| file.len()).sum()
}
