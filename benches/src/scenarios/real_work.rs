//! Runs real work as jobs. The figures are the time that the engine adds to an algorithm, and the time that a
//! second worker saves in a filter.

use std::sync::Arc;

use anyhow::{Result, ensure};
use job_demo::{
    algorithms::pagerank::{PageRank, pagerank},
    graph::{Graph, GraphBuilder, Properties},
    watch::{Stopped, Unwatched, Watch},
};
use job_runner::{Durability, Engine, JobContext, JobError, JobSpec, JobState, Outcome, Partition, ScanOptions};
use serde_json::json;

use super::{Bench, open};
use crate::{
    measure::{interleave, seconds},
    report::{Goal, Row, Unit},
    vertices::{Random, SEED, Vertex, vertices},
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = rank(bench)?;
    rows.extend(filter(bench)?);
    Ok(rows)
}

/// Makes edges by the R-MAT method of Graph500: each step chooses a quadrant of the adjacency matrix, with the
/// probabilities 0.57, 0.19, 0.19 and 0.05.
fn rmat(scale: u32, edges: usize) -> Result<Graph> {
    let mut random = Random(SEED);
    let mut graph = GraphBuilder::default();
    for vertex in 0..1_u32 << scale {
        graph.vertex(vertex.to_string(), "page", Properties::default())?;
    }
    for _ in 0..edges {
        let (mut from, mut to) = (0_u32, 0_u32);
        for _ in 0..scale {
            let (down, right) = match random.below(100) {
                0..57 => (0, 0),
                57..76 => (0, 1),
                76..95 => (1, 0),
                _ => (1, 1),
            };
            (from, to) = (from << 1 | down, to << 1 | right);
        }
        graph.edge(from, to, "links", Properties::default())?;
    }
    Ok(graph.build())
}

/// The ranks of the 2 to the power of `scale` vertices of a graph with `edges` edges.
pub(super) fn ranks(scale: u32, edges: usize) -> Result<Vec<f64>> {
    Ok(pagerank(&rmat(scale, edges)?, &PageRank::default(), &Unwatched)?.values)
}

struct JobWatch<'c>(&'c JobContext);

impl Watch for JobWatch<'_> {
    fn check_stopped(&self) -> Result<(), Stopped> {
        self.0.check_stopped().map_err(|_| Stopped)
    }

    fn progress(&self, done: u64, total: u64) {
        self.0.set_progress(done, total);
    }
}

fn rank(bench: &Bench) -> Result<Vec<Row>> {
    let edges = bench.size(1_000_000, 100_000);
    let graph = Arc::new(rmat(17, edges)?);
    let directory = bench.directory()?;
    let (scalars, lists) = (Arc::clone(&graph), Arc::clone(&graph));
    let engine = Engine::builder(open(directory.path())?)
        .algorithm("pagerank", move |ctx: &mut JobContext| ranked(ctx, &scalars, false))
        .algorithm("pagerank with rows", move |ctx: &mut JobContext| ranked(ctx, &lists, true))
        .durability(Durability::Synced)
        .workers(1)
        .open()?;
    let job = |name: &str| seconds(|| succeed(&engine, JobSpec::algorithm(name).with_graph("web")));
    let mut json = Vec::new();
    let [alone, as_job, with_json, with_rows] = interleave(
        bench.size(9, 3),
        [
            &mut || seconds(|| Ok(pagerank(&graph, &PageRank::default(), &Unwatched).map(drop)?)),
            &mut || job("pagerank"),
            &mut || {
                seconds(|| {
                    let ranks = pagerank(&graph, &PageRank::default(), &Unwatched)?;
                    json.clear();
                    for (vertex, rank) in ranks.values.iter().enumerate() {
                        serde_json::to_writer(&mut json, &json!({ vertex.to_string(): rank }))?;
                    }
                    Ok(())
                })
            },
            &mut || job("pagerank with rows"),
        ],
    )?;
    let what = format!("pagerank, {},000 edges, as a job", edges / 1_000);
    Ok(vec![
        Row::new(format!("{what} / called"), "fsync at the end", Unit::Seconds, as_job)
            .beside("called directly", alone)
            .goal(Goal::CostAtMost(1.03)),
        Row::new(format!("{what} with all ranks as rows"), "fsync at the end", Unit::Seconds, with_rows)
            .beside("called directly, ranks to JSON in a Vec", with_json),
    ])
}

