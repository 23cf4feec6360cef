//! [`Dependencies`]: the shares of the shortest paths from one vertex that lead through each other vertex.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::{
    algorithms::paths::Weights,
    graph::{Adjacency, VertexIndex},
    watch::{Pace, Stopped},
};

/// The edges to follow.
#[derive(Clone, Copy)]
pub(super) enum Steps<'g> {
    /// Every edge has length 1.
    Hops(&'g Adjacency),
    /// Edges have lengths.
    Weights(&'g Weights),
}

/// The result of a search from one source. The arrays are used again by each search.
pub(super) struct Dependencies {
    /// The reached vertices, the nearest first; the first is the source.
    order: Vec<VertexIndex>,
    distance: Vec<f64>,
    /// How many shortest paths lead to a vertex.
    paths: Vec<f64>,
    share: Vec<f64>,
    is_countable: bool,
}

impl Dependencies {
    pub(super) fn new(count: usize) -> Self {
        Self {
            order: Vec::new(),
            distance: vec![f64::INFINITY; count],
            paths: vec![0.0; count],
            share: vec![0.0; count],
            is_countable: true,
        }
    }

    /// The memory for this number of vertices.
    pub(super) const fn bytes(count: usize) -> u64 {
        (count * (3 * size_of::<f64>() + size_of::<VertexIndex>())) as u64
    }

    /// The vertices on the way from the source, with their shares. The source and vertices at an end of every path
    /// have 0.
    pub(super) fn shares(&self) -> impl Iterator<Item = (VertexIndex, f64)> + '_ {
        self.order.iter().skip(1).map(|&vertex| (vertex, self.share[vertex as usize]))
    }

    /// Whether the numbers of paths were not too large.
    pub(super) const fn is_countable(&self) -> bool {
        self.is_countable
    }

    /// Searches from a source.
    pub(super) fn search(
        &mut self,
        source: VertexIndex,
        steps: Steps<'_>,
        pace: &mut Pace<'_>,
    ) -> Result<(), Stopped> {
        for vertex in self.order.drain(..) {
            self.distance[vertex as usize] = f64::INFINITY;
            self.paths[vertex as usize] = 0.0;
            self.share[vertex as usize] = 0.0;
        }
        self.distance[source as usize] = 0.0;
        self.paths[source as usize] = 1.0;
        match steps {
            Steps::Hops(adjacency) => {
                self.by_hops(source, adjacency, pace)?;
                self.share_out(pace, |vertex| adjacency.neighbors(vertex).iter().map(|&next| (next, 1.0)))
            }
            Steps::Weights(weights) => {
                self.by_weights(source, weights, pace)?;
                self.share_out(pace, |vertex| weights.neighbors(vertex))
            }
        }
    }

    fn by_hops(&mut self, source: VertexIndex, adjacency: &Adjacency, pace: &mut Pace<'_>) -> Result<(), Stopped> {
        self.order.push(source);
        let mut next = 0;
        while let Some(&vertex) = self.order.get(next) {
            next += 1;
            let (neighbors, paths) = (adjacency.neighbors(vertex), self.paths[vertex as usize]);
            let distance = self.distance[vertex as usize] + 1.0;
            pace.step(1 + neighbors.len())?;
            for &neighbor in neighbors {
                let known = &mut self.distance[neighbor as usize];
                if *known == f64::INFINITY {
                    *known = distance;
                    self.order.push(neighbor);
                }
                if is_same(*known, distance) {
                    self.paths[neighbor as usize] += paths;
                }
            }
        }
        Ok(())
    }

    fn by_weights(&mut self, source: VertexIndex, weights: &Weights, pace: &mut Pace<'_>) -> Result<(), Stopped> {
        let mut heap = BinaryHeap::from([Reached { distance: 0.0, vertex: source }]);
        while let Some(Reached { distance, vertex }) = heap.pop() {
            if !is_same(distance, self.distance[vertex as usize]) {
                continue;
            }
            self.order.push(vertex);
            let paths = self.paths[vertex as usize];
            for (neighbor, weight) in weights.neighbors(vertex) {
                // The heap makes a step slower than in a plain loop.
                pace.step(8)?;
                let (known, longer) = (&mut self.distance[neighbor as usize], distance + weight);
                if longer < *known {
                    *known = longer;
                    self.paths[neighbor as usize] = paths;
                    heap.push(Reached { distance: longer, vertex: neighbor });
                } else if is_same(longer, *known) && distance < longer {
                    self.paths[neighbor as usize] += paths;
                }
            }
        }
        Ok(())
    }

    /// Gives each vertex, the farthest first, its part of the shares of those that come after it on a path.
    fn share_out<N: Iterator<Item = (VertexIndex, f64)>>(
        &mut self,
        pace: &mut Pace<'_>,
        next: impl Fn(VertexIndex) -> N,
    ) -> Result<(), Stopped> {
        self.is_countable = true;
        for &vertex in self.order.iter().rev() {
            let (distance, paths) = (self.distance[vertex as usize], self.paths[vertex as usize]);
            let (mut share, mut seen) = (0.0, 1);
            for (after, weight) in next(vertex) {
                let longer = distance + weight;
                if is_same(longer, self.distance[after as usize]) && distance < longer {
                    share += paths / self.paths[after as usize] * (1.0 + self.share[after as usize]);
                }
                seen += 1;
            }
            self.share[vertex as usize] = share;
            self.is_countable &= paths.is_finite();
            pace.step(seen)?;
        }
        Ok(())
    }
}

/// Whether two distances are the same. Both were made by the same additions.
#[expect(clippy::float_cmp, reason = "a distance was made by this very addition")]
fn is_same(left: f64, right: f64) -> bool {
    left == right
}

/// A vertex with a distance at which it was reached. The greatest is the nearest, for the heap.
#[derive(Clone, Copy)]
struct Reached {
    distance: f64,
    vertex: VertexIndex,
}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        other.distance.total_cmp(&self.distance).then(other.vertex.cmp(&self.vertex))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Reached {}
