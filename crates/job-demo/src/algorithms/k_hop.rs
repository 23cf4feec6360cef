//! `k_hop`: the vertices at most k edges away.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, paths::Hops, request};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::Watch,
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct KHop {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `k`: the greatest number of edges from the source; 1 to 100, required.
    pub k: u32,
    /// `mode`: `OUT` (the default) follows edges from source to target, `IN` from target to source, `ALL` both.
    pub mode: Direction,
}

impl TryFrom<Fields> for KHop {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let source = fields.vertex("source")?;
        let k = fields.whole("k", None, 1..=100)?;
        let mode = match fields.text("mode")?.as_deref() {
            None | Some("OUT") => Direction::Out,
            Some("IN") => Direction::In,
            Some("ALL") => Direction::Both,
            Some(other) => {
                return Err(InvalidParameter::new("mode", format!("{other:?}"), "OUT, IN or ALL"));
            }
        };
        fields.finish()?;
        Ok(Self { source, k, mode })
    }
}

impl Fits for KHop {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        Ok(())
    }
}

/// The vertices at most k edges away, the nearest first, without the source.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when the source is no vertex, [`AlgorithmError::Stopped`].
pub fn k_hop(graph: &Graph, params: &KHop, watch: &dyn Watch) -> Result<Vec<VertexIndex>, AlgorithmError> {
    let source = request::vertex(graph, "source", &params.source)?;
    let mut reached = Hops::search(graph, params.mode, source, params.k, None, watch)?.reached;
    reached.remove(0);
    Ok(reached)
}

/// `source`, `k`, `k_hop_neighbors` (how many there are), and `vertices`: their ids, the nearest first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: KHop = request::read(parameters)?;
    let reached = k_hop(graph, &params, watch)?;
    let outputs =
        vec![("source", params.source.into()), ("k", params.k.into()), ("k_hop_neighbors", reached.len().into())];
    Ok(Answer::new(outputs, Some(List { name: "vertices", values: Values::Ids(reached) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn each_mode_goes_its_way() {
        let graph = sample::graph(6, &[(0, 2), (0, 1), (2, 3), (3, 4), (5, 0), (0, 0)]);
        let rows =
            |parameters: &str| k_hop(&graph, &serde_json::from_str(parameters).unwrap(), &Unwatched).unwrap();
        assert_eq!(rows(r#"{"source":"0","k":2}"#), [1, 2, 3]);
        assert_eq!(rows(r#"{"source":"0","k":"1","mode":"IN"}"#), [5]);
        assert_eq!(rows(r#"{"source":"0","k":100,"mode":"ALL"}"#), [1, 2, 5, 3, 4]);
    }

    #[test]
    fn mode_and_k_are_checked() {
        for (parameters, expected) in [
            (r#"{"source":"0","k":101}"#, "parameter k is 101: it must be a whole number from 1 to 100"),
            (r#"{"source":"0"}"#, "parameter k is missing: it must be a whole number from 1 to 100"),
            (r#"{"source":"0","k":1,"mode":"out"}"#, "parameter mode is \"out\": it must be OUT, IN or ALL"),
        ] {
            assert_eq!(serde_json::from_str::<KHop>(parameters).unwrap_err().to_string(), expected);
        }
    }
}
