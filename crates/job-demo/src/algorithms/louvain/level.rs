//! [`Level`]: an undirected graph of communities, with weights.
#![expect(
    clippy::indexing_slicing,
    reason = "vertices and communities are below the vertex count, the length of the arrays"
)]

use crate::{
    algorithms::{AlgorithmError, arcs::Arcs},
    graph::{Direction, Graph},
    watch::{Pace, Stopped},
};

/// A graph whose vertices are communities of a larger graph, or the graph itself.
pub(super) struct Level {
    /// The neighbours of each vertex. The weight of an edge inside a vertex is in the row of that vertex.
    arcs: Arcs,
    /// The weights of all ends of edges at each vertex: an edge inside it has two.
    ends: Vec<f64>,
    /// The weights of all ends.
    total: f64,
}

impl Level {
    /// The graph itself.
    pub(super) fn of(graph: &Graph, weight: Option<&str>, pace: &mut Pace<'_>) -> Result<Self, AlgorithmError> {
        Ok(Self::new(Arcs::read(graph, Direction::Both, weight, pace)?))
    }

    fn new(arcs: Arcs) -> Self {
        let ends = |vertex: u32| {
            let both = |&(next, weight): &(u32, f64)| if next == vertex { 2.0 * weight } else { weight };
            arcs.of(vertex).iter().map(both).sum()
        };
        let ends: Vec<f64> = (0..).take(arcs.len()).map(ends).collect();
        Self { total: ends.iter().sum(), arcs, ends }
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The memory that it uses.
    pub(super) const fn bytes(&self) -> u64 {
        self.arcs.bytes() + (self.len() * size_of::<f64>()) as u64
    }

    /// Every vertex in a community of its own.
    pub(super) fn alone(&self) -> Moved {
        Moved {
            of: (0..).take(self.len()).collect(),
            ends: self.ends.clone(),
            weights: vec![0.0; self.len()],
            seen: Vec::new(),
        }
    }

    /// Lets each vertex go to the best community of its neighbours, and returns by how much that raises the modularity.
    pub(super) fn shift(&self, moved: &mut Moved, pace: &mut Pace<'_>) -> Result<f64, Stopped> {
        let mut raised = 0.0;
        for vertex in (0..).take(self.len()) {
            let links = self.arcs.of(vertex);
            pace.step(1 + links.len())?;
            raised += moved.shift(vertex, links, self.ends[vertex as usize], self.total);
        }
        Ok(raised)
    }

    /// The graph whose vertices are the communities, and the number there of each vertex.
    pub(super) fn merged(&self, moved: &Moved, pace: &mut Pace<'_>) -> Result<(Self, Vec<u32>), Stopped> {
        const NONE: u32 = u32::MAX;
        let mut numbers = vec![NONE; self.len()];
        let mut count = 0;
        let mut names = Vec::with_capacity(self.len());
        for &community in &moved.of {
            let number = &mut numbers[community as usize];
            if *number == NONE {
                *number = count;
                count += 1;
            }
            names.push(*number);
        }
        let mut arcs = Vec::new();
        for vertex in (0..).take(self.len()) {
            let (links, own) = (self.arcs.of(vertex), names[vertex as usize]);
            pace.step(1 + links.len())?;
            for &(next, weight) in links {
                let other = names[next as usize];
                // An edge between two vertices of a community is here twice, once from each end.
                let is_twice = own == other && next != vertex;
                arcs.push((own, other, if is_twice { weight / 2.0 } else { weight }));
            }
        }
        arcs.sort_by_key(|&(source, target, _)| (source, target));
        Ok((Self::new(Arcs::new(count as usize, &arcs)), names))
    }

    /// The modularity of communities.
    pub(super) fn modularity(&self, of: &[u32]) -> f64 {
        let (mut inside, mut ends) = (vec![0.0; self.len()], vec![0.0; self.len()]);
        for (vertex, &community) in (0..).zip(of) {
            ends[community as usize] += self.ends[vertex as usize];
            let links = self.arcs.of(vertex).iter().filter(|&&(next, _)| of[next as usize] == community);
            let both = |&(next, weight): &(u32, f64)| if next == vertex { 2.0 * weight } else { weight };
            inside[community as usize] += links.map(both).sum::<f64>();
        }
        let part = |(inside, ends): (&f64, &f64)| inside / self.total - (ends / self.total).powi(2);
        if self.total > 0.0 { inside.iter().zip(&ends).map(part).sum() } else { 0.0 }
    }
}

/// Vertices in communities.
pub(super) struct Moved {
    /// The community of each vertex.
    of: Vec<u32>,
    /// The weights of all ends of edges in each community.
    ends: Vec<f64>,
    /// The weights of the edges from one vertex to each community. They are cleared by the list of these communities.
    weights: Vec<f64>,
    seen: Vec<u32>,
}

impl Moved {
    fn shift(&mut self, vertex: u32, links: &[(u32, f64)], ends: f64, total: f64) -> f64 {
        let own = self.of[vertex as usize];
        // An edge inside the vertex goes with it wherever it goes.
        for &(next, weight) in links.iter().filter(|&&(next, _)| next != vertex) {
            let community = self.of[next as usize];
            let sum = &mut self.weights[community as usize];
            // Weights are above 0.
            if *sum <= 0.0 {
                self.seen.push(community);
            }
            *sum += weight;
        }
        self.ends[own as usize] -= ends;
        let value = |weight: f64, other: f64| weight - ends * other / total;
        let stays = value(self.weights[own as usize], self.ends[own as usize]);
        let (mut best, mut most) = (own, stays);
        for community in self.seen.drain(..) {
            let weight = std::mem::take(&mut self.weights[community as usize]);
            let here = value(weight, self.ends[community as usize]);
            // A gain as small as rounding is no reason to go.
            if here > most + 1e-12 * total {
                (best, most) = (community, here);
            }
        }
        self.ends[best as usize] += ends;
        self.of[vertex as usize] = best;
        if total > 0.0 { 2.0 * (most - stays) / total } else { 0.0 }
    }
}
