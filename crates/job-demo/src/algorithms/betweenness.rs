//! `betweenness`: how many shortest paths between other vertices lead through a vertex.

mod dependency;
mod sums;

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use self::{
    dependency::{Dependencies, Steps},
    sums::Sums,
};
use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, answer,
    paths::{self, Weights},
    request,
};
use crate::{
    chance::Chance,
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Stopped, Watch},
};

/// The parameters; all have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Betweenness {
    /// `directed`: whether edges are followed from source to target only; true by default.
    pub directed: bool,
    /// `weight`: the edge property with the length of an edge, a number above 0. An edge without it has length 1.
    /// By default every edge has length 1.
    pub weight: Option<String>,
    /// `seeds`: ids of vertices, separated by commas or in a list, at most 100,000. Only the paths that begin at one of
    /// them are counted, and stand for all.
    pub seeds: Option<Vec<String>>,
    /// `k`: count only the paths that begin at one of this many vertices, chosen by chance, the same ones each time; 1
    /// to 100,000. It is ignored beside `seeds`. A graph needs one of the two if its vertices, times its vertices and
    /// edges, are more than 2,000,000,000.
    pub k: Option<u32>,
}

impl TryFrom<Fields> for Betweenness {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let directed = fields.flag("directed", true)?;
        let weight = fields.text("weight")?;
        let seeds = fields.vertices("seeds")?;
        let k = fields.optional("k", 1..=MOST_SAMPLES)?;
        fields.finish()?;
        match seeds.as_ref().map(Vec::len) {
            Some(many) if many > MOST_SAMPLES as usize => {
                Err(InvalidParameter::new("seeds", format!("{many} ids"), "at most 100000 ids"))
            }
            _ => Ok(Self { directed, weight, seeds, k }),
        }
    }
}

/// The most vertices of a sample.
const MOST_SAMPLES: u32 = 100_000;

/// The most steps of an exact computation: vertices times vertices and edges. One takes some ten nanoseconds.
const EXACT: u64 = 2_000_000_000;

impl Fits for Betweenness {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        paths::weight_property(graph, self.weight.as_deref())?;
        for seed in self.seeds.iter().flatten() {
            request::vertex(graph, "seeds", seed)?;
        }
        let (vertices, edges) = (graph.vertices().len() as u64, graph.edges().len() as u64);
        let is_exact = self.seeds.is_none() && self.k.is_none();
        if is_exact && vertices.saturating_mul(vertices + edges) > EXACT {
            let allowed = "a whole number from 1 to 100000, as this graph is too large for all paths";
            return Err(InvalidParameter::new("k", "missing", allowed));
        }
        Ok(())
    }
}

/// The betweenness of every vertex.
#[derive(Debug, Clone, PartialEq)]
pub struct Betweennesses {
    /// The values, in graph order.
    pub values: Vec<f64>,
    /// The size of the sample; `None` if all paths were counted.
    pub samples: Option<u32>,
    /// The largest standard error of a value, as the sample shows it. `None` without a sample, or if it has only one
    /// vertex.
    pub error: Option<f64>,
}

/// Adds up for every vertex the shares of the shortest paths that lead through it. Two ends that `n` shortest paths
/// connect give `1/n` for each. A path does not count for its ends. Parallel edges make one path. Without directions
/// each two ends count once.
///
/// Brandes's method (2001), with one search from each vertex, or from those of a sample. Sums of a sample are scaled
/// by the vertices over the sample's. They are the same on every run, however many threads there are.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when a seed is no vertex, a weight is no number above 0 or the graph is too large,
/// [`AlgorithmError::TooManyPaths`], [`AlgorithmError::Stopped`].
pub fn betweenness(
    graph: &Graph,
    params: &Betweenness,
    watch: &dyn Watch,
) -> Result<Betweennesses, AlgorithmError> {
    params.fits(graph)?;
    let (sources, is_sample) = sources(graph, params)?;
    let weights = params.weight.as_deref();
    let weights = weights.map(|property| Weights::read(graph, property, params.directed, watch)).transpose()?;
    let steps = match &weights {
        None => Steps::Hops(graph.adjacency(Direction::directed(params.directed))),
        Some(weights) => Steps::Weights(weights),
    };
    let sums = add_up(graph, &sources, steps, watch)?;
    let scale = if params.directed { 1.0 } else { 0.5 };
    if let Some(source) = sums.overflow() {
        return Err(AlgorithmError::TooManyPaths(graph.id(source).to_owned()));
    }
    let samples = is_sample.then(|| u32::try_from(sources.len()).unwrap_or(u32::MAX));
    let error = samples.and_then(|_| sums.largest_error(sources.len())).map(|error| error * scale);
    Ok(Betweennesses { values: sums.estimates(sources.len(), scale), samples, error })
}

