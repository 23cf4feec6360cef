//! The request body, and how it becomes a [`Filtered`].

use job_runner::job_core::{
    shown,
    strict::{self, Raw},
};
use serde::Deserialize;
use thiserror::Error;

use super::{Filtered, Layer, Step, Ways, test::Test};
use crate::graph::Graph;

/// A query that cannot be run: the field, its value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct FilteredError(pub(super) String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'b> {
    #[serde(rename = "executionMode")]
    _mode: Option<String>,
    vertices: Option<Vec<String>>,
    #[serde(borrow)]
    filters: Vec<LayerBody<'b>>,
    query_type: Option<String>,
    full_path: Option<bool>,
    #[serde(borrow)]
    by: Option<Raw<'b>>,
    #[serde(borrow)]
    edges: Option<Raw<'b>>,
    #[serde(borrow, rename = "visualized")]
    _visualized: Option<Raw<'b>>,
    // The spelling of the sample.
    #[serde(borrow, rename = "visulized")]
    _visulized: Option<Raw<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerBody<'b> {
    operator: String,
    #[serde(borrow)]
    vertex_filter: Option<FilterBody<'b>>,
    #[serde(borrow)]
    edge_filter: Option<FilterBody<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterBody<'b> {
    #[serde(borrow)]
    pub(super) property_filter: Box<PropertyFilter<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PropertyFilter<'b> {
    #[serde(borrow)]
    pub(super) leftvalue: Side<'b>,
    pub(super) predicate: String,
    #[serde(borrow)]
    pub(super) rightvalue: Side<'b>,
}

/// One side of a predicate: a name, a value, or a filter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side<'b> {
    pub(super) label_name: Option<String>,
    pub(super) property_name: Option<String>,
    #[serde(borrow)]
    pub(super) value: Option<Raw<'b>>,
    #[serde(borrow)]
    pub(super) property_filter: Option<Box<PropertyFilter<'b>>>,
}

impl Filtered {
    /// The most layers of a query.
    pub const MOST_LAYERS: usize = 20;

    /// Reads a request body and checks it against the labels and property names of `graph`.
    ///
    /// # Errors
    /// [`FilteredError`] names the field, its value and what is allowed.
    pub fn compile(body: &str, graph: &Graph) -> Result<Self, FilteredError> {
        let body: Body<'_> =
            strict::read("the body", body).map_err(|invalid| FilteredError(invalid.to_string()))?;
        body.is_supported()?;
        if body.filters.is_empty() || body.filters.len() > Self::MOST_LAYERS {
            let (number, most) = (body.filters.len(), Self::MOST_LAYERS);
            return Err(FilteredError(format!("filters has {number} layers: it must have 1 to {most}")));
        }
        let mut layers: Vec<Layer> = Vec::new();
        for (place, layer) in body.filters.iter().enumerate() {
            let before = layers.last().map(|layer: &Layer| layer.step);
            layers.push(layer.compile(&format!("filters[{place}]"), before, graph)?);
        }
        let given = body.vertices.unwrap_or_default();
        let start = match layers.first() {
            Some(layer) if layer.step == Step::Stay && given.is_empty() => (0..graph.vertex_count()).collect(),
            _ if given.is_empty() => {
                return Err(FilteredError("vertices is empty: name the vertices to start at".to_owned()));
            }
            _ => start(&given, graph)?,
        };
        Ok(Self { start, layers })
    }
}

fn start(given: &[String], graph: &Graph) -> Result<Vec<u32>, FilteredError> {
    let find = |(place, id): (usize, &String)| {
        graph.find(id).ok_or_else(|| {
            let id = shown(id);
            FilteredError(format!("vertices[{place}] is {id:?}: it must be the id of a vertex of the graph"))
        })
    };
    given.iter().enumerate().map(find).collect()
}

impl Body<'_> {
    /// Refuses the parts of the service's query that the demo does not have.
    fn is_supported(&self) -> Result<(), FilteredError> {
        let refused = match (&self.query_type, self.full_path) {
            (Some(kind), _) if kind != "Default" => {
                format!("query_type is {}: only Default is served", shown(kind))
            }
            (_, Some(true)) => "full_path is true: paths are not served".to_owned(),
            _ if self.by.is_some() => "by is given: rows have all their fields here".to_owned(),
            _ if self.edges.is_some() => "edges is given: a query begins at vertices here".to_owned(),
            _ => return Ok(()),
        };
        Err(FilteredError(refused))
    }
}

impl LayerBody<'_> {
    fn compile(&self, field: &str, before: Option<Step>, graph: &Graph) -> Result<Layer, FilteredError> {
        let (out, into) = (Ways { out: true, into: false }, Ways { out: false, into: true });
        let both = Ways { out: true, into: true };
        let (step, ways) = match &*self.operator {
            "outV" => (Step::Vertices, out),
            "inV" => (Step::Vertices, into),
            "bothV" => (Step::Vertices, both),
            "out" => (Step::Edges, out),
            "in" => (Step::Edges, into),
            "both" => (Step::Edges, both),
            "vertex" if before.is_none() => (Step::Stay, both),
            other => {
                let message = format!(
                    "{field}.operator is {:?}: it must be one of outV, inV, bothV, out, in, both, or vertex in the first layer",
                    shown(other)
                );
                return Err(FilteredError(message));
            }
        };
        if before == Some(Step::Edges) && step == Step::Edges {
            let message =
                format!("{field}.operator is {}: after edges it must be outV, inV or bothV", self.operator);
            return Err(FilteredError(message));
        }
        let (own, other, name) = match step {
            Step::Edges => (&self.edge_filter, &self.vertex_filter, "edge_filter"),
            Step::Vertices | Step::Stay => (&self.vertex_filter, &self.edge_filter, "vertex_filter"),
        };
        if other.is_some() {
            return Err(FilteredError(format!(
                "{field}: a layer of operator {} has its filter in {name}",
                self.operator
            )));
        }
        let vocabulary = if step == Step::Edges { graph.edge_vocabulary() } else { graph.vertex_vocabulary() };
        let field = format!("{field}.{name}.property_filter");
        let test = own.as_ref().map(|filter| Test::compile(&filter.property_filter, &field, vocabulary));
        Ok(Layer { step, ways, test: test.transpose()? })
    }
}
