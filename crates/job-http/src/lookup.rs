//! [`HostLookup`]: questions about a graph that the host answers at once.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value;

use crate::{catalog::Graph, failure::ApiFailure};

/// A question about a graph, `GET .../PATH`, that the host answers at once: its summary or its schema, say. The answer is
/// under `data`.
///
/// ```
/// use std::collections::BTreeMap;
/// use job_http::{ApiFailure, Graph, HostLookup};
/// use serde_json::{Value, json};
///
/// fn summary(graph: &Graph, query: &BTreeMap<String, String>) -> Result<Value, ApiFailure> {
///     let mut data = json!({"vertexNum": 146, "edgeNum": 1_314});
///     if query.get("label_details").is_some_and(|text| text == "true") {
///         data["labelDetails"] = json!({"labelInVertex": {"movie": 146}, "labelInEdge": {"rate": 1_314}});
///     }
///     Ok(data)
/// }
///
/// let lookup = HostLookup::new("summary", summary).parameter("label_details").summary("Counts vertices and edges.");
/// # drop(lookup);
/// ```
#[derive(Clone)]
pub struct HostLookup {
    pub(crate) path: Cow<'static, str>,
    pub(crate) parameters: Vec<Cow<'static, str>>,
    pub(crate) summary: Cow<'static, str>,
    answer: Answer,
}

type Answer = Arc<dyn Fn(&Graph, &BTreeMap<String, String>) -> Result<Value, ApiFailure> + Send + Sync>;

impl fmt::Debug for HostLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostLookup").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HostLookup {
    /// A question at this path below the graph. `answer` gets the parameters behind the `?`. It may block.
    #[must_use]
    pub fn new(
        path: impl Into<Cow<'static, str>>,
        answer: impl Fn(&Graph, &BTreeMap<String, String>) -> Result<Value, ApiFailure> + Send + Sync + 'static,
    ) -> Self {
        Self { path: path.into(), parameters: Vec::new(), summary: Cow::Borrowed(""), answer: Arc::new(answer) }
    }

    /// Names a parameter for the `OpenAPI` document.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.parameters.push(name.into());
        self
    }

    /// Sets the sentence for the `OpenAPI` document.
    #[must_use]
    pub fn summary(mut self, sentence: impl Into<Cow<'static, str>>) -> Self {
        self.summary = sentence.into();
        self
    }

    pub(crate) fn ask(&self, graph: &Graph, query: &BTreeMap<String, String>) -> Result<Value, ApiFailure> {
        (self.answer)(graph, query)
    }
}
