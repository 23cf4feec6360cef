//! [`Child`]: a process that works on a store, and prints every acknowledgement when it comes.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use job_runner::{
    Durability, Engine, EngineError, JobHandle, JobId, JobState, Outcome,
    store::{Moment, RocksOptions, RocksStore, Store},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde::{Deserialize, Serialize};

use crate::{
    script::{Script, Stage},
    stumble::{Death, stumbling},
};

/// The task of a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Child {
    /// The store.
    pub store: PathBuf,
    /// The seed of its random choices.
    pub seed: u64,
    /// Jobs to submit, from each of two threads.
    pub jobs: u32,
    /// Dies before (`false`) or after (`true`) this write.
    pub death: Option<(u64, bool)>,
    /// Whether acknowledgements wait for the disk.
    pub synced: bool,
}

/// One line of a child: a fact that its caller may rely on from then on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The engine is open, and has taken up every unfinished job.
    Open,
    /// A job is acknowledged.
    Submitted(JobId, Script),
    /// A cancel is acknowledged; the job was waiting.
    Cancelled(JobId),
    /// A job is complete.
    Ended(JobId, How),
    /// A job is about to be removed.
    Removing(JobId),
    /// A job is removed.
    Removed(JobId),
    /// The engine refused a valid request.
    Refused(String),
    /// The child has done all its work.
    Done,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the state")]
pub enum How {
    Succeeded,
    Failed,
    Cancelled,
}

impl How {
    /// The end in this state; `None` for an unfinished job.
    #[must_use]
    pub const fn of(state: JobState) -> Option<Self> {
        match state {
            JobState::Complete(Outcome::Succeeded) => Some(Self::Succeeded),
            JobState::Complete(Outcome::Failed) => Some(Self::Failed),
            JobState::Complete(Outcome::Cancelled) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// Options with which a small store uses all kinds of files: small and large segments, many files.
#[must_use]
pub fn options() -> RocksOptions {
    RocksOptions::default()
        .block_cache(8 << 20)
        .write_buffer(256 << 10)
        .block_bytes(4 << 10)
        .small_segment(64 << 10)
        .file_bytes(64 << 10)
}

/// The engine of children, over `store`.
///
/// # Errors
/// The errors of opening an [`Engine`].
pub fn engine(
    store: Arc<dyn Store>,
    workers: usize,
    durability: Durability,
) -> Result<(Arc<Engine>, Arc<Stage>), EngineError> {
    let stage = Arc::new(Stage::default());
    let player = Arc::clone(&stage);
    let builder = Engine::builder(store);
    let builder = if workers == 0 { builder.manual() } else { builder.workers(workers) };
    let engine = builder
        .durability(durability)
        .retry(job_runner::RetryPolicy::new(Duration::from_millis(1), Duration::from_millis(2)))
        .algorithm("now", move |ctx: &mut _| player.play(ctx))
        .open()?;
    let engine = Arc::new(engine);
    *stage.engine.lock() = Arc::downgrade(&engine);
    Ok((engine, stage))
}

impl Child {
    /// Works until everything is done, or the process is ended.
    ///
    /// # Errors
    /// When the store or the engine cannot be opened.
    pub fn work(&self) -> Result<(), EngineError> {
        let store: Arc<dyn Store> = Arc::new(RocksStore::open(&self.store, options())?);
        let store: Arc<dyn Store> = match self.death {
            Some((write, after)) => {
                let moment = if after { Moment::After } else { Moment::Before };
                Arc::new(stumbling(store, Death { moment, write }))
            }
            None => store,
        };
        let durability = if self.synced { Durability::Synced } else { Durability::Buffered };
        let (engine, _stage) = engine(store, 2, durability)?;
        tell(&Told::Open);
        let threads: Vec<_> = (0..2u64)
            .map(|number| {
                let (engine, child) = (Arc::clone(&engine), self.clone());
                thread::spawn(move || child.submit(&engine, number))
            })
            .collect();
        for thread in threads {
            thread.join().expect("a submitter does not panic");
        }
        tell(&Told::Done);
        Ok(())
    }

    fn submit(&self, engine: &Arc<Engine>, number: u64) {
        let seed = RngSeed::Fixed(self.seed.wrapping_mul(2).wrapping_add(number));
        let mut chance =
            TestRunner::new(Config { rng_seed: seed, failure_persistence: None, ..Config::default() });
        let mut ids = Vec::new();
        for turn in 0..self.jobs {
            let script = Script::any(600).new_tree(&mut chance).expect("a script").current();
            match engine.submit(script.spec("now", "movies")) {
                Ok(job) => {
                    tell(&Told::Submitted(job.id(), script));
                    ids.push(job.id());
                    job.on_complete(|record| {
                        if let Some(how) = How::of(record.state) {
                            tell(&Told::Ended(record.id, how));
                        }
                    });
                    // Waits for one job in four, so that ends come between submissions.
                    if turn % 4 == 3 {
                        wait(engine, &job);
                    }
                }
                Err(error) => tell(&Told::Refused(error.to_string())),
            }
            if turn % 5 == 4 {
                cancel(engine, ids[ids.len() / 2]);
            }
            if turn % 7 == 6 {
                remove(engine, ids[ids.len() / 3]);
            }
        }
        for id in ids {
            if let Ok(Some(job)) = engine.job(id) {
                wait(engine, &job);
            }
        }
    }
}

/// Waits for the end of a job, or prints the engine's reason why it does not come.
fn wait(engine: &Engine, job: &JobHandle) {
    while let Ok(None) = job.wait_timeout(Duration::from_millis(50)) {
        if let Err(error) = engine.health() {
            eprintln!("{error}");
            std::process::exit(3);
        }
    }
}

fn cancel(engine: &Engine, id: JobId) {
    if engine.cancel(id).is_ok_and(|record| record.state.is_complete()) {
        tell(&Told::Cancelled(id));
    }
}

fn remove(engine: &Engine, id: JobId) {
    tell(&Told::Removing(id));
    if engine.remove(id).is_ok_and(|there| there) {
        tell(&Told::Removed(id));
    }
}

/// Writes one line in one write. A line that was cut does not count.
fn tell(told: &Told) {
    let mut line = serde_json::to_string(told).expect("a line is JSON");
    line.push('\n');
    let mut out = io::stdout().lock();
    // The reader has closed the pipe, so the line is not needed.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
