//! Power iteration, for pagerank and personalrank.
//!
//! petgraph has a `page_rank`, but it looks at every pair of vertices in each iteration, 10^10 steps on `WordNet`,
//! and cannot be stopped. One iteration here is one pass over the edges.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use std::sync::{Mutex, PoisonError};

use super::{AlgorithmError, Fields, InvalidParameter, arcs::Arcs, convergence::Convergence, request::THREADS};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Stopped, Watch},
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
    pub(super) num_thread: usize,
}

impl Power {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, InvalidParameter> {
        Ok(Self {
            alpha: fields.fraction("alpha", Self::DEFAULT.alpha)?,
            convergence: fields.convergence(Self::DEFAULT.convergence)?,
            max_iterations: fields.iterations(Self::DEFAULT.max_iterations)?,
            directed: fields.flag("directed", Self::DEFAULT.directed)?,
            num_thread: fields.threads()?,
        })
    }

    pub(super) const DEFAULT: Self =
        Self { alpha: 0.85, convergence: 0.000_01, max_iterations: 1000, directed: true, num_thread: THREADS };
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

/// The vertices of a part, which one thread computes.
const PART: usize = 1 << 14;

pub(super) fn iterate(
    graph: &Graph,
    power: &Power,
    weight: Option<&str>,
    restart: Restart,
    watch: &dyn Watch,
) -> Result<Ranks, AlgorithmError> {
    let count = graph.vertex_count();
    let mut convergence = Convergence::new(power.convergence, power.max_iterations);
    watch.progress(0, Convergence::STEPS);
    let pull = if power.directed { Direction::In } else { Direction::Both };
    let pull = Arcs::read(graph, pull, weight, &mut Pace::new(watch))?;
    let sent = sent(&pull);
    let mut rank: Vec<f64> = (0..count).map(|vertex| restart.probability(vertex, f64::from(count))).collect();
    let mut next = rank.clone();
    let mut share = rank.clone();
    watch.memory(pull.bytes() + 4 * 8 * u64::from(count))?;
    let mut change = 0.0;
    let mut iterations = 0;
    while iterations < power.max_iterations {
        watch.check_stopped()?;
        let mut dangling = 0.0;
        for vertex in 0..count as usize {
            let has_edges = sent[vertex] > 0.0;
            share[vertex] = if has_edges { rank[vertex] / sent[vertex] } else { 0.0 };
            dangling += if has_edges { 0.0 } else { rank[vertex] };
        }
        let restarts = 1.0 - power.alpha + power.alpha * dangling;
        let value = |vertex: VertexIndex| {
            let arrives: f64 = pull.of(vertex).iter().map(|&(from, weight)| share[from as usize] * weight).sum();
            restarts * restart.probability(vertex, f64::from(count)) + power.alpha * arrives
        };
        let steps = |vertex| 1 + pull.of(vertex).len();
        change = replace(&rank, &mut next, &value, &steps, power.num_thread, watch)?;
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

/// The weights of all edges that a walk can follow from each vertex.
fn sent(pull: &Arcs) -> Vec<f64> {
    let mut sent = vec![0.0; pull.len()];
    for vertex in (0..).take(pull.len()) {
        for &(from, weight) in pull.of(vertex) {
            sent[from as usize] += weight;
        }
    }
    sent
}

/// Computes the next value of each vertex, and returns the sum of all changes. It is added part by part, so it does
/// not depend on the number of threads.
fn replace(
    rank: &[f64],
    next: &mut [f64],
    value: &(impl Fn(VertexIndex) -> f64 + Sync),
    steps: &(impl Fn(VertexIndex) -> usize + Sync),
    threads: usize,
    watch: &dyn Watch,
) -> Result<f64, Stopped> {
    let parts: Vec<_> = next.chunks_mut(PART).map(|part| Mutex::new((part, 0.0))).collect();
    watch.each(parts.len(), threads, &|number, watch| {
        let Some(part) = parts.get(number) else { return Ok(()) };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let (values, change) = &mut *part;
        let mut pace = Pace::new(watch);
        for (place, next) in (number * PART..).zip(values.iter_mut()) {
            let vertex = VertexIndex::try_from(place).unwrap_or(VertexIndex::MAX);
            pace.step(steps(vertex))?;
            *next = value(vertex);
            *change += (*next - rank[place]).abs();
        }
        Ok(())
    })?;
    Ok(parts.into_iter().map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner).1).sum())
}
