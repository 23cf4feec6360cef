//! `label_propagation`: communities, found by giving each vertex the label that most of its neighbours have.
#![expect(
    clippy::indexing_slicing,
    reason = "vertices are below the vertex count and labels below the label count, the lengths of the arrays"
)]

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, Values, arcs::Arcs, convergence::Convergence, paths,
};
use crate::{
    graph::{Direction, Graph, Value, VertexIndex},
    watch::{Pace, Watch},
};

/// The parameters; all have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct LabelPropagation {
    /// `convergence`: stop when an iteration changes a smaller share of the vertices than this; above 0, below 1,
    /// 0.00001 by default. `coveragence`, as in older editions of the API, is another name of it.
    pub convergence: f64,
    /// `max_iterations`: stop after this number of iterations; 1 to 2147483647, 1000 by default.
    pub max_iterations: u32,
    /// `initial`: the vertex property that holds known labels, which stay as they are. Without it, the default, every
    /// vertex starts with a label of its own.
    pub initial: Option<String>,
    /// `weight`: the edge property with the weight of a vote, a number above 0. An edge without it has weight 1. By default
    /// every edge has weight 1.
    pub weight: Option<String>,
}

impl TryFrom<Fields> for LabelPropagation {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let convergence = fields.convergence(0.000_01)?;
        let max_iterations = fields.iterations(1000)?;
        let initial = fields.text("initial")?;
        let weight = fields.text("weight")?;
        fields.finish()?;
        Ok(Self { convergence, max_iterations, initial, weight })
    }
}

impl Fits for LabelPropagation {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        let known = graph.vertex_vocabulary();
        match &self.initial {
            Some(property) if !known.has_property(property) => Err(unknown_initial(property)),
            _ => paths::weight_property(graph, self.weight.as_deref()),
        }
    }
}

/// The label of a vertex before it has one. It has no vote.
const UNKNOWN: u32 = u32::MAX;

struct Labels {
    names: Vec<Arc<str>>,
    of: Vec<u32>,
    fixed: Vec<bool>,
}

impl Labels {
    fn own(graph: &Graph) -> Self {
        Self {
            names: graph.vertices().iter().map(|vertex| Arc::clone(&vertex.id)).collect(),
            of: (0..graph.vertex_count()).collect(),
            fixed: vec![false; graph.vertices().len()],
        }
    }

    fn known(graph: &Graph, property: &str) -> Result<Self, InvalidParameter> {
        let mut names = Vec::new();
        let mut numbers: HashMap<Arc<str>, u32> = HashMap::new();
        let mut of = Vec::with_capacity(graph.vertices().len());
        for vertex in graph.vertices() {
            let name: Arc<str> = match vertex.properties.get(property).first() {
                None => {
                    of.push(UNKNOWN);
                    continue;
                }
                Some(Value::Text(text)) => Arc::clone(text),
                Some(Value::Int(number)) => number.to_string().into(),
                // Adding 0.0 removes the sign of a zero.
                Some(Value::Double(number)) => (number + 0.0).to_string().into(),
            };
            let free = u32::try_from(names.len()).unwrap_or(UNKNOWN);
            of.push(*numbers.entry(Arc::clone(&name)).or_insert_with(|| {
                names.push(name);
                free
            }));
        }
        if names.is_empty() {
            return Err(unknown_initial(property));
        }
        let fixed = of.iter().map(|&label| label != UNKNOWN).collect();
        Ok(Self { names, of, fixed })
    }
}

fn unknown_initial(property: &str) -> InvalidParameter {
    InvalidParameter::new("initial", format!("{property:?}"), "a property that at least one vertex has")
}

