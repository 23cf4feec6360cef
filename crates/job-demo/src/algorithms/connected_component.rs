//! `connected_component`: sets of vertices that edges connect, in either direction.
#![expect(
    clippy::indexing_slicing,
    reason = "labels are vertices, and the arrays are as long as there are vertices"
)]

use std::sync::Arc;

use petgraph::unionfind::UnionFind;
use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values};
use crate::{
    graph::{Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// No parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct ConnectedComponent;

impl TryFrom<Fields> for ConnectedComponent {
    type Error = InvalidParameter;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        fields.finish()?;
        Ok(Self)
    }
}

impl Fits for ConnectedComponent {}

/// The weakly connected components of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// For every vertex, in graph order, the first vertex of its component.
    pub first: Vec<VertexIndex>,
    /// The first vertex of the largest component; `None` in an empty graph.
    pub largest: Option<VertexIndex>,
    /// How many vertices the largest component has; 0 in an empty graph.
    pub largest_size: u64,
}

/// Finds the components.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
pub fn components(graph: &Graph, watch: &dyn Watch) -> Result<Components, AlgorithmError> {
    let mut sets = UnionFind::<VertexIndex>::new(graph.vertices().len());
    for (number, chunk) in graph.edges().chunks(Pace::STRIDE / 4).enumerate() {
        watch.check_stopped()?;
        watch.progress((number * Pace::STRIDE / 4) as u64, graph.edges().len() as u64);
        for edge in chunk {
            sets.union(edge.source, edge.target);
        }
    }
    watch.progress(graph.edges().len() as u64, graph.edges().len() as u64);
    let representatives = sets.into_labeling();
    // The representative of a set depends on how it grew; its first vertex does not.
    let mut first = vec![VertexIndex::MAX; representatives.len()];
    let mut sizes = vec![0_u64; representatives.len()];
    for (vertex, &representative) in (0..).zip(&representatives) {
        let set = representative as usize;
        first[set] = first[set].min(vertex);
        sizes[first[set] as usize] += 1;
    }
    watch.check_stopped()?;
    let largest = (0..graph.vertex_count()).zip(&sizes).rev().max_by_key(|&(_, size)| size);
    Ok(Components {
        largest: largest.map(|(vertex, _)| vertex),
        largest_size: largest.map_or(0, |(_, size)| *size),
        first: representatives.iter().map(|&set| first[set as usize]).collect(),
    })
}

/// `Max_WCC_size`, `Max_WCC_id`, and `community`: `[{"id": "id of the component's first vertex"}, …]` in graph order.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let ConnectedComponent = super::request::read(parameters)?;
    let components = components(graph, watch)?;
    let ids: Vec<Arc<str>> = graph.vertices().iter().map(|vertex| Arc::clone(&vertex.id)).collect();
    let names = components.first.iter().map(|&first| Arc::clone(&ids[first as usize])).collect();
    let outputs = vec![
        ("Max_WCC_size", components.largest_size.into()),
        ("Max_WCC_id", components.largest.map_or("", |vertex| graph.id(vertex)).into()),
    ];
    Ok(Answer::new(outputs, Some(List { name: "community", values: Values::Texts(names) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn three_components_are_found() {
        let graph = sample::graph(6, &[(5, 3), (4, 3), (1, 0)]);
        let found = components(&graph, &Unwatched).unwrap();
        assert_eq!(found, Components { first: vec![0, 0, 2, 3, 3, 3], largest: Some(3), largest_size: 3 });
    }

    #[test]
    fn of_equal_components_the_first_is_the_largest() {
        let graph = sample::graph(4, &[(3, 2), (1, 0)]);
        let answer = answer(&graph, "{}", &Unwatched).unwrap();
        assert_eq!(answer.outputs, [("Max_WCC_size", 2.into()), ("Max_WCC_id", "0".into())]);
        assert_eq!(components(&sample::graph(0, &[]), &Unwatched).unwrap().largest, None);
    }
}
