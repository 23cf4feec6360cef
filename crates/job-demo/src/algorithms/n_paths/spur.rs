//! [`Spurs`]: shortest paths that begin in a given way.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use crate::{
    algorithms::paths,
    graph::{Adjacency, Direction, Graph, VertexIndex},
    watch::{Pace, Stopped},
};

/// Searches for shortest paths to one target, backwards from it. The arrays are used again by each search.
pub(super) struct Spurs<'g> {
    forward: &'g Adjacency,
    backward: &'g Adjacency,
    target: VertexIndex,
    /// The most edges of a path.
    most: usize,
    /// The edges from a vertex to the target, if the vertex was reached in this search.
    left: Vec<usize>,
    /// The last search that reached a vertex, or that may not enter it.
    reached_in: Vec<u32>,
    search: u32,
}

impl<'g> Spurs<'g> {
    pub(super) fn new(graph: &'g Graph, direction: Direction, target: VertexIndex, most: u32) -> Self {
        Self {
            forward: graph.adjacency(direction),
            backward: graph.adjacency(paths::reverse(direction)),
            target,
            most: most as usize,
            left: vec![0; graph.vertices().len()],
            reached_in: vec![0; graph.vertices().len()],
            search: 0,
        }
    }

    /// The shortest path that begins with `root` and does not go on to a vertex in `taken`. Of several it is the one
    /// whose vertices come first in graph order.
    pub(super) fn shortest(
        &mut self,
        root: &[VertexIndex],
        taken: &[VertexIndex],
        pace: &mut Pace<'_>,
    ) -> Result<Option<Vec<VertexIndex>>, Stopped> {
        let Some((&spur, before)) = root.split_last() else {
            return Ok(None);
        };
        if spur == self.target {
            return Ok(Some(root.to_vec()).filter(|_| taken.is_empty()));
        }
        let most = (self.most + 1).saturating_sub(root.len());
        let found = self.search(spur, before, taken, most, pace)?;
        Ok(found.map(|left| self.path(root, taken, left)))
    }

    /// The edges from `spur` to the target, if they are at most `most`.
    fn search(
        &mut self,
        spur: VertexIndex,
        before: &[VertexIndex],
        taken: &[VertexIndex],
        most: usize,
        pace: &mut Pace<'_>,
    ) -> Result<Option<usize>, Stopped> {
        self.search += 1;
        for &vertex in before {
            self.mark(vertex, usize::MAX);
        }
        self.mark(self.target, 0);
        let mut queue = vec![self.target];
        let mut next = 0;
        while let Some(&vertex) = queue.get(next) {
            next += 1;
            let left = self.left[vertex as usize] + 1;
            if left > most {
                break;
            }
            let backward = self.backward.neighbors(vertex);
            pace.step(1 + backward.len())?;
            for &neighbor in backward {
                if neighbor == spur {
                    if !taken.contains(&vertex) {
                        return Ok(Some(left));
                    }
                } else if self.reached_in[neighbor as usize] != self.search {
                    self.mark(neighbor, left);
                    queue.push(neighbor);
                }
            }
        }
        Ok(None)
    }

    fn mark(&mut self, vertex: VertexIndex, left: usize) {
        self.reached_in[vertex as usize] = self.search;
        self.left[vertex as usize] = left;
    }

    /// Walks from the spur to the target. The search has reached all vertices that are nearer than the spur.
    fn path(&self, root: &[VertexIndex], taken: &[VertexIndex], left: usize) -> Vec<VertexIndex> {
        let mut path = root.to_vec();
        for left in (0..left).rev() {
            let is_first = path.len() == root.len();
            let at = path.last().map_or(&[][..], |&vertex| self.forward.neighbors(vertex));
            let is_next = |&&next: &&VertexIndex| {
                self.reached_in[next as usize] == self.search
                    && self.left[next as usize] == left
                    && !(is_first && taken.contains(&next))
            };
            path.extend(at.iter().find(is_next));
        }
        path
    }
}
