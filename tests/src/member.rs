//! [`Member`]: a process of a cluster, which runs jobs or submits them. It prints every acknowledgement when it
//! comes, and ends with its standard input.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    process::{self, ExitCode},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use job_runner::{
    Engine, EngineError, JobHandle, JobId, JobRecord, JobState, Outcome, PageRequest, RetryPolicy,
    store::{ErrorKind, PostgresOptions, PostgresStore},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde::{Deserialize, Serialize};

use crate::{
    child::How,
    script::{self, Script, Stage, Step, row},
};

/// How long a claim lasts.
pub const LEASE: Duration = Duration::from_millis(1_500);
/// The time-out of the database: how long a member is blocked when the network drops its calls silently.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most jobs of a front end that it does not wait for yet.
const AHEAD: usize = 40;
/// The pause before a call that the database refused is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// The task of a process of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The database.
    pub url: String,
    /// The name of the process in the cluster.
    pub name: String,
    /// Its work.
    pub role: Role,
}

/// The work of a process of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs jobs.
    Worker,
    /// Submits these of the jobs that follow from the seed, and waits for them.
    Front {
        /// The seed of its jobs.
        seed: u64,
        /// The number of the first job.
        from: u32,
        /// The number after the last job.
        to: u32,
    },
}

/// One line of a member: a fact that its caller may rely on from then on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// The job with this number of the seed is acknowledged.
    Submitted(u32, JobId),
    /// A cancel is acknowledged; the job was waiting.
    Cancelled(JobId),
    /// A job is complete.
    Ended(JobId, How),
    /// A process found a wrong result.
    Wrong(String),
    /// Everything is submitted, and has ended.
    Done,
}

/// Job number `turn` of this seed.
#[must_use]
pub fn script(seed: u64, turn: u32) -> Script {
    let seed = RngSeed::Fixed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(turn)));
    let mut chance = TestRunner::new(Config { rng_seed: seed, failure_persistence: None, ..Config::default() });
    let mut script = Script::any(120).new_tree(&mut chance).expect("a script").current();
    // If another engine has the job by now, the body would see rows that are not its own.
    script.steps.retain(|step| *step != Step::Peek);
    script
}

impl Member {
    /// Works until everything is done and the standard input ends, or the process is ended.
    #[must_use]
    pub fn work(&self) -> ExitCode {
        let store = Arc::new(self.open());
        let builder = Engine::builder_shared(store)
            .lease_duration(LEASE)
            .poll_interval(Duration::from_millis(200))
            .retry(RetryPolicy::new(Duration::from_millis(1), Duration::from_millis(2)));
        match self.role {
            Role::Worker => {
                let stage = Arc::new(Stage { lasting: true, muted: AtomicBool::new(true), ..Stage::default() });
                let player = Arc::clone(&stage);
                let builder = builder.workers(2).algorithm("now", move |ctx: &mut _| player.play(ctx));
                let engine = Arc::new(builder.open().expect("the engine opens"));
                *stage.engine.lock() = Arc::downgrade(&engine);
                until_input_ends();
                engine.shutdown(Duration::from_mins(1));
            }
            Role::Front { seed, from, to } => {
                let engine = builder.front_end().open().expect("the engine opens");
                // The process ends with its caller in any case.
                thread::spawn(|| {
                    until_input_ends();
                    process::exit(0);
                });
                Front { engine, seed }.submit(from, to);
                tell(&Heard::Done);
                thread::park();
            }
        }
        ExitCode::SUCCESS
    }

    /// The server may be down at the moment.
    fn open(&self) -> PostgresStore {
        let url = format!("{}?application_name={}", self.url, self.name);
        loop {
            match PostgresStore::open(&url, PostgresOptions::default().timeout(TIMEOUT)) {
                Ok(store) => return store,
                Err(error) if error.kind == ErrorKind::Unavailable => thread::sleep(PAUSE),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn until_input_ends() {
    let _ = io::stdin().lock().read_to_end(&mut Vec::new());
}

/// The client of a cluster.
struct Front {
    engine: Engine,
    seed: u64,
}

impl Front {
    fn submit(&self, from: u32, to: u32) {
        let mut ahead: VecDeque<(u32, JobHandle)> = VecDeque::new();
        for turn in from..to {
            let job = self.submit_one(turn);
            tell(&Heard::Submitted(turn, job.id()));
            let id = job.id();
            job.on_complete(move |record| match How::of(record.state) {
                Some(how) => tell(&Heard::Ended(record.id, how)),
                None => tell(&Heard::Wrong(format!("job {id} has ended, but is {}", record.state))),
            });
            ahead.push_back((turn, job));
            if turn % 5 == 4 {
                self.cancel(&ahead[ahead.len() / 2].1);
            }
            if ahead.len() > AHEAD {
                let (turn, job) = ahead.pop_front().expect("one is there");
                self.wait(turn, &job);
            }
        }
        for (turn, job) in ahead {
            self.wait(turn, &job);
        }
    }

    /// The job has a key, so that a repeated submission is the same job.
    fn submit_one(&self, turn: u32) -> JobHandle {
        let key = format!("{}-{turn}", self.seed);
        loop {
            let spec = script(self.seed, turn).spec("now", "movies").idempotency_key(&key).max_attempts(20);
            match self.engine.submit(spec) {
                Ok(job) => return job,
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn cancel(&self, job: &JobHandle) {
        if self.engine.cancel(job.id()).is_ok_and(|record| record.state.is_complete()) {
            tell(&Heard::Cancelled(job.id()));
        }
    }

    /// Waits for the end of a job and reads its rows.
    fn wait(&self, turn: u32, job: &JobHandle) {
        match job.wait() {
            Ok(record) => {
                if let Some(wrong) = self.wrong(turn, &record) {
                    tell(&Heard::Wrong(wrong));
                }
            }
            Err(error) => tell(&Heard::Wrong(format!("job {}: {error}", job.id()))),
        }
    }

    fn rows(&self, id: JobId) -> Result<Vec<String>, EngineError> {
        Ok(script::rows(&self.engine.reader().page(id, PageRequest::default())?)?)
    }

    /// The fault in the result of a job that has ended.
    fn wrong(&self, turn: u32, record: &JobRecord) -> Option<String> {
        if record.state != JobState::Complete(Outcome::Succeeded) {
            return None;
        }
        let script = script(self.seed, turn);
        let expected = script.rows();
        let rows = loop {
            match self.rows(record.id) {
                Ok(rows) => break rows,
                Err(EngineError::Store(error)) if error.kind == ErrorKind::Unavailable => thread::sleep(PAUSE),
                Err(error) => return Some(format!("rows of job {}: {error}", record.id)),
            }
        };
        let right = rows.len() == expected.len()
            && rows.iter().zip(&expected).all(|(found, &number)| *found == row(script.seed, number));
        (!right).then(|| format!("{} rows of job {} are not its {}", rows.len(), record.id, expected.len()))
    }
}

/// Writes one line in one write. A line that was cut does not count.
fn tell(heard: &Heard) {
    let mut line = serde_json::to_string(heard).expect("a line is JSON");
    line.push('\n');
    let mut out = io::stdout().lock();
    // The reader has closed the pipe, so the line is not needed.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
