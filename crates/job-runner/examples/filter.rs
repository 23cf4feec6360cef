//! A vertex filter: rows go to disk as they come, idle workers help, and a client reads a page.
//!
//! `cargo run --package job-runner --example filter`

use std::{error::Error, sync::Arc};

use job_runner::{
    Engine, JobContext, JobError, JobKind, JobSpec, PageRequest, Partition, ScanOptions, store::MemoryStore,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The graph of the host: the age of each vertex.
struct Graph {
    ages: Vec<u32>,
}

/// The parameters of the filter.
#[derive(Deserialize)]
struct OlderThan {
    age: u32,
}

#[derive(Serialize)]
struct Vertex {
    id: u64,
    age: u32,
}

/// Asked when the job is submitted, so that a wrong request is no job.
fn check(spec: &JobSpec) -> Result<(), JobError> {
    let OlderThan { age } = spec.parameters().read()?;
    if age < 150 { Ok(()) } else { Err(JobError::failed(format!("age is {age}: it must be below 150"))) }
}

/// The body of each job: the engine calls `scan` for one partition of ids after the other, on every idle worker.
fn older(ctx: &mut JobContext, graph: &Arc<Graph>) -> Result<(), JobError> {
    let OlderThan { age: least } = ctx.spec().parameters().read()?;
    let graph = Arc::clone(graph);
    let ids = 0..graph.ages.len() as u64;
    ctx.scan("vertices", ids, ScanOptions::default(), move |part: &mut Partition<'_>| {
        for id in part.ids() {
            let age = usize::try_from(id).ok().and_then(|id| graph.ages.get(id)).copied().unwrap_or_default();
            if age > least {
                part.push(&Vertex { id, age })?;
            }
        }
        part.check_stopped()
    })
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let graph = Arc::new(Graph { ages: (0..100_000).map(|n| n * 37 % 90).collect() });
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .vertex_filter(move |ctx: &mut JobContext| older(ctx, &graph))
        .check(JobKind::VertexFilter, check)
        .open()?;

    let spec = JobSpec::vertex_filter().with_graph("people");
    let refused = engine.submit(spec.clone().with_parameters(&json!({"age": 200}))?);
    println!("{}", refused.err().ok_or("a wrong request is refused")?);

    let job = engine.submit(spec.with_parameters(&json!({"age": 80}))?)?;
    let record = job.wait()?;
    let mut page = Vec::new();
    job.status(PageRequest::new(2, 3)?)?.write_to(&mut page)?;
    println!("{} rows in job {}; a page of them: {}", record.size.rows, job.id(), String::from_utf8(page)?);
    Ok(())
}
