//! apalis on SQLite. As shipped, `setup` turns fsync off on one connection of the pool and leaves it on for the
//! others. `variant=full` sets up through a pool of its own, so that every commit is an fsync.

use std::any::Any;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use peer::{Peer, Run};

async fn noop(_n: u64) -> Result<(), BoxDynError> {
    peer::done();
    Ok(())
}

#[derive(Clone)]
struct Apalis(SqliteStorage<u64>);

impl Peer for Apalis {
    async fn submit(&self) {
        self.0.clone().push(7).await.expect("submit");
    }

    async fn submit_batch(&self, n: u64) {
        let tasks = (0..n).map(|n| TaskBuilder::new(n).build());
        self.0.clone().push_all(&mut futures::stream::iter(tasks)).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let storage = self.0.clone();
        Box::new(tokio::spawn(async move {
            WorkerBuilder::new("w1").backend(storage).concurrency(workers).build(noop).run().await.expect("work");
        }))
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let first = SqlitePool::connect(&run.sqlite_url()).await.expect("open");
    SqliteStorage::setup(&first).await.expect("set up");
    let pool = if run.variant == "full" {
        first.close().await;
        SqlitePool::connect(&run.sqlite_url()).await.expect("open")
    } else {
        first
    };
    run.measure(Apalis(SqliteStorage::new(&pool).with_config(Config::default().queue("bench").batch_size(100)))).await;
}
