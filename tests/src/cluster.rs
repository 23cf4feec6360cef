//! [`Cluster`]: several processes on one PostgreSQL server, each over its own network. It kills and stops them and
//! the server, and breaks their networks, at random. Then it checks that no job is lost, doubled or stuck, and
//! that no process without its lease wrote anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use job_runner::{
    FailureKind, JobId, JobRecord, JobState, Outcome,
    store::{JobStore, PostgresOptions, PostgresStore, ResultStore, SharedStore, Store},
};
use test_servers::{Postgres, Proxy};

use crate::{
    audit,
    child::How,
    kill,
    member::{self, Heard, LEASE, Member, Role},
    script::Script,
};

const WORKERS: usize = 4;
const FRONTS: usize = 2;
/// The longest time without an end of any job, before the rest counts as stuck: far longer than a lease, also on a
/// slow machine.
const STUCK: Duration = Duration::from_mins(2);
/// After this time without a line the harm pauses, and the message names the awaited processes. A slow machine may
/// need longer to start a killed process than the time until its next kill.
const QUIET: Duration = Duration::from_secs(10);

/// A series of harm to a cluster at work.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The program that has a subcommand `member`.
    pub program: PathBuf,
    /// Jobs to submit in all.
    pub jobs: u32,
    /// The seed of its random choices.
    pub seed: u64,
}

/// The sums of a run.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Seen {
    pub workers_killed: u32,
    pub fronts_killed: u32,
    pub servers_killed: u32,
    pub pauses: u32,
    pub held_in_pauses: u64,
    pub networks_cut: u32,
    pub networks_silent: u32,
    pub held_in_silence: u64,
    pub acknowledged: u64,
    pub succeeded: u64,
    pub interrupted: u64,
    pub again: u64,
    pub rows: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{WORKERS} workers and {FRONTS} front ends on one PostgreSQL: {} workers, {} front ends and {} servers killed, \
             {} workers paused beyond their leases on {} jobs, {} networks cut and {} silent, of those with {} jobs beyond \
             their leases; {} jobs acknowledged, {} succeeded, {} took more than \
             one attempt, {} were interrupted too often, {} rows compared: lost 0, doubled 0, stuck 0, written without \
             a lease 0",
            self.workers_killed,
            self.fronts_killed,
            self.servers_killed,
            self.pauses,
            self.held_in_pauses,
            self.networks_cut,
            self.networks_silent,
            self.held_in_silence,
            self.acknowledged,
            self.succeeded,
            self.again,
            self.interrupted,
            self.rows
        )
    }
}

impl Cluster {
    /// Runs the cluster and checks it; `None` if PostgreSQL is not installed, with a line that says so.
    ///
    /// # Panics
    /// When an acknowledged job is lost, wrong or stuck. The message has the seed.
    #[must_use]
    pub fn run(&self) -> Option<Seen> {
        let server = Postgres::start().expect("PostgreSQL starts")?;
        let store = PostgresStore::open(&server.url(), PostgresOptions::default()).expect("the store opens");
        audit::install(&server);
        let mut run = Run::new(self, &server);
        run.harm(&store);
        run.finish(&store);
        run.check(&Arc::new(store));
        Some(run.seen)
    }
}

/// The kinds of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    KillWorker,
    KillFront,
    PauseWorker,
    /// All connections of a process end, and new ones are refused for a while.
    Cut,
    /// Connections stay and no byte moves. Later all bytes that were sent meanwhile arrive.
    Hold,
    /// Connections stay and never carry a byte again. New ones work.
    Swallow,
    KillServer,
}

/// A cluster at work.
struct Run<'c> {
    cluster: &'c Cluster,
    server: &'c Postgres,
    chance: fastrand::Rng,
    processes: u32,
    workers: Vec<Process>,
    fronts: Vec<Process>,
    send: mpsc::Sender<(usize, Heard)>,
    heard: mpsc::Receiver<(usize, Heard)>,
    told: Told,
    /// When the last line of a front end came.
    told_at: Instant,
    /// Whether the harm pauses because that was long ago.
    quiet: bool,
    seen: Seen,
}

/// The lines of front ends.
#[derive(Debug, Default)]
struct Told {
    /// The jobs of each front end, by their numbers.
    submitted: [BTreeMap<u32, JobId>; FRONTS],
    ended: BTreeMap<JobId, How>,
    cancelled: Vec<JobId>,
    done: [bool; FRONTS],
}

