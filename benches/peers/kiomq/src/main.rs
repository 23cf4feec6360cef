//! kiomq in memory, its only store here that works without a server.

use std::{any::Any, sync::Arc};

use kiomq::{InMemoryStore, Job, KioError, Queue, Worker, WorkerOpts};
use peer::{Peer, Run};

type Store = InMemoryStore<u64, u64, ()>;

#[derive(Clone)]
struct Kiomq(Arc<Queue<u64, u64, (), Store>>);

impl Peer for Kiomq {
    async fn submit(&self) {
        self.0.add_job("noop", 7, None).await.expect("submit");
    }

    async fn submit_batch(&self, n: u64) {
        self.0.bulk_add_only((0..n).map(|i| ("noop".to_owned(), None, i))).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let options = WorkerOpts { concurrency: workers, ..WorkerOpts::default() };
        let noop = |_store: Arc<Store>, _job: Job<u64, u64, ()>| async move {
            peer::done();
            Ok::<u64, KioError>(0)
        };
        let worker = Worker::new_async(&self.0, noop, Some(options)).expect("make a worker");
        worker.run().expect("start it");
        Box::new(worker)
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let queue = Queue::new(InMemoryStore::new(None, "b"), None).await.expect("open");
    run.measure(Kiomq(Arc::new(queue))).await;
}
