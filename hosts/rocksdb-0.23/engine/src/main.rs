//! A graph engine on RocksDB 0.23. One database, which it opens by itself, has its vertices and edges and keeps its jobs.
//!
//! `cargo run --package engine` filters vertices and ranks them. It kills a process in the middle of that, and goes on with
//! the job in another one. `cargo run --package engine -- DIRECTORY` names the directory of the database.

mod graph;
mod work;

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use job_runner::{Engine, JobContext};
use story::Host;

use crate::graph::Graph;

const VERTICES: u64 = 20_000;

fn open(directory: &Path, held: Option<u64>) -> Result<Engine, Box<dyn Error>> {
    let graph = Graph::open(directory)?;
    graph.fill(VERTICES)?;
    let store = adaptor::in_database(graph.database())?;
    let filtered = graph.clone();
    let engine = Engine::builder(Arc::new(store))
        .vertex_filter(move |ctx: &mut JobContext| work::adults(ctx, &filtered, VERTICES))
        .algorithm("pagerank", move |ctx: &mut JobContext| work::pagerank(ctx, &graph, VERTICES, held))
        // Every 10 s by default; here after each step.
        .checkpoint_interval(Duration::ZERO);
    Ok(engine.open()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    story::main(&Host { open, algorithm: "pagerank" })
}
