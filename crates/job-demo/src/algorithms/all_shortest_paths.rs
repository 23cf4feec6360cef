//! `all_shortest_paths`: every shortest path between two vertices.

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values,
    answer::Paths,
    paths::{self, Hops},
    request,
};
use crate::{
    graph::{Adjacency, Direction, Graph, VertexIndex},
    watch::{Pace, Quiet, Stopped, Watch},
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct AllShortestPaths {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `target`: the id of the vertex to reach; required.
    pub target: String,
    /// `directed`: whether edges are followed from source to target only; false by default.
    pub directed: bool,
}

impl TryFrom<Fields> for AllShortestPaths {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self {
            source: fields.vertex("source")?,
            target: fields.vertex("target")?,
            directed: fields.flag("directed", false)?,
        };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for AllShortestPaths {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::ends(graph, &self.source, &self.target)?;
        Ok(())
    }
}

/// The most paths of a result.
pub const MOST_PATHS: u64 = 1_000_000;

/// The shortest paths between two vertices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortestPaths {
    /// The paths, the one with the first vertices in graph order first; at most as many as were asked for.
    pub paths: Paths,
    /// How many there are; `u64::MAX` stands for that many or more.
    pub total: u64,
}

/// Lists the shortest paths, at most `most` of them. Parallel edges make one path. The memory grows with the list.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when an end is no vertex, [`AlgorithmError::Stopped`].
pub fn all_shortest_paths(
    graph: &Graph,
    params: &AllShortestPaths,
    most: u64,
    watch: &dyn Watch,
) -> Result<ShortestPaths, AlgorithmError> {
    let [source, target] = request::ends(graph, &params.source, &params.target)?;
    let direction = Direction::directed(params.directed);
    // The number of paths is the measure of progress, and is known after this search.
    let quiet = Quiet(&|| watch.check_stopped());
    let left = Hops::search(graph.adjacency(paths::reverse(direction)), target, u32::MAX, Some(source), &quiet)?;
    let forward = graph.adjacency(direction);
    let total = count(forward, &left, source, &quiet)?;
    let mut walk = Walk::new(forward, &left, source);
    let (wanted, mut pace) = (total.min(most), Pace::new(watch));
    watch.progress(0, wanted.max(1));
    let mut paths = Paths::default();
    while (paths.len() as u64) < wanted {
        if !walk.next(&mut pace, paths.len() as u64, wanted)? {
            break;
        }
        paths.push(&walk.path);
        if paths.len().is_multiple_of(1_024) {
            watch.memory(paths.bytes())?;
        }
    }
    watch.progress(wanted.max(1), wanted.max(1));
    Ok(ShortestPaths { paths, total })
}

/// The next vertices on the shortest paths to the target.
fn nearer<'a>(
    forward: &'a Adjacency,
    left: &'a Hops,
    vertex: VertexIndex,
) -> impl Iterator<Item = VertexIndex> + 'a {
    let next = left.to(vertex).and_then(|hops| hops.checked_sub(1));
    let neighbors = forward.neighbors(vertex).iter().copied();
    neighbors.filter(move |&neighbor| next.is_some() && left.to(neighbor) == next)
}

/// How many shortest paths lead from the source to the target.
#[expect(clippy::indexing_slicing, reason = "the array is as long as there are vertices")]
fn count(forward: &Adjacency, left: &Hops, source: VertexIndex, watch: &dyn Watch) -> Result<u64, Stopped> {
    let mut counts = vec![0_u64; left.vertices()];
    let mut pace = Pace::new(watch);
    for (place, &vertex) in left.reached.iter().enumerate() {
        pace.step(1 + forward.neighbors(vertex).len())?;
        let ways = nearer(forward, left, vertex).map(|next| counts[next as usize]);
        counts[vertex as usize] = if place == 0 { 1 } else { ways.fold(0, u64::saturating_add) };
        if vertex == source {
            break;
        }
    }
    Ok(counts[source as usize])
}

