//! rustqueue on redb: an fsync per commit. It has no worker loop of its own, so one is written here the way its
//! documentation does: pull a few, acknowledge each.

use std::{any::Any, sync::Arc};

use peer::{Peer, Run};
use rustqueue::RustQueue;

#[derive(Clone)]
struct Redb(Arc<RustQueue>);

impl Peer for Redb {
    async fn submit(&self) {
        self.0.push("b", "noop", serde_json::json!({}), None).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        for _ in 0..workers {
            let queue = Arc::clone(&self.0);
            tokio::spawn(async move {
                loop {
                    let jobs = queue.pull("b", 32).await.expect("pull");
                    if jobs.is_empty() {
                        tokio::task::yield_now().await;
                    }
                    for job in jobs {
                        queue.ack(job.id, None).await.expect("acknowledge");
                        peer::done();
                    }
                }
            });
        }
        Box::new(())
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let queue = RustQueue::redb(run.file()).expect("open").build().expect("open");
    run.measure(Redb(Arc::new(queue))).await;
}
