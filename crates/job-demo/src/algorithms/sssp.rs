//! `sssp`: the length of the shortest path from one vertex to every other.

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values,
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
pub struct Sssp {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `weight`: the edge property with the length of an edge, a number above 0. An edge without it has length 1.
    /// By default every edge has length 1.
    pub weight: Option<String>,
    /// `directed`: whether edges are followed from source to target only; true by default.
    pub directed: bool,
}

impl TryFrom<Fields> for Sssp {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self {
            source: fields.vertex("source")?,
            weight: fields.text("weight")?,
            directed: fields.flag("directed", true)?,
        };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for Sssp {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        paths::weight_property(graph, self.weight.as_deref())?;
        Ok(())
    }
}

/// The distance of every vertex that can be reached, the nearest first, equal ones in graph order; the source itself
/// is at distance 0.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when the source is no vertex or a weight no number above 0,
/// [`AlgorithmError::Stopped`].
pub fn distances(
    graph: &Graph,
    params: &Sssp,
    watch: &dyn Watch,
) -> Result<Vec<(VertexIndex, f64)>, AlgorithmError> {
    let source = request::vertex(graph, "source", &params.source)?;
    let mut rows: Vec<(VertexIndex, f64)> = match &params.weight {
        None => {
            let direction = Direction::directed(params.directed);
            let hops = Hops::search(graph.adjacency(direction), source, u32::MAX, None, watch)?;
            hops.reached.iter().filter_map(|&vertex| Some((vertex, f64::from(hops.to(vertex)?)))).collect()
        }
        Some(property) => Weights::read(graph, property, params.directed, watch)?
            .distances(source, None, watch)?
            .into_iter()
            .collect(),
    };
    watch.check_stopped()?;
    rows.sort_unstable_by(|left, right| left.1.total_cmp(&right.1).then(left.0.cmp(&right.0)));
    Ok(rows)
}

/// `source`, and `distance`: `[{"id": length}, …]`, the nearest first; vertices out of reach are left out.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: Sssp = request::read(parameters)?;
    let values = Values::Doubles(distances(graph, &params, watch)?);
    Ok(Answer::new(vec![("source", params.source.into())], Some(List { name: "distance", values })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn distances_follow_hops_or_weights() {
        let graph = sample::weighted(5, &[(0, 3, 9.0), (0, 1, 1.0), (1, 2, 2.0), (2, 3, 2.5), (4, 0, 1.0)]);
        let rows =
            |parameters: &str| distances(&graph, &serde_json::from_str(parameters).unwrap(), &Unwatched).unwrap();
        assert_eq!(rows(r#"{"source":"0"}"#), [(0, 0.0), (1, 1.0), (3, 1.0), (2, 2.0)]);
        assert_eq!(rows(r#"{"source":"0","weight":"weight"}"#), [(0, 0.0), (1, 1.0), (2, 3.0), (3, 5.5)]);
        assert_eq!(rows(r#"{"source":"0","directed":false}"#), [(0, 0.0), (1, 1.0), (3, 1.0), (4, 1.0), (2, 2.0)]);
    }
}
