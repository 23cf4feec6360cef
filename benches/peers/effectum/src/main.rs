//! effectum, as shipped (rollback journal) or with `variant=wal`: its file put into WAL mode beforehand, since the
//! `PRAGMA journal=wal` that it sends itself has no effect.

use std::{any::Any, path::Path, sync::Arc};

use effectum::{Error, Job, JobRunner, Queue, RunningJob, Worker};
use peer::{Peer, Run};

#[derive(Debug)]
struct Context;

async fn noop(_job: RunningJob, _context: Arc<Context>) -> Result<(), Error> {
    peer::done();
    Ok(())
}

#[derive(Clone)]
struct Effectum(Arc<Queue>);

impl Peer for Effectum {
    async fn submit(&self) {
        Job::builder("noop").add_to(&self.0).await.expect("submit");
    }

    async fn submit_batch(&self, n: u64) {
        let jobs = (0..n).map(|_| Job::builder("noop").build()).collect();
        self.0.add_jobs(jobs).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let slots = u16::try_from(workers).expect("few workers");
        let worker = Worker::builder(&self.0, Arc::new(Context))
            .min_concurrency(slots)
            .max_concurrency(slots)
            .jobs([JobRunner::builder("noop", noop).build()]);
        Box::new(worker.build().await.expect("start a worker"))
    }
}

fn force_wal(path: &Path) {
    let file = rusqlite::Connection::open(path).expect("open the file");
    let mode: String = file.query_row("pragma journal_mode = wal", [], |row| row.get(0)).expect("set the mode");
    assert_eq!(mode, "wal");
    file.execute_batch("create table _x(a); drop table _x;").expect("write the file");
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    if run.variant == "wal" {
        force_wal(&run.file());
    }
    let queue = Queue::new(&run.file()).await.expect("open");
    run.measure(Effectum(Arc::new(queue))).await;
}
