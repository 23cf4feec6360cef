//! The handlers: they see the graph and the context of their job, and no database.

use std::ops::{ControlFlow, Range};

use job_runner::{Iterative, JobContext, JobError, Partition};
use serde::Deserialize;

use crate::graph::Graph;

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "Age")]
    age: Vec<u8>,
}

/// The vertices of an age of at least 18. Idle workers take a range of keys each.
pub(crate) fn adults(ctx: &mut JobContext, graph: &Graph, vertices: u64) -> Result<(), JobError> {
    let graph = graph.clone();
    let size = vertices.div_ceil(32).max(1);
    let ranges = (0..vertices).step_by(usize::try_from(size)?).map(|first| first..first + size).collect();
    ctx.scan_ranges("vertices", ranges, move |range: &Range<u64>, part: &mut Partition<'_>| {
        for vertex in graph.vertices(range.clone())? {
            part.check_stopped()?;
            let (number, json) = vertex?;
            let properties: Properties = serde_json::from_slice(&json)?;
            if properties.age.iter().any(|age| *age >= 18) {
                // The properties are JSON in the database, and are shown as they are.
                let row = [format!(r#"{{"id":"v{number}","properties":"#).as_bytes(), &json, b"}"].concat();
                part.push_json(&row)?;
            }
        }
        Ok(())
    })
}

const STEPS: u64 = 10;
const DAMPING: f64 = 0.85;

/// The ranks of all vertices, from the edges in the database.
struct PageRank {
    graph: Graph,
    ranks: Vec<f64>,
    step: u64,
    begun_at: u64,
    held: Option<u64>,
}

/// A row for each vertex, in the order of the numbers.
pub(crate) fn pagerank(
    ctx: &mut JobContext,
    graph: &Graph,
    vertices: u64,
    held: Option<u64>,
) -> Result<(), JobError> {
    let ranks = vec![1.0; usize::try_from(vertices)?];
    let mut pagerank = PageRank { graph: graph.clone(), ranks, step: 0, begun_at: 0, held };
    ctx.iterate(&mut pagerank)?;
    ctx.set_output("begun_at", &pagerank.begun_at)?;
    let mut rows = ctx.rows("pagerank")?;
    for (number, rank) in pagerank.ranks.iter().enumerate() {
        rows.push_json(format!(r#"{{"v{number}":{rank}}}"#).as_bytes())?;
    }
    Ok(())
}

impl PageRank {
    /// Calls `each` for every edge, with the places of both ends.
    fn each_edge(&self, mut each: impl FnMut(usize, usize)) -> Result<(), JobError> {
        for edge in self.graph.edges()? {
            let (from, to) = edge?;
            each(usize::try_from(from)?, usize::try_from(to)?);
        }
        Ok(())
    }
}

impl Iterative for PageRank {
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        story::hold(self.step, self.held);
        let mut degrees = vec![0_u32; self.ranks.len()];
        self.each_edge(|from, _| _ = degrees.get_mut(from).map(|degree| *degree += 1))?;
        let mut next = vec![1.0 - DAMPING; self.ranks.len()];
        self.each_edge(|from, to| {
            if let (Some(rank), Some(degree), Some(next)) =
                (self.ranks.get(from), degrees.get(from), next.get_mut(to))
            {
                *next += DAMPING * rank / f64::from(*degree);
            }
        })?;
        self.ranks = next;
        self.step += 1;
        Ok(if self.step == STEPS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn progress(&self) -> Range<u64> {
        self.step..STEPS
    }

    fn save(&self) -> Option<Vec<u8>> {
        let ranks = self.ranks.iter().flat_map(|rank| rank.to_be_bytes());
        Some(self.step.to_be_bytes().into_iter().chain(ranks).collect())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), JobError> {
        let (words, rest) = state.as_chunks();
        let Some((step, ranks)) = words.split_first().filter(|_| rest.is_empty()) else {
            return Err(JobError::failed("the saved state of pagerank is cut off"));
        };
        self.step = u64::from_be_bytes(*step);
        self.ranks = ranks.iter().map(|rank| f64::from_be_bytes(*rank)).collect();
        self.begun_at = self.step;
        Ok(())
    }
}
