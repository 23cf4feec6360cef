//! `n_paths`: some paths between two vertices, the shortest first, that visit no vertex twice.

mod spur;

use std::collections::BTreeSet;

use serde::Deserialize;

use self::spur::Spurs;
use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, answer::Paths, request};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct NPaths {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `target`: the id of the vertex to reach; required.
    pub target: String,
    /// `directed`: whether edges are followed from source to target only; false by default.
    pub directed: bool,
    /// `n`: the most paths; 1 to 100, 10 by default.
    pub n: u32,
    /// `k`: the most edges of a path; 1 to 10, 5 by default.
    pub k: u32,
}

impl TryFrom<Fields> for NPaths {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self {
            source: fields.vertex("source")?,
            target: fields.vertex("target")?,
            directed: fields.flag("directed", false)?,
            n: fields.whole("n", Some(10), 1..=100)?,
            k: fields.whole("k", Some(5), 1..=10)?,
        };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for NPaths {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::ends(graph, &self.source, &self.target)?;
        Ok(())
    }
}

/// The first `n` paths of at most `k` edges, by their length, and among equals by the graph order of their vertices.
/// Parallel edges make one path.
///
/// Yen's method (1971): each further path leaves a known one at some vertex. It takes at most `n * k` searches,
/// however many paths there are.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when an end is no vertex, [`AlgorithmError::Stopped`].
pub fn n_paths(graph: &Graph, params: &NPaths, watch: &dyn Watch) -> Result<Paths, AlgorithmError> {
    let [source, target] = request::ends(graph, &params.source, &params.target)?;
    let mut pace = Pace::new(watch);
    let mut spurs = Spurs::new(graph, Direction::directed(params.directed), target, params.k);
    let total = u64::from(params.n);
    watch.progress(0, total);
    let mut known: Vec<Vec<VertexIndex>> = Vec::new();
    let mut candidates = BTreeSet::new();
    candidates.extend(spurs.shortest(&[source], &[], &mut pace)?.map(|path| (path.len(), path)));
    while let Some((_, path)) = candidates.pop_first() {
        known.push(path);
        if known.len() as u64 == total {
            break;
        }
        watch.progress(known.len() as u64, total);
        leave(&known, &mut spurs, &mut candidates, &mut pace)?;
    }
    watch.progress(total, total);
    let mut paths = Paths::default();
    for path in &known {
        paths.push(path);
    }
    Ok(paths)
}

/// Adds the shortest path that leaves the last known one at each of its vertices.
fn leave(
    known: &[Vec<VertexIndex>],
    spurs: &mut Spurs<'_>,
    candidates: &mut BTreeSet<(usize, Vec<VertexIndex>)>,
    pace: &mut Pace<'_>,
) -> Result<(), AlgorithmError> {
    let last = known.last().map_or(&[][..], Vec::as_slice);
    for end in 1..last.len() {
        let (root, _) = last.split_at(end);
        let same = known.iter().filter(|path| path.starts_with(root));
        let taken: Vec<VertexIndex> = same.filter_map(|path| path.get(end).copied()).collect();
        candidates.extend(spurs.shortest(root, &taken, pace)?.map(|path| (path.len(), path)));
    }
    Ok(())
}

/// `paths_number` (how many are listed), `source`, `target`, and `paths`: `[["id", …], …]`, the shortest first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: NPaths = request::read(parameters)?;
    let paths = n_paths(graph, &params, watch)?;
    let outputs = vec![
        ("paths_number", paths.len().into()),
        ("source", params.source.into()),
        ("target", params.target.into()),
    ];
    Ok(Answer::new(outputs, Some(List { name: "paths", values: Values::Paths(paths) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, chance::Chance, watch::Unwatched};

    fn found(graph: &Graph, params: &NPaths) -> Vec<Vec<VertexIndex>> {
        let paths = n_paths(graph, params, &Unwatched).unwrap();
        (0..paths.len()).map(|place| paths.get(place).unwrap().to_vec()).collect()
    }

    /// Every path without a repeated vertex, found by trying all.
    fn tried(graph: &Graph, params: &NPaths) -> Vec<Vec<VertexIndex>> {
        fn go(graph: &Graph, params: &NPaths, path: &mut Vec<VertexIndex>, all: &mut Vec<Vec<VertexIndex>>) {
            let at = path[path.len() - 1];
            if graph.id(at) == params.target {
                all.push(path.clone());
            } else if path.len() <= params.k as usize {
                for &next in graph.adjacency(Direction::directed(params.directed)).neighbors(at) {
                    if !path.contains(&next) {
                        path.push(next);
                        go(graph, params, path, all);
                        path.pop();
                    }
                }
            }
        }
        let mut all = Vec::new();
        go(graph, params, &mut vec![graph.find(&params.source).unwrap()], &mut all);
        all.sort_by_key(|path| (path.len(), path.clone()));
        all.truncate(params.n as usize);
        all
    }

    #[test]
    fn the_paths_are_the_first_of_all_paths() {
        for seed in 0..200 {
            let mut chance = Chance::new(seed);
            let count = 2 + chance.below(9);
            let edges: Vec<_> =
                (0..chance.below(30)).map(|_| (chance.below(count), chance.below(count))).collect();
            let graph = sample::graph(count, &edges);
            let params = NPaths {
                source: chance.below(count).to_string(),
                target: chance.below(count).to_string(),
                directed: seed % 2 == 0,
                n: 1 + chance.below(100),
                k: 1 + chance.below(10),
            };
            assert_eq!(found(&graph, &params), tried(&graph, &params), "seed {seed}: {params:?} {edges:?}");
        }
    }

    /// A search that tries all ways out of the source would take years here: only two of them lead on.
    #[test]
    fn a_part_that_leads_nowhere_costs_one_search() {
        let mut edges: Vec<(u32, u32)> = (3..400).flat_map(|from| (3..from).map(move |to| (from, to))).collect();
        edges.extend([(0, 1), (1, 2), (0, 3), (1, 3)]);
        let graph = sample::graph(400, &edges);
        let params = NPaths { source: "0".to_owned(), target: "2".to_owned(), directed: false, n: 100, k: 10 };
        let paths = found(&graph, &params);
        assert_eq!((&paths[0][..], &paths[1][..], paths.len()), (&[0, 1, 2][..], &[0, 3, 1, 2][..], 2));
    }
}
