//! An algorithm that goes on from a checkpoint after its process has died.
//!
//! `cargo run --package job-runner --example resume`

use std::{
    error::Error,
    ops::{ControlFlow, Range},
    sync::Arc,
    time::Duration,
};

use job_runner::{
    Crash, Engine, EngineError, Iterative, JobContext, JobError, JobSpec,
    store::{MemoryStore, Store},
};

/// The ranks of a ring of vertices, one step after the other.
struct Ring {
    step: u64,
    ranks: Vec<f64>,
    /// A real process dies by itself.
    crash: Option<Crash>,
}

const STEPS: u64 = 50;

impl Iterative for Ring {
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        if let Some(crash) = self.crash.as_ref().filter(|_| self.step == 30) {
            crash.now();
        }
        let before = self.ranks.clone();
        let next = before.iter().cycle().skip(1);
        for (rank, (own, next)) in self.ranks.iter_mut().zip(before.iter().zip(next)) {
            *rank = 0.15 * own + 0.85 * next;
        }
        self.step += 1;
        Ok(if self.step == STEPS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn progress(&self) -> Range<u64> {
        self.step..STEPS
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&(self.step, &self.ranks)).ok()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), JobError> {
        (self.step, self.ranks) = serde_json::from_slice(state)?;
        println!("goes on from step {}", self.step);
        Ok(())
    }
}

fn rank(ctx: &mut JobContext, crash: &Crash) -> Result<(), JobError> {
    let crash = (ctx.attempt() == 1).then(|| crash.clone());
    let mut ranks = Ring { step: 0, ranks: (0..1_000).map(|n| f64::from(n % 10)).collect(), crash };
    ctx.iterate(&mut ranks)?;
    let mut rows = ctx.rows("ranks")?;
    ranks.ranks.iter().try_for_each(|rank| rows.push(rank))
}

fn open(store: &Arc<dyn Store>, crash: &Crash) -> Result<Engine, EngineError> {
    let own = crash.clone();
    Engine::builder(Arc::clone(store))
        .algorithm("rank", move |ctx: &mut JobContext| rank(ctx, &own))
        // Every 10 s by default; here after each step.
        .checkpoint_interval(Duration::ZERO)
        .crash(crash)
        .open()
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // In place of a directory: a store that goes on without the process.
    let (store, crash): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::default()), Crash::default());
    let engine = open(&store, &crash)?;
    let job = engine.submit(JobSpec::algorithm("rank").with_graph("ring"))?;
    println!("{}", job.wait().err().ok_or("its process dies")?);

    let next = open(&store, &crash)?;
    let record = next.job(job.id())?.ok_or("it is stored")?.wait()?;
    println!("job {} is {} with {} rows at attempt {}", job.id(), record.state, record.size.rows, record.attempt);
    Ok(())
}
