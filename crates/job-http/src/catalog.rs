//! [`GraphCatalog`]: what the host says about its graphs.

use std::fmt::Debug;

use job_runner::{JobSpec, Parameters};

use crate::failure::ApiFailure;

/// The graphs of a host: which there are, and whether a request for work on one of them can be run.
///
/// ```
/// use job_http::{ApiFailure, Graph, GraphCatalog, JobRequest};
/// use job_runner::JobSpec;
///
/// #[derive(Debug)]
/// struct OneGraph;
///
/// impl GraphCatalog for OneGraph {
///     fn find(&self, project: &str, name: &str) -> Option<Graph> {
///         (project == "demo" && name == "movies").then(|| Graph::new("movies"))
///     }
///
///     fn check(&self, graph: &Graph, request: &JobRequest) -> Result<JobSpec, ApiFailure> {
///         match request {
///             JobRequest::Algorithm { name, .. } if name != "pagerank" => {
///                 Err(ApiFailure::new("GES.8402", format!("algorithm {name} is unknown: it must be pagerank")))
///             }
///             request => Ok(request.spec(graph)),
///         }
///     }
/// }
/// ```
pub trait GraphCatalog: Debug + Send + Sync + 'static {
    /// The graph of this project under this name; `None` if the project has none, also where another project has one.
    /// Called for every request, on a thread that serves others too: it must not wait.
    ///
    /// Jobs of a graph that is served no longer stay: they run or wait until they end, and only
    /// [`Api::operator`](crate::Api::operator) shows and cancels them. A handler fails those that it has no graph for.
    fn find(&self, project: &str, name: &str) -> Option<Graph>;

    /// The names of a project's graphs, for the page and `GET .../graphs`; empty by default.
    fn names(&self, project: &str) -> Vec<String> {
        let _ = project;
        Vec::new()
    }

    /// Checks a request and makes the job of it. May take its time (loading a graph, say): it has a thread of its
    /// own. Graph and version are put into the spec afterwards.
    ///
    /// # Errors
    /// The answer to the client; no job comes of the request then. By default every request is taken as it is,
    /// and what cannot be run fails as a job.
    fn check(&self, graph: &Graph, request: &JobRequest) -> Result<JobSpec, ApiFailure> {
        Ok(request.spec(graph))
    }
}

/// A graph as the host knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// Its name in the engine. Two projects may each have a graph of the same name. Here the names must differ, since
    /// they keep the jobs of one project from the other.
    pub key: String,
    /// The version of its data, for jobs that may share a result.
    pub version: Option<String>,
}

impl Graph {
    /// A graph that the engine knows by `key`.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), version: None }
    }

    /// The same with the version of its data.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Puts the graph into a spec.
    pub(crate) fn of(&self, spec: JobSpec) -> JobSpec {
        let spec = spec.with_graph(self.key.as_str());
        match &self.version {
            Some(version) => spec.graph_version(version.as_str()),
            None => spec,
        }
    }
}

/// The work that a client asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum JobRequest {
    /// A vertex filter; the request's whole body.
    VertexFilter(Parameters),
    /// An edge filter; the request's whole body.
    EdgeFilter(Parameters),
    /// An algorithm.
    Algorithm {
        /// Its name, not empty.
        name: String,
        /// Its parameters, a JSON object.
        parameters: Parameters,
    },
}

impl JobRequest {
    /// The job that does it, unchecked.
    #[must_use]
    pub fn spec(&self, graph: &Graph) -> JobSpec {
        let (spec, parameters) = match self {
            Self::VertexFilter(body) => (JobSpec::vertex_filter(), body),
            Self::EdgeFilter(body) => (JobSpec::edge_filter(), body),
            Self::Algorithm { name, parameters } => (JobSpec::algorithm(name.as_str()), parameters),
        };
        graph.of(spec.with_raw_parameters(parameters.clone()))
    }
}
