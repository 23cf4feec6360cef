//! Several engines on one store: a front end submits, two workers run, and any of them reads.
//!
//! Here they are in one process, on a store in memory that they share. In several processes, and on several machines, it
//! is `PostgresStore`, and the code is the same.
//!
//! `cargo run --package job-runner --example several_engines`

use std::{error::Error, sync::Arc, time::Duration};

use job_runner::{
    Engine, EngineError, JobContext, JobError, JobHandle, JobSpec, PageRequest,
    store::{MemoryStore, SharedMemory},
};

fn squares(ctx: &mut JobContext) -> Result<(), JobError> {
    let most: u64 = ctx.spec().parameters().read()?;
    let mut rows = ctx.rows("squares")?;
    for n in 0..most {
        ctx.check_stopped()?;
        rows.push(&(n * n))?;
    }
    Ok(())
}

fn worker(store: &SharedMemory) -> Result<Engine, EngineError> {
    // Each engine is a claimant of its own: a job runs on one of them.
    Engine::builder_shared(Arc::new(store.claimant())).algorithm("squares", squares).workers(2).open()
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let store = SharedMemory::new(MemoryStore::default());
    let workers = [worker(&store)?, worker(&store)?];
    let front = Engine::builder_shared(Arc::new(store.claimant())).front_end().open()?;

    let spec = |most: u64| JobSpec::algorithm("squares").with_graph("numbers").with_parameters(&most);
    let jobs = front.submit_all((1..=20).map(spec).collect::<Result<Vec<_>, _>>()?)?;
    let records = JobHandle::wait_all(&jobs, Duration::from_mins(1))?;
    println!("{} jobs have {} rows", jobs.len(), records.iter().map(|record| record.size.rows).sum::<u64>());

    // The engine that reads is not the one that ran the job.
    let last = jobs.last().ok_or("there are jobs")?.id();
    let mut rows = Vec::new();
    for worker in &workers {
        rows.clear();
        let job = worker.job(last)?.ok_or("every engine finds every job")?;
        job.page(PageRequest::new(17, 3)?)?.write_to(&mut rows)?;
    }
    println!("the last rows of job {last}: {}", String::from_utf8(rows)?);
    Ok(())
}
