//! graphile_worker on PostgreSQL. As shipped, every job is fetched and ended by a statement of its own.
//! `variant=batched` takes 500 jobs at once through its local queue and ends them together every 5 ms: the fastest
//! that its options offer. `variant=recorded` is the same with a handler that leaves a row about its job in a table of
//! its own. For the library deletes a finished job, and a status that is asked for later needs a record.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions, WorkerUtils,
};
use peer::{Peer, Run};
use serde::{Deserialize, Serialize};

/// Whether the handler leaves a row.
static RECORDED: AtomicBool = AtomicBool::new(false);
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS finished_jobs (id int8 PRIMARY KEY, ended timestamptz NOT NULL, record json NOT NULL)";

#[derive(Clone, Deserialize, Serialize)]
struct Noop(u64);

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        if RECORDED.load(Ordering::Relaxed) {
            let row = sqlx::query("INSERT INTO finished_jobs VALUES ($1, now(), $2)").bind(ctx.job().id());
            row.bind(ctx.payload()).execute(ctx.pg_pool()).await.map_err(|error| error.to_string())?;
        }
        peer::done();
        Ok::<(), String>(())
    }
}

#[derive(Clone)]
struct Graphile {
    run: Run,
    utils: Arc<WorkerUtils>,
}

impl Peer for Graphile {
    async fn submit(&self) {
        self.utils.add_job(Noop(7), JobSpec::default()).await.expect("submit");
    }

    async fn submit_batch(&self, n: u64) {
        let spec = JobSpec::default();
        let jobs: Vec<_> = (0..n).map(|n| (Noop(n), &spec)).collect();
        self.utils.add_jobs(&jobs).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let worker = worker(&self.run, workers).await;
        Box::new(tokio::spawn(async move { worker.run().await.expect("work") }))
    }
}

async fn worker(run: &Run, workers: usize) -> Worker {
    let mut options = WorkerOptions::default()
        .database_url(run.url())
        .max_pg_conn(8)
        .concurrency(workers)
        .listen_os_shutdown_signals(false)
        .define_job::<Noop>();
    if !run.variant.is_empty() {
        options = options
            .local_queue(LocalQueueConfig::default().with_size(500))
            .complete_job_batch_delay(Duration::from_millis(5));
    }
    options.init().await.expect("set up")
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    if run.variant == "recorded" {
        RECORDED.store(true, Ordering::Relaxed);
        let pool = sqlx::PgPool::connect(run.url()).await.expect("connect");
        sqlx::query(TABLE).execute(&pool).await.expect("make the table");
    }
    let utils = Arc::new(worker(&run, 1).await.create_utils());
    run.clone().measure(Graphile { run, utils }).await;
}
