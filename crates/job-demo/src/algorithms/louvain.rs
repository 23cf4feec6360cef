//! `louvain`: communities with many edges inside and few between, found by raising their modularity.

mod level;

use std::sync::Arc;

use serde::Deserialize;

use self::level::Level;
use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, convergence::Convergence, paths,
};
use crate::{
    graph::{Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// The parameters; all have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Louvain {
    /// `convergence`: stop when an iteration raises the modularity by less than this; above 0, below 1, 0.00001 by
    /// default.
    pub convergence: f64,
    /// `max_iterations`: stop after this number of iterations, each over all vertices or communities; 1 to 2147483647,
    /// 100 by default.
    pub max_iterations: u32,
    /// `weight`: the edge property with the weight of an edge, a number above 0. An edge without it has weight 1. By
    /// default every edge has weight 1.
    pub weight: Option<String>,
}

impl Default for Louvain {
    fn default() -> Self {
        Self { convergence: 0.000_01, max_iterations: 100, weight: None }
    }
}

impl TryFrom<Fields> for Louvain {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let default = Self::default();
        let params = Self {
            convergence: fields.convergence(default.convergence)?,
            max_iterations: fields.iterations(default.max_iterations)?,
            weight: fields.text("weight")?,
        };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for Louvain {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        paths::weight_property(graph, self.weight.as_deref())
    }
}

/// The communities of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// For every vertex, in graph order, the first vertex of its community.
    pub first: Vec<VertexIndex>,
    /// How many communities there are.
    pub count: u64,
    /// The share of the edges' weight inside communities, less what chance would give: below 1, and 0 without edges.
    pub modularity: f64,
}

/// Finds communities (Blondel and others, 2008). Each vertex goes to the community of a neighbour where it raises the
/// modularity most, until that raises it no more. Communities then become the vertices of a smaller graph, and so on.
///
/// Directions do not count, and parallel edges add up. Vertices change one after another in graph order.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when a weight is no number above 0, [`AlgorithmError::Stopped`].
pub fn louvain(graph: &Graph, params: &Louvain, watch: &dyn Watch) -> Result<Communities, AlgorithmError> {
    params.fits(graph)?;
    let mut pace = Pace::new(watch);
    let mut convergence = Convergence::new(params.convergence, params.max_iterations);
    watch.progress(0, Convergence::STEPS);
    let base = Level::of(graph, params.weight.as_deref(), &mut pace)?;
    watch.memory(base.bytes())?;
    let mut of: Vec<u32> = (0..graph.vertex_count()).collect();
    let (mut level, mut iterations) = (None, 0);
    while iterations < params.max_iterations {
        let current = level.as_ref().unwrap_or(&base);
        let mut moved = current.alone();
        let mut raised = 0.0;
        while iterations < params.max_iterations {
            watch.check_stopped()?;
            let gain = current.shift(&mut moved, &mut pace)?;
            iterations += 1;
            raised += gain;
            watch.progress(convergence.after(iterations, gain), Convergence::STEPS);
            if gain < params.convergence {
                break;
            }
        }
        let (merged, names) = current.merged(&moved, &mut pace)?;
        for own in &mut of {
            *own = names.get(*own as usize).copied().unwrap_or(*own);
        }
        if raised < params.convergence || merged.len() == current.len() {
            break;
        }
        watch.memory(base.bytes() + merged.bytes())?;
        level = Some(merged);
    }
    watch.progress(Convergence::STEPS, Convergence::STEPS);
    let modularity = base.modularity(&of);
    let (first, count) = first(&of);
    Ok(Communities { first, count, modularity })
}

/// The first vertex of each vertex's community, and the number of communities.
#[expect(clippy::indexing_slicing, reason = "communities are fewer than vertices, the length of the arrays")]
fn first(of: &[u32]) -> (Vec<VertexIndex>, u64) {
    let mut firsts = vec![VertexIndex::MAX; of.len()];
    let mut count = 0;
    for (vertex, &community) in (0..).zip(of) {
        let first = &mut firsts[community as usize];
        if *first == VertexIndex::MAX {
            *first = vertex;
            count += 1;
        }
    }
    (of.iter().map(|&community| firsts[community as usize]).collect(), count)
}

/// `modularity`, `community_num`, and `community`: `[{"id": "id of the community's first vertex"}, …]` in graph order.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let Communities { first, count, modularity } = louvain(graph, &super::request::read(parameters)?, watch)?;
    let id = |&vertex: &VertexIndex| graph.vertices().get(vertex as usize).map(|vertex| Arc::clone(&vertex.id));
    let names = first.iter().filter_map(id).collect();
    let outputs = vec![("modularity", modularity.into()), ("community_num", count.into())];
    Ok(Answer::new(outputs, Some(List { name: "community", values: Values::Texts(names) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, movies, watch::Unwatched};

    #[test]
    fn two_cliques_on_a_bridge_are_two_communities() {
        let graph = sample::graph(7, &[(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (5, 4), (2, 3)]);
        let found = louvain(&graph, &Louvain::default(), &Unwatched).unwrap();
        assert_eq!((found.first, found.count), (vec![0, 0, 0, 3, 3, 3, 6], 3));
        // Each half has 3 of the 7 edges, and 7 of their 14 ends.
        assert!((found.modularity - 2.0 * (3.0 / 7.0 - 0.25)).abs() < 1e-12, "{}", found.modularity);
    }

    #[test]
    fn weights_and_parallel_edges_hold_vertices_together() {
        let ring = [(0, 1, 9.0), (1, 2, 1.0), (2, 3, 9.0), (3, 0, 1.0)];
        let params = Louvain { weight: Some("weight".to_owned()), ..Louvain::default() };
        let found = louvain(&sample::weighted(4, &ring), &params, &Unwatched).unwrap();
        assert_eq!(found.first, [0, 0, 2, 2]);
        assert!((found.modularity - (18.0 / 20.0 - 0.5)).abs() < 1e-12, "{}", found.modularity);
        let parallel = sample::graph(4, &[(0, 1), (1, 2), (1, 2), (2, 1), (2, 3), (3, 0), (0, 3), (0, 3), (0, 0)]);
        let found = louvain(&parallel, &Louvain::default(), &Unwatched).unwrap();
        assert_eq!(found.first, [0, 1, 1, 0]);
    }

    #[test]
    fn a_graph_without_edges_has_no_modularity() {
        for count in [0, 3] {
            let found = louvain(&sample::graph(count, &[]), &Louvain::default(), &Unwatched).unwrap();
            let expected = Communities { first: (0..count).collect(), count: count.into(), modularity: 0.0 };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_limit_of_iterations_holds() {
        let graph = movies::load().unwrap();
        let of = |max_iterations| {
            louvain(&graph, &Louvain { max_iterations, ..Louvain::default() }, &Unwatched).unwrap().modularity
        };
        assert!(of(1) < of(100), "{} {}", of(1), of(100));
    }
}