/// A walk through all shortest paths, depth first. Each step leads nearer to the target, so none is in vain.
struct Walk<'a> {
    forward: &'a Adjacency,
    left: &'a Hops,
    path: Vec<VertexIndex>,
    /// For each vertex of the path, how many of its neighbours were tried.
    tried: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn new(forward: &'a Adjacency, left: &'a Hops, source: VertexIndex) -> Self {
        Self { forward, left, path: vec![source], tried: vec![0] }
    }

    /// Goes on to the next path; `false` after the last one.
    fn next(&mut self, pace: &mut Pace<'_>, done: u64, total: u64) -> Result<bool, Stopped> {
        loop {
            let (Some(&vertex), Some(tried)) = (self.path.last(), self.tried.last_mut()) else {
                return Ok(false);
            };
            let here = self.left.to(vertex);
            if here == Some(0) && *tried == 0 {
                *tried = 1;
                return Ok(true);
            }
            let wanted = here.and_then(|hops| hops.checked_sub(1));
            let rest = self.forward.neighbors(vertex).get(*tried..).unwrap_or_default();
            let found = rest.iter().position(|&next| wanted.is_some() && self.left.to(next) == wanted);
            let looked_at = found.map_or(rest.len(), |place| place + 1);
            *tried += looked_at;
            pace.step_to(1 + looked_at, done, total)?;
            if let Some(&next) = found.and_then(|place| rest.get(place)) {
                self.path.push(next);
                self.tried.push(0);
            } else {
                self.path.pop();
                self.tried.pop();
            }
        }
    }
}

/// `paths_number` (how many are listed), `source`, `target`, and `paths`: `[["id", …], …]`, at most 1,000,000. If
/// there are more, `paths_total` says how many.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: AllShortestPaths = request::read(parameters)?;
    let ShortestPaths { paths, total } = all_shortest_paths(graph, &params, MOST_PATHS, watch)?;
    let mut outputs = vec![
        ("paths_number", paths.len().into()),
        ("source", params.source.into()),
        ("target", params.target.into()),
    ];
    if total > paths.len() as u64 {
        outputs.push(("paths_total", total.into()));
    }
    Ok(Answer::new(outputs, Some(List { name: "paths", values: Values::Paths(paths) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    fn found(graph: &Graph, parameters: &str, most: u64) -> (Vec<Vec<VertexIndex>>, u64) {
        let params = serde_json::from_str(parameters).unwrap();
        let ShortestPaths { paths, total } = all_shortest_paths(graph, &params, most, &Unwatched).unwrap();
        ((0..paths.len()).map(|place| paths.get(place).unwrap().to_vec()).collect(), total)
    }

    #[test]
    fn every_way_is_listed_in_graph_order() {
        // Two ways through a square, then three ways on, one of them by parallel edges; and a longer way around.
        let edges = [
            (0, 2),
            (0, 1),
            (1, 3),
            (2, 3),
            (3, 6),
            (3, 4),
            (3, 5),
            (4, 7),
            (5, 7),
            (6, 7),
            (6, 7),
            (0, 8),
            (9, 7),
        ];
        let graph = sample::graph(11, &edges);
        let (paths, total) = found(&graph, r#"{"source":"0","target":"7","directed":true}"#, 100);
        let expected = [[0, 1, 3, 4, 7], [0, 1, 3, 5, 7], [0, 1, 3, 6, 7], [0, 2, 3, 4, 7], [0, 2, 3, 5, 7]];
        assert_eq!((&paths[..5], total), (&expected.map(|path| path.to_vec())[..], 6));
        let (few, total) = found(&graph, r#"{"source":"0","target":"7"}"#, 2);
        assert_eq!((&few[..], total), (&paths[..2], 6));
        let (back, _) = found(&graph, r#"{"source":"7","target":"0"}"#, 100);
        assert_eq!((back.len(), &back[0][..]), (6, &[7, 4, 3, 1, 0][..]));
        assert_eq!(found(&graph, r#"{"source":"7","target":"0","directed":true}"#, 9), (vec![], 0));
        assert_eq!(found(&graph, r#"{"source":"10","target":"0"}"#, 9), (vec![], 0));
        assert_eq!(found(&graph, r#"{"source":"3","target":"3"}"#, 9), (vec![vec![3]], 1));
    }

    /// A chain of `count` squares, with two ways through each.
    fn squares(count: u32) -> Graph {
        let square = |number: u32| {
            let first = number * 3;
            [(first, first + 1), (first, first + 2), (first + 1, first + 3), (first + 2, first + 3)]
        };
        sample::graph(count * 3 + 1, &(0..count).flat_map(square).collect::<Vec<_>>())
    }

    #[test]
    fn more_paths_than_fit_are_counted_and_not_listed() {
        let answer = answer(&squares(21), r#"{"source":"0","target":"63"}"#, &Unwatched).unwrap();
        assert_eq!(answer.outputs[0], ("paths_number", 1_000_000.into()));
        assert_eq!(answer.outputs[3], ("paths_total", (1_u64 << 21).into()));
        let (_, total) = found(&squares(70), r#"{"source":"0","target":"210"}"#, 3);
        assert_eq!(total, u64::MAX);
    }
}
