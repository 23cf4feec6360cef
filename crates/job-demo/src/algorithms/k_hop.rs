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
    /// `statistics`: true gives only the number of vertices; false, the default, their ids as well.
    pub statistics: bool,
    /// `num_thread`: read and not used, as the search has one thread; 1 to 40, 4 by default. A number out of range becomes
    /// the nearest in it.
    pub num_thread: usize,
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
        let statistics = fields.flag("statistics", false)?;
        let num_thread = fields.threads()?;
        fields.finish()?;
        Ok(Self { source, k, mode, statistics, num_thread })
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
    let mut reached = Hops::search(graph.adjacency(params.mode), source, params.k, None, watch)?.reached;
    reached.remove(0);
    Ok(reached)
}

/// `source`, `k`, `k_hop_neighbors` (how many there are), and unless `statistics` is true `vertices`: their ids, the
/// nearest first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: KHop = request::read(parameters)?;
    let reached = k_hop(graph, &params, watch)?;
    let outputs =
        vec![("source", params.source.into()), ("k", params.k.into()), ("k_hop_neighbors", reached.len().into())];
    let list = (!params.statistics).then_some(List { name: "vertices", values: Values::Ids(reached) });
    Ok(Answer::new(outputs, list))
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
    fn statistics_are_the_number_alone() {
        let graph = sample::graph(3, &[(0, 2), (0, 1)]);
        let of = |parameters| answer(&graph, parameters, &Unwatched).unwrap();
        let [all, number] = [r#"{"source":"0","k":1}"#, r#"{"source":"0","k":1,"statistics":true}"#].map(of);
        assert_eq!((all.outputs == number.outputs, all.list.is_some(), number.list), (true, true, None));
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
