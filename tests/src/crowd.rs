//! [`Crowd`]: a process with many large results that also opens many files of its own.

use std::{fs::File, path::PathBuf, sync::Arc};

use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::RocksStore};
use serde::{Deserialize, Serialize};

use crate::child;

/// The task of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crowd {
    /// The store.
    pub store: PathBuf,
    /// How many results, each in a file of its own.
    pub results: u32,
}

impl Crowd {
    /// Makes the results, reads each, and prints how many files can still be opened.
    pub fn work(&self) {
        let store = Arc::new(RocksStore::open(&self.store, child::options()).expect("the store opens"));
        let engine = Engine::builder(store)
            .workers(2)
            .vertex_filter(|ctx: &mut JobContext| {
                let mut rows = ctx.rows("vertices")?;
                (0..100).try_for_each(|_| rows.push(&"x".repeat(1_000)))
            })
            .open()
            .expect("the engine opens");
        let submit = |_| engine.submit(JobSpec::vertex_filter().with_graph("movies")).expect("accepted");
        let jobs: Vec<_> = (0..self.results).map(submit).collect();
        for job in &jobs {
            let record = job.wait().expect("the engine is well");
            assert_eq!(record.attempt, 1, "{:?}", record.failure);
        }
        for job in &jobs {
            let mut page = Vec::new();
            job.status(PageRequest::new(50, 1).expect("in range"))
                .expect("readable")
                .write_to(&mut page)
                .expect("written");
        }
        let mut own = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            own.push(file);
        }
        println!("{}", own.len());
    }
}