impl<'c> Run<'c> {
    fn new(cluster: &'c Cluster, server: &'c Postgres) -> Self {
        let (send, heard) = mpsc::channel();
        let mut run = Self {
            cluster,
            server,
            chance: fastrand::Rng::with_seed(cluster.seed),
            processes: 0,
            workers: Vec::new(),
            fronts: Vec::new(),
            send,
            heard,
            told: Told::default(),
            told_at: Instant::now(),
            quiet: false,
            seen: Seen::default(),
        };
        run.workers = (0..WORKERS).map(|_| run.worker()).collect();
        run.fronts = (0..FRONTS).map(|number| run.front(number)).collect();
        run
    }

    fn start(&mut self, number: usize, kind: &str, role: Role) -> Process {
        self.processes += 1;
        let network = Proxy::start(self.server.port()).expect("a port is free");
        let url =
            self.server.url().replace(&format!(":{}/", self.server.port()), &format!(":{}/", network.port()));
        let member = Member { url, name: format!("{kind}-{}", self.processes), role };
        Process::start(&self.cluster.program, &member, network, number, self.send.clone())
    }

    fn worker(&mut self) -> Process {
        self.start(0, "worker", Role::Worker)
    }

    /// Starts the front end `number`, which continues at the request where it ended before.
    fn front(&mut self, number: usize) -> Process {
        let from = self.told.submitted[number].last_key_value().map_or(0, |(turn, _)| turn + 1);
        let seed = self.front_seed(number);
        self.start(number, "front", Role::Front { seed, from, to: self.jobs_of_a_front() })
    }

    fn front_seed(&self, number: usize) -> u64 {
        self.cluster.seed.wrapping_add(number as u64)
    }

    fn jobs_of_a_front(&self) -> u32 {
        self.cluster.jobs.div_ceil(u32::try_from(FRONTS).expect("few"))
    }

    /// Does one harm after another until every job is submitted and has ended, and every kind of harm was done.
    fn harm(&mut self, store: &PostgresStore) {
        let mut first = vec![
            Harm::KillWorker,
            Harm::PauseWorker,
            Harm::Cut,
            Harm::Hold,
            Harm::Swallow,
            Harm::KillServer,
            Harm::KillFront,
        ];
        while !first.is_empty() || self.told.done.contains(&false) {
            let pause = Duration::from_millis(100 + self.chance.u64(..500));
            self.listen(pause);
            self.mend();
            if self.is_quiet(store) {
                continue;
            }
            let harm = if first.is_empty() {
                match self.chance.u64(..23) {
                    0..7 => Harm::KillWorker,
                    7..11 => Harm::PauseWorker,
                    11..15 => Harm::KillFront,
                    15..18 => Harm::Cut,
                    18..21 => Harm::Hold,
                    21 => Harm::Swallow,
                    _ => Harm::KillServer,
                }
            } else {
                first.remove(self.chance.usize(..first.len()))
            };
            self.inflict(harm);
        }
    }

    /// Whether unfinished front ends have printed no line for long. Then all processes get time, and after that
    /// the run counts as stuck.
    fn is_quiet(&mut self, store: &PostgresStore) -> bool {
        let since = self.told_at.elapsed();
        let quiet = self.told.done.contains(&false) && since >= QUIET;
        if quiet && !self.quiet {
            eprintln!("nothing was told for {QUIET:.0?}, harm pauses; {}", self.waited_for(store));
        }
        assert!(!quiet || since < QUIET + STUCK, "seed {}: stuck; {}", self.cluster.seed, self.waited_for(store));
        self.quiet = quiet;
        quiet
    }

