//! A process that forks while it has stores open. Rust has no safe fork, so a preloaded C library does it: its
//! `chdir` forks when the directory is called `FORK`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::Arc,
    thread,
};

use job_runner::{
    Durability, Engine, JobId, JobRecord, JobSpec, Timestamp,
    store::{RocksStore, Store},
};
use job_store::RedbStore;
use serde::{Deserialize, Serialize};

use crate::child;

/// A process that changes to this directory forks instead.
const FORK: &str = "fork:";

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int chdir(const char *path) {
    if (strcmp(path, "fork:") == 0) return fork() < 0 ? -1 : 0;
    return (int)syscall(SYS_chdir, path);
}
"#;

/// Compiles the library for `LD_PRELOAD`; `None` without a C compiler, with a line that says so.
#[must_use]
pub fn library(directory: &Path) -> Option<PathBuf> {
    let [source, library] = ["fork.c", "fork.so"].map(|name| directory.join(name));
    std::fs::write(&source, LIBRARY).expect("writable");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if compiled.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    test_servers::skip("there is no C compiler (`sudo apt-get install gcc`)");
    None
}

/// The task of a process that forks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forking {
    /// A store with an engine.
    pub store: PathBuf,
    /// A store that the forked process closes.
    pub side: PathBuf,
    /// A store in a redb file.
    pub file: PathBuf,
    /// How many jobs the parent submits.
    pub jobs: u32,
}

/// A line of one of the two processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Said {
    /// The forked process has begun.
    Forked(u32),
    Acknowledged(JobId),
    Refused(String),
    Healthy,
    Unhealthy(String),
    Done,
}

impl Forking {
    /// Works and forks. Both processes go on until they are ended.
    pub fn work(&self) {
        let store = Arc::new(RocksStore::open(&self.store, child::options()).expect("the store opens"));
        let side = RocksStore::open(&self.side, child::options()).expect("the store opens");
        let file: Arc<dyn Store> = Arc::new(RedbStore::open(&self.file).expect("the store opens"));
        let engine = Engine::builder(Arc::clone(&store) as Arc<dyn Store>)
            .workers(2)
            .vertex_filter(|ctx: &mut job_runner::JobContext| ctx.rows("vertices")?.push(&"Sarah"))
            .open()
            .expect("the engine opens");
        submit(&engine).expect("accepted").wait().expect("it runs");
        let before = process::id();
        std::env::set_current_dir(FORK).expect("forked");
        if process::id() == before {
            self.go_on(&engine, &file);
        } else {
            try_everything(&engine, &*store, side, &file);
        }
        say(&Said::Done);
        loop {
            thread::park();
        }
    }

    fn go_on(&self, engine: &Engine, file: &Arc<dyn Store>) {
        io::stdin().read_line(&mut String::new()).expect("told to go on");
        for n in 0..self.jobs {
            submit(engine).expect("accepted").wait().expect("it runs");
            say_of(insert(&**file, u64::from(n) + 1_000));
        }
    }
}

/// Makes calls in the forked process. None of them may succeed, hang or write.
fn try_everything(engine: &Engine, store: &dyn Store, side: RocksStore, file: &Arc<dyn Store>) {
    say(&Said::Forked(process::id()));
    say(&engine.health().map_or_else(|error| Said::Unhealthy(error.to_string()), |()| Said::Healthy));
    if let Err(error) = submit(engine) {
        say(&Said::Refused(error.to_string()));
    }
    say_of(insert(store, 1));
    say_of(insert(&side, 1));
    drop(side);
    say_of(insert(&**file, 1));
}

fn submit(engine: &Engine) -> Result<job_runner::JobHandle, job_runner::EngineError> {
    let job = engine.submit(JobSpec::vertex_filter().with_graph("movies"))?;
    say(&Said::Acknowledged(job.id()));
    Ok(job)
}

fn insert(store: &dyn Store, n: u64) -> Result<JobId, job_store::StoreError> {
    let now = Timestamp::from_micros(n * 1_000);
    let record =
        JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
    store.insert(std::slice::from_ref(&record), Durability::Synced).map(|()| record.id)
}

fn say_of(inserted: Result<JobId, job_store::StoreError>) {
    say(&inserted.map_or_else(|error| Said::Refused(error.to_string()), Said::Acknowledged));
}

/// Writes one line in one write.
fn say(said: &Said) {
    let mut line = serde_json::to_string(said).expect("a line is JSON");
    line.push('\n');
    let _ = io::stdout().lock().write_all(line.as_bytes());
}