fn ranked(ctx: &JobContext, graph: &Graph, list: bool) -> Result<(), JobError> {
    let ranks =
        pagerank(graph, &PageRank::default(), &JobWatch(ctx)).map_err(|e| JobError::failed(e.to_string()))?;
    if list {
        let mut rows = ctx.rows("pagerank")?;
        for (vertex, rank) in ranks.values.iter().enumerate() {
            rows.push(&json!({ vertex.to_string(): rank }))?;
        }
    }
    Ok(ctx.set_output("iterations", &ranks.iterations)?)
}

fn succeed(engine: &Engine, spec: JobSpec) -> Result<()> {
    let record = engine.submit(spec)?.wait()?;
    ensure!(record.state == JobState::Complete(Outcome::Succeeded), "the job is {:?}", record.state);
    Ok(())
}

/// Whether the vertex is a woman of 18 to 24: about one in ten is.
fn matches(vertex: &Vertex) -> bool {
    let is = |name: &str, value: &str| {
        vertex.properties.get(name).is_some_and(|values| values.iter().any(|v| v == value))
    };
    is("Gender", "F") && is("Age", "18-24")
}

/// The vertex `id`, if the filter takes it.
fn found(pool: &[Vertex], id: u64) -> Option<&Vertex> {
    let vertex = usize::try_from(id % pool.len() as u64).ok().and_then(|place| pool.get(place));
    vertex.filter(|vertex| matches(vertex))
}

fn filter(bench: &Bench) -> Result<Vec<Row>> {
    let ids = bench.size(5_000_000, 500_000) as u64;
    let pool: Arc<[Vertex]> = vertices(100_000).into();
    let engine_with = |workers: usize, directory: &std::path::Path| -> Result<Engine> {
        let pool = Arc::clone(&pool);
        let handler = move |ctx: &mut JobContext| {
            let pool = Arc::clone(&pool);
            ctx.scan(
                "vertices",
                0..ids,
                ScanOptions::default().partition_size(ids / 10),
                move |part: &mut Partition<'_>| scan(part, &pool),
            )
        };
        let builder = Engine::builder(open(directory)?).vertex_filter(handler).durability(Durability::Synced);
        Ok(builder.workers(workers).open()?)
    };
    let directories = [bench.directory()?, bench.directory()?];
    let [one, two] = &directories;
    let (one, two) = (engine_with(1, one.path())?, engine_with(2, two.path())?);
    let run = |engine: &Engine| seconds(|| succeed(engine, JobSpec::vertex_filter().with_graph("people")));
    let [one, two, alone, both] = interleave(
        bench.size(7, 3),
        [&mut || run(&one), &mut || run(&two), &mut || seconds(|| bare(&pool, ids, 1)), &mut || {
            seconds(|| bare(&pool, ids, 2))
        }],
    )?;
    let what = format!("vertex filter over {} M vertices", ids as f64 / 1e6);
    Ok(vec![
        Row::new(format!("{what}, 2 workers / 1"), "fsync at the end", Unit::Seconds, two.clone())
            .beside("1 worker", one.clone()),
        Row::new(format!("{what}, 2 workers / called on 2 threads"), "fsync at the end", Unit::Seconds, two)
            .beside("the loop alone, on two threads", both.clone())
            .goal(Goal::SpeedupAtLeast(0.9)),
        Row::new(format!("{what}, as a job / called"), "fsync at the end", Unit::Seconds, one)
            .beside("the loop alone, matches to JSON in a Vec", alone.clone()),
        Row::new(format!("{what}, the loop alone, 2 threads / 1"), "memory", Unit::Seconds, both)
            .beside("one thread", alone),
    ])
}

/// Runs the filter without an engine, on this number of threads.
fn bare(pool: &[Vertex], ids: u64, threads: u64) -> Result<()> {
    let part = |thread: u64| -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for id in ids / threads * thread..ids / threads * (thread + 1) {
            if let Some(vertex) = found(pool, id) {
                serde_json::to_writer(&mut out, vertex)?;
            }
        }
        Ok(out)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        threads.into_iter().try_for_each(|thread| {
            let out = thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            std::hint::black_box(out.len());
            Ok(())
        })
    })
}

fn scan(part: &mut Partition<'_>, pool: &[Vertex]) -> Result<(), JobError> {
    for (place, id) in part.ids().enumerate() {
        if place.is_multiple_of(1_024) {
            part.check_stopped()?;
        }
        if let Some(vertex) = found(pool, id) {
            part.push(vertex)?;
        }
    }
    Ok(())
}