/// The community of every vertex, in graph order: the id of the vertex that its label comes from. With `initial` it is
/// a value of that property, empty where no label arrived.
///
/// Directions do not count, and each parallel edge has a vote, of its weight. Vertices change one after another in graph order,
/// each at once. Of equally frequent labels a vertex keeps its own, or else takes the last. Later labels have not
/// spread yet, so none of them takes the whole graph.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when no vertex has the property `initial` or a weight is no number above 0,
/// [`AlgorithmError::Stopped`].
pub fn communities(
    graph: &Graph,
    params: &LabelPropagation,
    watch: &dyn Watch,
) -> Result<Vec<Arc<str>>, AlgorithmError> {
    params.fits(graph)?;
    let mut labels = match &params.initial {
        None => Labels::own(graph),
        Some(property) => Labels::known(graph, property)?,
    };
    let mut votes = Votes { weights: vec![0.0; labels.names.len()], seen: Vec::new() };
    let mut pace = Pace::new(watch);
    let enough = params.convergence * f64::from(graph.vertex_count());
    // A change of less than one vertex is none.
    let mut convergence = Convergence::new(enough.max(0.5), params.max_iterations);
    watch.progress(0, Convergence::STEPS);
    let arcs = Arcs::read(graph, Direction::Both, params.weight.as_deref(), &mut pace)?;
    for iteration in 1..=params.max_iterations {
        watch.check_stopped()?;
        let mut changed = 0_u32;
        for vertex in 0..graph.vertex_count() {
            pace.step(1 + arcs.of(vertex).len())?;
            if labels.fixed[vertex as usize] {
                continue;
            }
            let label = votes.winner(arcs.of(vertex), vertex, &labels.of);
            if label != labels.of[vertex as usize] {
                labels.of[vertex as usize] = label;
                changed += 1;
            }
        }
        watch.progress(convergence.after(iteration, f64::from(changed)), Convergence::STEPS);
        if f64::from(changed) <= enough {
            break;
        }
    }
    watch.progress(Convergence::STEPS, Convergence::STEPS);
    let unknown: Arc<str> = "".into();
    Ok(labels.of.iter().map(|&label| Arc::clone(labels.names.get(label as usize).unwrap_or(&unknown))).collect())
}

/// The votes for each label. They are cleared after each vertex, by the list of its labels.
struct Votes {
    weights: Vec<f64>,
    seen: Vec<u32>,
}

impl Votes {
    fn winner(&mut self, arcs: &[(VertexIndex, f64)], vertex: VertexIndex, labels: &[u32]) -> u32 {
        for &(neighbor, weight) in arcs {
            let label = labels[neighbor as usize];
            // A loop has no vote.
            if neighbor == vertex || label == UNKNOWN {
                continue;
            }
            // Weights are above 0.
            if self.weights[label as usize] <= 0.0 {
                self.seen.push(label);
            }
            self.weights[label as usize] += weight;
        }
        let own = labels[vertex as usize];
        let mut best = own;
        let mut most = self.weights.get(own as usize).copied().unwrap_or(0.0);
        for label in self.seen.drain(..) {
            let weight = std::mem::take(&mut self.weights[label as usize]);
            let is_later = best != own && label > best;
            if weight.total_cmp(&most).then(is_later.cmp(&false)).is_gt() {
                (best, most) = (label, weight);
            }
        }
        best
    }
}

/// `community`: `[{"id": "community"}, …]` in graph order.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let communities = communities(graph, &super::request::read(parameters)?, watch)?;
    Ok(Answer::list("community", Values::Texts(communities)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        algorithms::sample,
        graph::{GraphBuilder, Properties},
        watch::Unwatched,
    };

    fn found(graph: &Graph, parameters: &str) -> Vec<String> {
        let communities = communities(graph, &serde_json::from_str(parameters).unwrap(), &Unwatched).unwrap();
        communities.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_cliques_on_a_bridge_are_two_communities() {
        let edges = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)];
        let found = found(&sample::graph(7, &edges), "{}");
        assert!(found[0] == found[1] && found[1] == found[2], "{found:?}");
        assert!(found[3] == found[4] && found[4] == found[5], "{found:?}");
        assert_ne!(found[0], found[3]);
        assert_eq!(found[6], "6");
    }

    #[test]
    fn a_vote_has_the_weight_of_its_edge() {
        // 2 hangs on 0 with two edges, and on 3 with one that is heavier.
        let edges = [(0, 1, 8.0), (2, 0, 1.0), (2, 1, 1.0), (2, 3, 3.0)];
        let graph = sample::weighted(4, &edges);
        let [plain, heavy] = ["{}", r#"{"weight":"weight"}"#].map(|parameters| found(&graph, parameters));
        assert!(plain[2] == plain[0], "{plain:?}");
        assert!(heavy[2] == heavy[3] && heavy[0] == heavy[1] && heavy[0] != heavy[2], "{heavy:?}");
    }

    #[test]
    fn known_labels_stay_and_spread() {
        let mut builder = GraphBuilder::default();
        for (id, party) in [("a", Some("red")), ("b", None), ("c", None), ("d", Some("blue")), ("e", None)] {
            let properties = party.map(|party| ("party", vec![Value::from(party)])).into_iter().collect();
            builder.vertex(id, "v", properties).unwrap();
        }
        for (source, target) in [(0, 1), (1, 2), (2, 3), (3, 2)] {
            builder.edge(source, target, "e", Properties::default()).unwrap();
        }
        let graph = builder.build();
        assert_eq!(found(&graph, r#"{"initial":"party"}"#), ["red", "red", "blue", "blue", ""]);
        let error = answer(&graph, r#"{"initial":"colour"}"#, &Unwatched).unwrap_err().to_string();
        assert_eq!(error, "parameter initial is \"colour\": it must be a property that at least one vertex has");
    }
}