/// The vertices to search from, in graph order, and whether they are a sample.
fn sources(graph: &Graph, params: &Betweenness) -> Result<(Vec<VertexIndex>, bool), InvalidParameter> {
    let all = graph.vertex_count();
    let mut sources: Vec<VertexIndex> = match (&params.seeds, params.k) {
        (Some(seeds), _) => {
            seeds.iter().map(|seed| request::vertex(graph, "seeds", seed)).collect::<Result<_, _>>()?
        }
        (None, Some(k)) if k < all => some(all, k),
        (None, _) => (0..all).collect(),
    };
    sources.sort_unstable();
    sources.dedup();
    let is_sample = sources.len() < all as usize;
    Ok((sources, is_sample))
}

/// `few` of the first `many` numbers, the same ones each time.
fn some(many: u32, few: u32) -> Vec<u32> {
    let mut chance = Chance::new(u64::from(many));
    let mut numbers: Vec<u32> = (0..many).collect();
    for place in 0..few {
        let other = place + chance.below(many - place);
        numbers.swap(place as usize, other as usize);
    }
    numbers.truncate(few as usize);
    numbers
}

/// The parts that threads work at between two checks of the saved state.
const PARTS: usize = 8;
/// The steps of a part: some milliseconds.
const STEPS: u64 = 1_000_000;

/// The work of one thread. Its arrays are used again for each share of the sources.
struct Part {
    dependencies: Dependencies,
    sums: Sums,
}

impl Part {
    fn new(count: usize) -> Self {
        Self { dependencies: Dependencies::new(count), sums: Sums::new(count) }
    }

    /// The memory for this number of vertices.
    const fn bytes(count: usize) -> u64 {
        Sums::bytes(count) + Dependencies::bytes(count)
    }

    fn search(&mut self, sources: &[VertexIndex], steps: Steps<'_>, watch: &dyn Watch) -> Result<(), Stopped> {
        self.sums.clear();
        let mut pace = Pace::new(watch);
        sources.iter().try_for_each(|&source| {
            self.dependencies.search(source, steps, &mut pace)?;
            self.sums.add(source, &self.dependencies);
            Ok(())
        })
    }
}

/// Searches from every source. A part of the sources has sums of its own, and these are added in the order of parts.
fn add_up(
    graph: &Graph,
    sources: &[VertexIndex],
    steps: Steps<'_>,
    watch: &dyn Watch,
) -> Result<Sums, AlgorithmError> {
    let count = graph.vertices().len();
    let search = (count + graph.edges().len() + 1) as u64;
    let share = usize::try_from((STEPS / search).clamp(1, 64)).unwrap_or(1);
    let parts: Vec<Mutex<Part>> = (0..PARTS.min(sources.len())).map(|_| Mutex::new(Part::new(count))).collect();
    watch.memory(Sums::bytes(count) + Part::bytes(count).saturating_mul(parts.len() as u64))?;
    let mut sums =
        watch.saved()?.and_then(|state| Sums::restore(&state, count)).unwrap_or_else(|| Sums::new(count));
    let total = (sources.len() as u64).max(1);
    watch.progress(0, total);
    while let Some(rest) = sources.get(sums.searches()..).filter(|rest| !rest.is_empty()) {
        watch.progress(sums.searches() as u64, total);
        watch.check_stopped()?;
        let shares: Vec<(&[VertexIndex], &Mutex<Part>)> = rest.chunks(share).zip(&parts).collect();
        watch.each(shares.len(), request::THREADS, &|number, watch| {
            let Some((sources, part)) = shares.get(number) else { return Ok(()) };
            part.lock().unwrap_or_else(PoisonError::into_inner).search(sources, steps, watch)
        })?;
        for (_, part) in shares {
            sums.merge(&part.lock().unwrap_or_else(PoisonError::into_inner).sums);
        }
        watch.save(&|| sums.save())?;
    }
    watch.progress(total, total);
    Ok(sums)
}

