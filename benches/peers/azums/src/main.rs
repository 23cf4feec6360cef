//! azums on SQLite as shipped (WAL, no fsync per commit), or in memory with `variant=memory`. One client runs one job
//! at a time; more workers are more clients of one file, which answer "database is locked".

use std::{any::Any, sync::Arc};

use azums::Job;
use peer::{Peer, Run};

#[derive(Clone)]
struct Azums(Arc<azums::QuickstartFlow>);

impl Peer for Azums {
    async fn submit(&self) {
        self.0.enqueue(Job::new("noop", serde_json::json!({})).queue("b")).await.expect("submit");
    }

    async fn work(&self, _workers: usize) -> Box<dyn Any> {
        let client = Arc::clone(&self.0);
        Box::new(tokio::spawn(async move {
            loop {
                client.run_until_empty().await.expect("work");
                tokio::task::yield_now().await;
            }
        }))
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let url = if run.variant == "memory" { "memory".to_owned() } else { run.sqlite_url() };
    let client = azums::quickstart(&url).await.expect("open").with_queue("b");
    client
        .register_handler("noop", |_job| async move {
            peer::done();
            Ok(())
        })
        .await;
    run.measure(Azums(Arc::new(client))).await;
}