    /// Jobs that have not ended yet, for people.
    fn waited_for(&self, store: &PostgresStore) -> String {
        let submitted = self.told.submitted.iter().map(BTreeMap::len).collect::<Vec<_>>();
        let jobs = match store.unfinished() {
            Ok(jobs) => jobs,
            Err(error) => return format!("the store cannot be read: {error}"),
        };
        let first = jobs.iter().take(20).map(|job| {
            let key = key(job).unwrap_or_default();
            let why = job.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} of {key} {} attempt {} {why}", job.id, job.state, job.attempt)
        });
        format!(
            "front ends have submitted {submitted:?} of {} each, done: {:?}; {} jobs are unfinished: {}",
            self.jobs_of_a_front(),
            self.told.done,
            jobs.len(),
            first.collect::<Vec<_>>().join(", ")
        )
    }

    fn inflict(&mut self, harm: Harm) {
        let number = self.chance.usize(..WORKERS + FRONTS);
        match harm {
            Harm::KillWorker => {
                let number = number % WORKERS;
                self.workers[number].kill();
                self.workers[number] = self.worker();
                self.seen.workers_killed += 1;
            }
            Harm::PauseWorker => {
                let beyond = self.beyond_a_lease();
                let worker = &mut self.workers[number % WORKERS];
                if worker.paused_until.is_none() {
                    worker.signal("STOP");
                    worker.paused_until = Some(Instant::now() + beyond);
                    self.seen.pauses += 1;
                    self.seen.held_in_pauses += audit::held(self.server, &worker.name);
                }
            }
            Harm::KillFront => {
                let number = number % FRONTS;
                if !self.told.done[number] {
                    self.fronts[number].kill();
                    // Reads the output that the process wrote before its death.
                    self.listen(Duration::ZERO);
                    self.fronts[number] = self.front(number);
                    self.seen.fronts_killed += 1;
                }
            }
            Harm::Cut => {
                let mended = Instant::now() + Duration::from_millis(self.chance.u64(..1_000));
                let process = self.any(number);
                process.network.refuse(true);
                process.network.cut();
                process.network_mended = Some(mended);
                self.seen.networks_cut += 1;
            }
            Harm::Hold => {
                let mended = Instant::now() + self.beyond_a_lease();
                let process = self.any(number);
                process.network.hold(true);
                process.network_mended = Some(mended);
                self.note_silence(number);
            }
            Harm::Swallow => {
                self.any(number).network.swallow();
                self.note_silence(number);
            }
            Harm::KillServer => {
                self.server.kill().expect("the server can be killed");
                self.server.start_again().expect("the server starts again");
                self.seen.servers_killed += 1;
            }
        }
    }

    /// The process with this number, workers first.
    fn any(&mut self, number: usize) -> &mut Process {
        self.workers.iter_mut().chain(&mut self.fronts).nth(number).expect("there are so many")
    }

    fn note_silence(&mut self, number: usize) {
        self.seen.networks_silent += 1;
        if number < WORKERS {
            self.seen.held_in_silence += audit::held(self.server, &self.workers[number].name);
        }
    }

    fn beyond_a_lease(&mut self) -> Duration {
        LEASE.mul_f64(1.2) + Duration::from_millis(self.chance.u64(..1_000))
    }

    /// Lets processes go on that have been paused for long enough, and repairs networks.
    fn mend(&mut self) {
        for process in self.workers.iter_mut().chain(&mut self.fronts) {
            process.mend(Instant::now());
        }
    }

    /// Reads the lines of front ends that arrive within this time.
    fn listen(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            let Ok((front, heard)) = self.heard.recv_timeout(rest) else { return };
            self.learn(front, heard);
        }
    }

    fn learn(&mut self, front: usize, heard: Heard) {
        self.told_at = Instant::now();
        match heard {
            Heard::Submitted(turn, id) => {
                let earlier = self.told.submitted[front].insert(turn, id);
                assert!(
                    earlier.is_none_or(|earlier| earlier == id),
                    "job {turn} of front end {front} is two jobs"
                );
            }
            Heard::Ended(id, how) => {
                let earlier = self.told.ended.insert(id, how);
                assert!(earlier.is_none(), "job {id} has ended twice: {earlier:?}, then {how:?}");
            }
            Heard::Cancelled(id) => self.told.cancelled.push(id),
            Heard::Wrong(wrong) => panic!("seed {}: {wrong}", self.cluster.seed),
            Heard::Done => self.told.done[front] = true,
        }
    }

    /// Ends the run without more harm: every job of a front end that died ends, then all processes stop in order.
    fn finish(&mut self, store: &PostgresStore) {
        for process in self.workers.iter_mut().chain(&mut self.fronts) {
            process.mend(Instant::now() + STUCK);
        }
        let (mut left, mut since) = (usize::MAX, Instant::now());
        loop {
            let unfinished = store.unfinished().expect("readable");
            if unfinished.is_empty() {
                break;
            }
            if unfinished.len() < left {
                (left, since) = (unfinished.len(), Instant::now());
            }
            assert!(
                since.elapsed() < STUCK,
                "seed {}: jobs are stuck; {}",
                self.cluster.seed,
                self.waited_for(store)
            );
            store.wait(Duration::from_secs(1)).expect("the store can be waited for");
        }
        for process in self.workers.iter_mut().chain(&mut self.fronts) {
            process.stop();
        }
        self.listen(Duration::ZERO);
    }

    /// Checks the whole state after every job has ended.
    fn check(&mut self, store: &Arc<PostgresStore>) {
        let seed = self.cluster.seed;
        assert_eq!(audit::findings(self.server), "", "seed {seed}: written without a lease");
        let records = store.list(None, 0, usize::MAX).expect("readable");
        let asked = usize::try_from(self.jobs_of_a_front()).expect("few") * FRONTS;
        let doubled = doubled(&records);
        assert!(doubled.is_empty(), "seed {seed}: requests were run twice: {doubled:#?}");
        let requests: BTreeSet<_> = records.iter().map(key).collect();
        assert_eq!(requests.len(), asked, "seed {seed}: jobs are lost");
        let mut listed = BTreeSet::new();
        for front in 0..FRONTS {
            for (turn, id) in self.told.submitted[front].clone() {
                self.check_job(store, &member::script(self.front_seed(front), turn), id, &mut listed);
            }
        }
        let left = audit::left_over(self.server, &listed);
        assert!(left.is_empty(), "seed {seed}: rows or checkpoints are left: {left:?}");
        for id in &self.told.cancelled {
            let record = store.get(*id).expect("readable").expect("acknowledged");
            assert_eq!(
                record.state,
                JobState::Complete(Outcome::Cancelled),
                "job {id} was cancelled while it waited"
            );
        }
        for (id, how) in &self.told.ended {
            let record = store.get(*id).expect("readable").expect("acknowledged");
            assert_eq!(How::of(record.state), Some(*how), "job {id} had ended, and has changed");
        }
    }

    fn check_job(
        &mut self,
        store: &Arc<PostgresStore>,
        script: &Script,
        id: JobId,
        listed: &mut BTreeSet<String>,
    ) {
        let record = store.get(id).expect("readable");
        let record = record.unwrap_or_else(|| panic!("job {id} was acknowledged and is lost"));
        assert!(record.state.is_complete(), "job {id} is {}", record.state);
        self.seen.acknowledged += 1;
        self.seen.again += u64::from(record.attempt > 1);
        let failure = record.failure.as_ref().map(|failure| failure.kind);
        if matches!(failure, Some(FailureKind::Interrupted | FailureKind::Store)) {
            self.seen.interrupted += u64::from(record.state == JobState::Complete(Outcome::Failed));
        } else {
            kill::check_end(id, script, record.state);
        }
        if record.state == JobState::Complete(Outcome::Succeeded) {
            let shared: Arc<dyn Store> = Arc::<PostgresStore>::clone(store);
            let mut pages = kill::Seen::default();
            kill::check_rows(&shared, id, script, &mut pages);
            self.seen.rows += pages.rows;
            self.seen.succeeded += 1;
            let list = store.result(id).expect("readable").and_then(|result| result.list);
            let segments = list.iter().flat_map(job_runner::RowList::segments);
            listed.extend(segments.map(|&segment| audit::segment(id, segment)));
        }
    }
}

