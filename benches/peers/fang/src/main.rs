//! fang on SQLite, its file put into WAL mode (sqlx leaves `synchronous` at FULL: an fsync per commit). Its idle workers
//! sleep for seconds as shipped; `variant=wal` only sets the journal.

use std::any::Any;

use fang::{
    AsyncQueue, AsyncQueueable, AsyncRunnable, AsyncWorkerPool, FangError, async_trait,
    serde::{Deserialize, Serialize},
    typetag,
};
use peer::{Peer, Run};
use sqlx::{ConnectOptions, Connection};

const TABLES: &str = include_str!("tables.sql");

#[derive(Serialize, Deserialize)]
#[serde(crate = "fang::serde")]
struct Noop {
    n: u64,
}

#[typetag::serde]
#[async_trait]
impl AsyncRunnable for Noop {
    async fn run(&self, _queue: &dyn AsyncQueueable) -> Result<(), FangError> {
        peer::done();
        Ok(())
    }
}

#[derive(Clone)]
struct Fang(AsyncQueue);

impl Peer for Fang {
    async fn submit(&self) {
        self.0.insert_task(&Noop { n: 1 }).await.expect("submit");
    }

    async fn work(&self, workers: usize) -> Box<dyn Any> {
        let workers = u32::try_from(workers).expect("few workers");
        let mut pool: AsyncWorkerPool<AsyncQueue> =
            AsyncWorkerPool::builder().number_of_workers(workers).queue(self.0.clone()).build();
        pool.start().await;
        Box::new(())
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_args();
    let mut file = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(run.file())
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .connect()
        .await
        .expect("make the file");
    sqlx::raw_sql(TABLES).execute(&mut file).await.expect("make the tables");
    file.close().await.expect("close the file");
    let mut queue = AsyncQueue::builder().uri(run.sqlite_url()).max_pool_size(8_u32).build();
    queue.connect().await.expect("open");
    run.measure(Fang(queue)).await;
}
