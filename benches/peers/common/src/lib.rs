//! The parts that every peer program shares: its arguments, the scenarios, the line it prints.
//!
//! A peer is run as `peer-NAME SCENARIO n=1000 workers=8 batch=1000 variant=wal dir=PATH`, and with `url=URL` when it
//! works on a database server. It prints one JSON line: `{"seconds": s}` for `n` jobs, or `{"p50": s, "p99": s}`.

use std::{
    any::Any,
    io::Read,
    path::PathBuf,
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant},
};

/// The number of jobs whose handler has run, and the number for which the main thread waits.
///
/// The clock of a peer stops when its last handler runs. The peer may still be writing the end of that job, so the
/// error is in the peer's favour.
static DONE: AtomicU64 = AtomicU64::new(0);
static WANTED: AtomicU64 = AtomicU64::new(u64::MAX);
static MAIN: OnceLock<Thread> = OnceLock::new();

/// The no-op job of every peer.
pub fn done() {
    let now = DONE.fetch_add(1, Ordering::SeqCst) + 1;
    if now >= WANTED.load(Ordering::SeqCst)
        && let Some(main) = MAIN.get()
    {
        main.unpark();
    }
}

fn wait_until(count: u64) {
    MAIN.get_or_init(std::thread::current);
    WANTED.store(count, Ordering::SeqCst);
    while DONE.load(Ordering::SeqCst) < count {
        std::thread::park();
    }
    WANTED.store(u64::MAX, Ordering::SeqCst);
}

/// A job library with an open queue.
pub trait Peer: Clone + Send + Sync + 'static {
    /// Submits one no-op job with one call.
    fn submit(&self) -> impl Future<Output = ()> + Send;

    /// Submits `n` no-op jobs in the fewest calls that the library has.
    fn submit_batch(&self, n: u64) -> impl Future<Output = ()> + Send {
        async move {
            for _ in 0..n {
                self.submit().await;
            }
        }
    }

    /// Starts `workers` that call [`done`] in each job. They work until the returned value is dropped.
    fn work(&self, workers: usize) -> impl Future<Output = Box<dyn Any>>;
}

/// The arguments.
#[derive(Debug, Clone)]
pub struct Run {
    scenario: String,
    n: u64,
    workers: usize,
    batch: u64,
    /// The setting of the peer, such as `wal` or `memory`; empty for the peer as shipped.
    pub variant: String,
    /// An empty directory for its files.
    pub directory: PathBuf,
    url: Option<String>,
    /// Whether to wait for a line of the caller, which starts several peers at one moment.
    gate: bool,
}

impl Run {
    const SUBMITTERS: u64 = 64;

    /// Reads the program's arguments.
    ///
    /// # Panics
    /// When an argument is missing or unreadable.
    pub fn from_args() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let value = |key: &str| {
            words.iter().find_map(|word| word.split_once('=').filter(|(k, _)| *k == key)).map(|(_, value)| value)
        };
        Self {
            scenario: words.first().expect("a scenario").clone(),
            n: number(value("n"), 1000),
            workers: number(value("workers"), 8),
            batch: number(value("batch"), 1000),
            variant: value("variant").unwrap_or_default().to_owned(),
            directory: value("dir").expect("dir=PATH").into(),
            url: value("url").map(str::to_owned),
            gate: value("gate").is_some(),
        }
    }

    /// The address of an empty database.
    ///
    /// # Panics
    /// When the program was given no address.
    pub fn url(&self) -> &str {
        self.url.as_deref().expect("url=URL")
    }

    /// A file in the directory.
    pub fn file(&self) -> PathBuf {
        self.directory.join("queue.db")
    }

    /// A SQLite address for that file.
    pub fn sqlite_url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.file().display())
    }

    /// Runs the scenario and prints its line. Must be called on the main thread, outside the workers' threads.
    ///
    /// # Panics
    /// When the scenario is unknown.
    pub async fn measure<P: Peer>(&self, peer: P) {
        if self.gate {
            println!("ready");
            std::io::stdin().read_line(&mut String::new()).expect("the word");
        }
        match self.scenario.as_str() {
            // Jobs, one call each; no worker runs.
            "submit" => {
                let start = Instant::now();
                for _ in 0..self.n {
                    peer.submit().await;
                }
                print_seconds(start);
            }
            // Jobs in calls of `batch`; no worker runs.
            "batch" => {
                let start = Instant::now();
                self.fill(&peer).await;
                print_seconds(start);
            }
            // Waiting jobs, from the start of the workers to the end of the last job.
            "drain" => {
                self.fill(&peer).await;
                let start = Instant::now();
                let _workers = peer.work(self.workers).await;
                wait_until(self.n);
                print_seconds(start);
            }
            // Runs waiting jobs together with other processes, and prints how many it has run, until its standard
            // input ends.
            "join" => {
                let _workers = peer.work(self.workers).await;
                tell();
            }
            "both" => self.submit_and_drain(&peer).await,
            "latency" => self.latency(&peer).await,
            other => panic!("unknown scenario {other}"),
        }
    }

    async fn fill<P: Peer>(&self, peer: &P) {
        for first in (0..self.n).step_by(self.batch as usize) {
            peer.submit_batch(self.batch.min(self.n - first)).await;
        }
    }

    /// 64 tasks submit while the workers run, from the first call to the end of the last job.
    async fn submit_and_drain<P: Peer>(&self, peer: &P) {
        let _workers = peer.work(self.workers).await;
        let each = self.n.div_ceil(Self::SUBMITTERS);
        let start = Instant::now();
        let submitters = (0..Self::SUBMITTERS).map(|_| {
            let peer = peer.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    peer.submit().await;
                }
            })
        });
        for submitter in submitters.collect::<Vec<_>>() {
            submitter.await.expect("a submitter ends");
        }
        wait_until(each * Self::SUBMITTERS);
        print_seconds(start);
    }

    /// One job at a time, from the call to its end.
    async fn latency<P: Peer>(&self, peer: &P) {
        let _workers = peer.work(1).await;
        let mut times = Vec::new();
        for done in 1..=self.n {
            let start = Instant::now();
            peer.submit().await;
            wait_until(done);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64();
        println!("{{\"p50\":{},\"p99\":{}}}", at(50), at(99));
    }
}

fn tell() -> ! {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut told = 0;
    loop {
        let now = DONE.load(Ordering::SeqCst);
        if now != told {
            println!("{now}");
            told = now;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn number<T: FromStr>(text: Option<&str>, default: T) -> T {
    text.map_or(default, |text| text.parse().ok().expect("a number"))
}

fn print_seconds(start: Instant) {
    let elapsed: Duration = start.elapsed();
    println!("{{\"seconds\":{}}}", elapsed.as_secs_f64());
}
