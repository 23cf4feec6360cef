//! `degree_correlation`: whether vertices with many edges are joined to others with many.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter};
use crate::{
    graph::{Direction, Graph},
    watch::{Pace, Watch},
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct DegreeCorrelation {
    /// `directed`: true, the default, compares the out-degree of an edge's source with the in-degree of its target.
    /// False compares the degrees of both ends, whichever is the source.
    pub directed: bool,
}

impl TryFrom<Fields> for DegreeCorrelation {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let directed = fields.flag("directed", true)?;
        fields.finish()?;
        Ok(Self { directed })
    }
}

impl Fits for DegreeCorrelation {}

/// The Pearson correlation of the degrees at both ends of an edge, over all edges: from -1 to 1. It is 0 when one side
/// has only one degree, since no correlation is defined then.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
pub fn degree_correlation(
    graph: &Graph,
    params: &DegreeCorrelation,
    watch: &dyn Watch,
) -> Result<f64, AlgorithmError> {
    let (from, to) = if params.directed {
        (graph.adjacency(Direction::Out), graph.adjacency(Direction::In))
    } else {
        (graph.adjacency(Direction::Both), graph.adjacency(Direction::Both))
    };
    let mut moments = Moments::default();
    for (number, edges) in graph.edges().chunks(Pace::STRIDE / 8).enumerate() {
        watch.check_stopped()?;
        watch.progress((number * Pace::STRIDE / 8) as u64, graph.edges().len() as u64);
        for edge in edges {
            moments.add(from.degree(edge.source), to.degree(edge.target));
            if !params.directed {
                moments.add(from.degree(edge.target), to.degree(edge.source));
            }
        }
    }
    watch.progress(graph.edges().len() as u64, graph.edges().len() as u64);
    Ok(moments.correlation())
}

/// Sums over edges, kept as whole numbers so that nothing is lost before the end.
#[derive(Default)]
struct Moments {
    count: i128,
    left: i128,
    right: i128,
    left_squares: i128,
    right_squares: i128,
    products: i128,
}

impl Moments {
    fn add(&mut self, left: u64, right: u64) {
        let (left, right) = (i128::from(left), i128::from(right));
        self.count += 1;
        self.left += left;
        self.right += right;
        self.left_squares += left * left;
        self.right_squares += right * right;
        self.products += left * right;
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded once, at the end")]
    fn correlation(&self) -> f64 {
        let covariance = self.count * self.products - self.left * self.right;
        let left = self.count * self.left_squares - self.left * self.left;
        let right = self.count * self.right_squares - self.right * self.right;
        if left == 0 || right == 0 {
            0.0
        } else {
            covariance as f64 / ((left as f64).sqrt() * (right as f64).sqrt())
        }
    }
}

/// `degree_correlation`. Not paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let correlation = degree_correlation(graph, &super::request::read(parameters)?, watch)?;
    Ok(Answer::new(vec![("degree_correlation", correlation.into())], None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    fn of(edges: &[(u32, u32)], directed: bool) -> f64 {
        degree_correlation(&sample::graph(5, edges), &DegreeCorrelation { directed }, &Unwatched).unwrap()
    }

    #[test]
    fn stars_repel_and_rings_say_nothing() {
        assert!((of(&[(0, 1), (0, 2), (0, 3), (0, 4)], false) + 1.0).abs() < 1e-12);
        assert!(of(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)], false).abs() < 1e-12);
        assert!(of(&[], true).abs() < 1e-12);
    }

    #[test]
    fn a_directed_graph_is_computed_by_hand() {
        // (out, in) over the edges: (2,1), (2,2), (1,2): means 5/3 and 5/3, covariance -1/9, variances 2/9.
        assert!((of(&[(0, 1), (0, 2), (1, 2)], true) + 0.5).abs() < 1e-12);
    }
}
