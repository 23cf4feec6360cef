//! `shortest_path`: one shortest path between two vertices.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter,
    paths::{self, Hops, Weights},
    request,
    time_window::TimeWindow,
};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::Watch,
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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
    /// `timeWindow`: use only vertices and edges of a time, as an object. Its `filterName` is the property with the time,
    /// required. `filterType` is `V` (of vertices), `E` (of edges) or `BOTH`, the default. `startTime` and `endTime` are
    /// the first and the last time, and one of them may be absent. Times are texts, such as `2014-04-03 17:13:43`, or
    /// numbers. An element without the property is used at any time. It cannot be given with `weight`.
    pub time_window: Option<TimeWindow>,
}

impl TryFrom<Fields> for ShortestPath {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self {
            source: fields.vertex("source")?,
            target: fields.vertex("target")?,
            weight: fields.text("weight")?,
            directed: fields.flag("directed", false)?,
            time_window: fields.object("timeWindow")?.map(TimeWindow::read).transpose()?,
        };
        fields.finish()?;
        if params.weight.is_some() && params.time_window.is_some() {
            return Err(InvalidParameter::new("timeWindow", "given with weight", "given without it"));
        }
        Ok(params)
    }
}

impl Fits for ShortestPath {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::ends(graph, &self.source, &self.target)?;
        self.time_window.as_ref().map_or(Ok(()), |window| window.fits(graph))?;
        paths::weight_property(graph, self.weight.as_deref())
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
    params.fits(graph)?;
    let [source, target] = request::ends(graph, &params.source, &params.target)?;
    let direction = Direction::directed(params.directed);
    Ok(match (&params.weight, &params.time_window) {
        (None, None) => {
            let hops = Hops::search(graph.adjacency(direction), source, u32::MAX, Some(target), watch)?;
            paths::path_by_hops(graph.adjacency(paths::reverse(direction)), &hops, target)
        }
        (None, Some(window)) => {
            let [along, back] = window.adjacencies(graph, direction, watch)?;
            let hops = Hops::search(&along, source, u32::MAX, Some(target), watch)?;
            paths::path_by_hops(&back, &hops, target)
        }
        (Some(property), _) => {
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
    use crate::{
        algorithms::sample,
        graph::{GraphBuilder, Properties, Value},
        watch::Unwatched,
    };

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
    fn a_window_of_time_leaves_edges_out() {
        let mut builder = GraphBuilder::default();
        for (id, since) in [("a", 1), ("b", 5), ("c", 1), ("d", 1)] {
            let since = Properties::from_iter([("since", vec![Value::from(since)])]);
            builder.vertex(id, "v", since).unwrap();
        }
        for (source, target, day) in [(0, 3, "2014-04-09"), (0, 1, "2014-04-03"), (1, 3, "2014-04-04")] {
            let day = Properties::from_iter([("day", vec![Value::from(day)])]);
            builder.edge(source, target, "e", day).unwrap();
        }
        builder.edge(0, 2, "e", Properties::default()).unwrap();
        builder.edge(2, 3, "e", Properties::default()).unwrap();
        let graph = builder.build();
        let of = |window: &str| path(&graph, &format!(r#"{{"source":"a","target":"d","timeWindow":{window}}}"#));
        assert_eq!(of("null"), [0, 3]);
        assert_eq!(of(r#"{"filterName":"day","endTime":"2014-04-04"}"#), [0, 1, 3]);
        assert_eq!(of(r#"{"filterName":"day","startTime":"2014-04-04"}"#), [0, 3]);
        assert_eq!(of(r#"{"filterName":"day","startTime":"2015","filterType":"E"}"#), [0, 2, 3]);
        assert_eq!(of(r#"{"filterName":"since","endTime":"4","filterType":"V"}"#), [0, 3]);
        assert_eq!(of(r#"{"filterName":"since","startTime":2}"#), [0; 0]);
        let refused = |parameters: &str| answer(&graph, parameters, &Unwatched).unwrap_err().to_string();
        for (window, sentence) in [
            ("{}", "parameter timeWindow.filterName is missing: it must be a property with times"),
            (
                r#"{"filterName":"day","filterType":"X"}"#,
                r#"parameter timeWindow.filterType is "X": it must be V, E or BOTH"#,
            ),
            (
                r#"{"filterName":"day","filterType":"V"}"#,
                r#"parameter timeWindow.filterName is "day": it must be a property that at least one vertex has"#,
            ),
            (
                r#"{"filterName":"day","from":1}"#,
                "parameter timeWindow.from is unknown: it must be one of filterName, filterType, startTime, endTime",
            ),
        ] {
            let error = refused(&format!(r#"{{"source":"a","target":"d","timeWindow":{window}}}"#));
            assert_eq!(error, sentence);
        }
        let both = r#"{"source":"a","target":"d","weight":"day","timeWindow":{"filterName":"day"}}"#;
        assert_eq!(refused(both), "parameter timeWindow is given with weight: it must be given without it");
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
