//! `shortest_path`: one shortest path between two vertices.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter,
    paths::{self, Hops, Weights},
    request,
};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::Watch,
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct ShortestPath {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `target`: the id of the vertex to reach; required.
    pub target: String,
    /// `weight`: the edge property with the length of an edge, a number above 0. An edge without it has length 1.
    /// By default every edge has length 1.
    pub weight: Option<String>,
    /// `directed`: whether edges are followed from source to target only; false by default.
    pub directed: bool,
}

impl TryFrom<Fields> for ShortestPath {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self {
            source: fields.vertex("source")?,
            target: fields.vertex("target")?,
            weight: fields.text("weight")?,
            directed: fields.flag("directed", false)?,
        };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for ShortestPath {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        request::vertex(graph, "target", &self.target)?;
        paths::weight_property(graph, self.weight.as_deref())?;
        Ok(())
    }
}

/// The vertices of a shortest path, with both ends; empty if there is none. Of several shortest paths the result
/// is always the same one.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when an end is no vertex or a weight no number above 0, [`AlgorithmError::Stopped`].
pub fn shortest_path(
    graph: &Graph,
    params: &ShortestPath,
    watch: &dyn Watch,
) -> Result<Vec<VertexIndex>, AlgorithmError> {
    let source = request::vertex(graph, "source", &params.source)?;
    let target = request::vertex(graph, "target", &params.target)?;
    let direction = Direction::directed(params.directed);
    Ok(match &params.weight {
        None => {
            let hops = Hops::search(graph, direction, source, u32::MAX, Some(target), watch)?;
            paths::path_by_hops(graph, direction, &hops, target)
        }
        Some(property) => {
            let weights = Weights::read(graph, property, params.directed, watch)?;
            let distances = weights.distances(source, Some(target), watch)?;
            paths::path_by_weight(graph, direction, &weights, &distances, target)
        }
    })
}

/// `path`: the ids on the way, `source`, `target`. Not paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: ShortestPath = request::read(parameters)?;
    let path = shortest_path(graph, &params, watch)?;
    let path: Vec<Json> = path.into_iter().map(|vertex| graph.id(vertex).into()).collect();
    let outputs = vec![("path", path.into()), ("source", params.source.into()), ("target", params.target.into())];
    Ok(Answer::new(outputs, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    fn path(graph: &Graph, parameters: &str) -> Vec<VertexIndex> {
        shortest_path(graph, &serde_json::from_str(parameters).unwrap(), &Unwatched).unwrap()
    }

    #[test]
    fn hops_and_weights_choose_their_own_way() {
        let edges = [(0, 4, 9.0), (0, 1, 1.0), (1, 2, 2.0), (2, 4, 2.5), (1, 4, 8.0), (1, 4, 7.0)];
        let graph = sample::weighted(6, &edges);
        assert_eq!(path(&graph, r#"{"source":"0","target":"4"}"#), [0, 4]);
        assert_eq!(path(&graph, r#"{"source":"0","target":"4","weight":"weight"}"#), [0, 1, 2, 4]);
        assert_eq!(path(&graph, r#"{"source":"4","target":"0","weight":"weight"}"#), [4, 2, 1, 0]);
        assert_eq!(path(&graph, r#"{"source":"4","target":"0","weight":"weight","directed":"true"}"#), [0; 0]);
        assert_eq!(path(&graph, r#"{"source":"0","target":"5"}"#), [0; 0]);
        assert_eq!(path(&graph, r#"{"source":"5","target":"5"}"#), [5]);
        assert_eq!(path(&graph, r#"{"source":"5","target":"5","weight":"weight"}"#), [5]);
    }

    #[test]
    fn weights_must_be_above_zero() {
        let graph = sample::weighted(2, &[(0, 1, 0.0)]);
        let error = answer(&graph, r#"{"source":"0","target":"1","weight":"weight"}"#, &Unwatched).unwrap_err();
        assert_eq!(
            error.to_string(),
            "parameter weight is \"weight\": it must be a property of numbers above 0, which it is not from 0 to 1"
        );
        let error = answer(&graph, r#"{"source":"0","target":"1","weight":"x"}"#, &Unwatched).unwrap_err();
        assert!(error.to_string().ends_with("it must be a property that at least one edge has"), "{error}");
    }
}
