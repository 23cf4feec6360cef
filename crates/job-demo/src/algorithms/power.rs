//! Power iteration, for pagerank and personalrank.
//!
//! petgraph has a `page_rank`, but it looks at every pair of vertices in each iteration, 10^10 steps on `WordNet`,
//! and cannot be stopped. One iteration here is one pass over the edges.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use super::{AlgorithmError, Fields, InvalidParameter, convergence::Convergence};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// A rank for every vertex.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    /// The ranks, in graph order; they sum up to 1.
    pub values: Vec<f64>,
    /// The number of iterations.
    pub iterations: u32,
    /// The change of the last iteration, summed over all vertices.
    pub change: f64,
}

/// The parameters that the two ranks share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Power {
    pub(super) alpha: f64,
    pub(super) convergence: f64,
    pub(super) max_iterations: u32,
    pub(super) directed: bool,
}

impl Power {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, InvalidParameter> {
        Ok(Self {
            alpha: fields.fraction("alpha", Self::DEFAULT.alpha)?,
            convergence: fields.fraction("convergence", Self::DEFAULT.convergence)?,
            max_iterations: fields.whole("max_iterations", Some(Self::DEFAULT.max_iterations), 1..=2000)?,
            directed: fields.flag("directed", Self::DEFAULT.directed)?,
        })
    }

    pub(super) const DEFAULT: Self =
        Self { alpha: 0.85, convergence: 0.000_01, max_iterations: 1000, directed: true };
}

/// Where a walk restarts, also after a vertex without edges to follow.
#[derive(Clone, Copy)]
pub(super) enum Restart {
    Anywhere,
    At(VertexIndex),
}

impl Restart {
    fn probability(self, vertex: VertexIndex, count: f64) -> f64 {
        match self {
            Self::Anywhere => 1.0 / count,
            Self::At(source) => f64::from(u8::from(source == vertex)),
        }
    }
}

pub(super) fn iterate(
    graph: &Graph,
    power: &Power,
    restart: Restart,
    watch: &dyn Watch,
) -> Result<Ranks, AlgorithmError> {
    let count = graph.vertex_count();
    let (follow, pull) = if power.directed {
        (graph.adjacency(Direction::Out), graph.adjacency(Direction::In))
    } else {
        (graph.adjacency(Direction::Both), graph.adjacency(Direction::Both))
    };
    #[expect(clippy::cast_precision_loss, reason = "degrees are far below 2^52")]
    let degrees: Vec<f64> = (0..count).map(|vertex| follow.degree(vertex) as f64).collect();
    let mut rank: Vec<f64> = (0..count).map(|vertex| restart.probability(vertex, f64::from(count))).collect();
    let mut next = rank.clone();
    let mut share = rank.clone();
    let mut pace = Pace::new(watch);
    let mut convergence = Convergence::new(power.convergence, power.max_iterations);
    watch.progress(0, Convergence::STEPS);
    let mut change = 0.0;
    let mut iterations = 0;
    while iterations < power.max_iterations {
        watch.check_stopped()?;
        let mut dangling = 0.0;
        for vertex in 0..count as usize {
            let has_edges = degrees[vertex] > 0.0;
            share[vertex] = if has_edges { rank[vertex] / degrees[vertex] } else { 0.0 };
            dangling += if has_edges { 0.0 } else { rank[vertex] };
        }
        let restarts = 1.0 - power.alpha + power.alpha * dangling;
        change = 0.0;
        for vertex in 0..count {
            pace.step(1 + pull.neighbors(vertex).len())?;
            let arrives: f64 =
                pull.weighted(vertex).map(|(from, times)| share[from as usize] * f64::from(times)).sum();
            let value = restarts * restart.probability(vertex, f64::from(count)) + power.alpha * arrives;
            change += (value - rank[vertex as usize]).abs();
            next[vertex as usize] = value;
        }
        std::mem::swap(&mut rank, &mut next);
        iterations += 1;
        watch.progress(convergence.after(iterations, change), Convergence::STEPS);
        if change < power.convergence {
            break;
        }
    }
    watch.progress(Convergence::STEPS, Convergence::STEPS);
    Ok(Ranks { values: rank, iterations, change })
}