fn key(record: &JobRecord) -> Option<&str> {
    record.spec.options().idempotency_key.as_deref()
}

/// Requests that were run twice although the first job had not failed. Only a failed job frees its key for a front
/// end that submits again because its network broke.
fn doubled(records: &[JobRecord]) -> Vec<[&JobRecord; 2]> {
    let mut jobs: BTreeMap<_, Vec<&JobRecord>> = BTreeMap::new();
    for record in records {
        jobs.entry(key(record)).or_default().push(record);
    }
    let mut doubled = Vec::new();
    for jobs in jobs.values_mut() {
        jobs.sort_by_key(|record| record.id);
        let pairs = jobs.windows(2).filter_map(|pair| <[&JobRecord; 2]>::try_from(pair).ok());
        doubled.extend(pairs.filter(|[first, next]| {
            first.state.holds_key() || first.finished_at.is_none_or(|ended| ended > next.submitted_at)
        }));
    }
    doubled
}

/// A process of the cluster. It is killed when this is dropped.
struct Process {
    name: String,
    child: Child,
    reader: Option<JoinHandle<()>>,
    paused_until: Option<Instant>,
    /// The network to the server.
    network: Proxy,
    network_mended: Option<Instant>,
}

impl Process {
    fn start(
        program: &Path,
        member: &Member,
        network: Proxy,
        number: usize,
        send: mpsc::Sender<(usize, Heard)>,
    ) -> Self {
        let mut child = Command::new(program)
            .arg("member")
            .arg(serde_json::to_string(member).expect("a member is JSON"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = child.stdout.take().expect("a pipe");
        let reader = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // The last line may be cut by the death.
                if let Ok(heard) = serde_json::from_str(&line) {
                    let _ = send.send((number, heard));
                }
            }
        });
        let (name, reader) = (member.name.clone(), Some(reader));
        Self { name, child, reader, paused_until: None, network, network_mended: None }
    }

    /// Undoes the harm that lasts until `now`.
    fn mend(&mut self, now: Instant) {
        if self.paused_until.take_if(|until| *until <= now).is_some() {
            self.signal("CONT");
        }
        if self.network_mended.take_if(|until| *until <= now).is_some() {
            self.network.refuse(false);
            self.network.hold(false);
        }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success(), "{} has ended by itself", self.name);
    }

    /// Kills it as `kill -9` does. Its lines are in the channel when this returns.
    fn kill(&mut self) {
        let ended = self.child.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "{} has ended by itself: {ended:?}", self.name);
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        self.join();
    }

    /// In order.
    fn stop(&mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{} ended with {status}", self.name);
        self.join();
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
