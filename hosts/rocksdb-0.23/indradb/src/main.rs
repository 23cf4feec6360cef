//! IndraDB with its RocksDB backend. Its database is closed to others, so the jobs lie in a directory beside it, in the same
//! RocksDB 0.23.
//!
//! `cargo run --package indradb-host` filters vertices by a property and finds components. It kills a process in the middle
//! of that, and goes on with the job in another one. An argument names the directory.

mod graph;
mod work;

use std::{error::Error, fs, path::Path, sync::Arc, time::Duration};

use job_runner::{Engine, JobContext};
use story::Host;

use crate::graph::Graph;

const VERTICES: u64 = 20_000;

fn open(directory: &Path, held: Option<u64>) -> Result<Engine, Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let graph = Graph::open(&directory.join("graph"))?;
    graph.fill(VERTICES)?;
    let store = adaptor::open(directory.join("jobs"))?;
    let filtered = graph.clone();
    let engine = Engine::builder(Arc::new(store))
        .vertex_filter(move |ctx: &mut JobContext| work::adults(ctx, &filtered))
        .algorithm("components", move |ctx: &mut JobContext| work::components(ctx, &graph, held))
        // Every 10 s by default; here after each step.
        .checkpoint_interval(Duration::ZERO);
    Ok(engine.open()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    story::main(&Host { open, algorithm: "components" })
}
