//! apalis on PostgreSQL: jobs are polled for in batches of 100, as on SQLite.

use std::any::Any;

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use peer::{Peer, Run};

async fn noop(_n: u64) -> Result<(), BoxDynError> {
    peer::done();
    Ok(())
}

#[derive(Clone)]
struct Apalis(PgPool);

impl Apalis {
    fn storage(&self) -> PostgresStorage<u64> {
        PostgresStorage::new(&self.0).with_config(Config::default().queue("bench").batch_size(100))
    }
}

impl Peer for Apalis {
    async fn submit(&self) {
        self.storage().push(7).await.expect("submit");
    }

    async fn submit_batch(&self, n: u64) {
        let tasks = (0..n).map(|n| TaskBuilder::new(n).build());
        self.storage().push_all(&mut futures::stream::iter(tasks)).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let storage = self.storage();
        let name = format!("worker-{}", std::process::id());
        Box::new(tokio::spawn(async move {
            WorkerBuilder::new(name).backend(storage).concurrency(workers).build(noop).run().await.expect("work");
        }))
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let pool = PgPool::connect(run.url()).await.expect("connect");
    PostgresStorage::setup(&pool).await.expect("set up");
    run.measure(Apalis(pool)).await;
}