/// `betweenness`: `[{"id": value}, …]`, the highest first. With `seeds` or `k` also `samples`, the number of vertices
/// in the sample, and `standard_error`, the largest of all values. If chance has chosen the sample, 19 of 20 values
/// are less than twice this error away from the exact ones.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let Betweennesses { values, samples, error } = betweenness(graph, &request::read(parameters)?, watch)?;
    let outputs = samples.map(|samples| ("samples", samples.into()));
    let outputs = outputs.into_iter().chain(error.map(|error| ("standard_error", error.into()))).collect();
    let values = Values::Doubles(answer::falling(&values, f64::total_cmp));
    Ok(Answer::new(outputs, Some(List { name: "betweenness", values })))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{
        algorithms::sample,
        movies,
        watch::{Unwatched, tests::StopAt},
    };

    fn params(parameters: &str) -> Betweenness {
        serde_json::from_str(parameters).unwrap()
    }

    fn values(graph: &Graph, parameters: &str) -> Vec<f64> {
        betweenness(graph, &params(parameters), &Unwatched).unwrap().values
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn a_square_with_a_tail_is_computed_by_hand() {
        let graph = sample::graph(6, &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 4), (4, 4)]);
        // 0 to 3 and 0 to 4 go by 1 or by 2; all that go to 4 go by 3.
        near(&values(&graph, "{}"), &[0.0, 1.0, 1.0, 3.0, 0.0, 0.0]);
        // And 1 to 2 by 0 or by 3.
        near(&values(&graph, r#"{"directed":false}"#), &[0.5, 1.0, 1.0, 3.5, 0.0, 0.0]);
        near(&values(&sample::graph(0, &[]), "{}"), &[]);
    }

    #[test]
    fn weights_choose_their_own_ways() {
        let edges = [(0, 1, 1.0), (0, 2, 3.0), (1, 3, 3.0), (2, 3, 1.0), (1, 2, 1.0), (1, 2, 9.0)];
        let graph = sample::weighted(4, &edges);
        near(&values(&graph, r#"{"weight":"weight"}"#), &[0.0, 2.0, 2.0, 0.0]);
        near(&values(&graph, "{}"), &[0.0, 0.5, 0.5, 0.0]);
        let error = answer(&graph, r#"{"weight":"length"}"#, &Unwatched).unwrap_err().to_string();
        assert!(error.ends_with("it must be a property that at least one edge has"), "{error}");
    }

    #[test]
    fn a_sample_says_how_far_off_it_is() {
        let graph = movies::load().unwrap();
        let exact = values(&graph, r#"{"directed":false}"#);
        for k in [20, 80, 159] {
            let sample = betweenness(&graph, &params(&format!(r#"{{"directed":false,"k":{k}}}"#)), &Unwatched);
            let Betweennesses { values, samples, error } = sample.unwrap();
            let error = error.unwrap();
            let off =
                values.iter().zip(&exact).filter(|(value, exact)| (*value - *exact).abs() > 2.0 * error).count();
            assert!(off <= values.len() / 20, "{k}: {off} of {} values are off", values.len());
            assert!(error > 0.0 && samples == Some(k), "{k}: {error}");
        }
        let all = betweenness(&graph, &params(r#"{"directed":false,"k":160}"#), &Unwatched).unwrap();
        assert_eq!(all, Betweennesses { values: exact, samples: None, error: None });
    }

    #[test]
    fn seeds_are_vertices_and_go_before_k() {
        let graph = sample::graph(4, &[(0, 1), (1, 2), (2, 3)]);
        // From 0 alone: 1 is on the ways to 2 and 3, and 2 on the way to 3. Four vertices for one.
        near(&values(&graph, r#"{"seeds":"0","k":3}"#), &[0.0, 8.0, 4.0, 0.0]);
        near(&values(&graph, r#"{"seeds":["0","1","2","3"]}"#), &values(&graph, "{}"));
        let one = betweenness(&graph, &params(r#"{"seeds":"0,0"}"#), &Unwatched).unwrap();
        assert_eq!((one.samples, one.error), (Some(1), None));
        let error = answer(&graph, r#"{"seeds":"0,9"}"#, &Unwatched).unwrap_err().to_string();
        assert_eq!(error, r#"parameter seeds is "9": it must be the id of a vertex of the graph"#);
    }

    #[test]
    fn a_large_graph_wants_a_sample() {
        let graph = sample::graph(45_000, &[]);
        let error = params("{}").fits(&graph).unwrap_err().to_string();
        let sentence = "parameter k is missing: it must be a whole number from 1 to 100000, as this graph is too \
                        large for all paths";
        assert_eq!((error.as_str(), params(r#"{"k":1}"#).fits(&graph)), (sentence, Ok(())));
        assert_eq!(params("{}").fits(&sample::graph(44_000, &[])), Ok(()));
    }

    /// Keeps each state that is offered, and stops after some.
    struct Saves {
        stop: StopAt,
        state: RefCell<Option<Vec<u8>>>,
    }

    impl Watch for Saves {
        fn check_stopped(&self) -> Result<(), Stopped> {
            self.stop.check_stopped()
        }

        fn progress(&self, _done: u64, _total: u64) {}

        fn saved(&self) -> Result<Option<Vec<u8>>, Stopped> {
            Ok(self.state.borrow().clone())
        }

        fn save(&self, state: &dyn Fn() -> Vec<u8>) -> Result<(), Stopped> {
            self.state.replace(Some(state()));
            Ok(())
        }
    }

    #[test]
    fn work_goes_on_from_a_saved_state() {
        let edges: Vec<(u32, u32)> = (1..2_000).map(|vertex| (vertex, vertex / 2)).collect();
        let graph = sample::graph(2_000, &edges);
        let exact = values(&graph, "{}");
        let mut saves = Saves { stop: StopAt::new(3), state: RefCell::default() };
        let stopped = betweenness(&graph, &params("{}"), &saves);
        assert!(matches!(stopped, Err(AlgorithmError::Stopped(_))), "{stopped:?}");
        assert!(saves.state.borrow().is_some(), "nothing was saved");
        saves.stop = StopAt::new(usize::MAX);
        assert_eq!(betweenness(&graph, &params("{}"), &saves).unwrap().values, exact);
        // The last state is of all sources, so nothing is left to search.
        saves.stop = StopAt::new(1);
        assert_eq!(betweenness(&graph, &params("{}"), &saves).unwrap().values, exact);
    }
}
