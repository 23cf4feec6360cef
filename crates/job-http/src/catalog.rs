//! [`GraphCatalog`]: the host's list of its graphs.

use std::{fmt::Debug, mem};

use job_runner::{JobKind, JobSpec, Parameters};

use crate::{context::Context, failure::ApiFailure};

/// The graphs of a host, and the check of each request for work on one.
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
    /// The graph with this name in this project; `None` if the project has none, even if another project has. It
    /// is called for every request, on a thread that also serves others, so it must not block.
    ///
    /// If a graph is served no longer, its jobs stay. They run or wait until they end, and only
    /// [`Api::operator`](crate::Api::operator) shows and cancels them. A handler fails a job whose graph is not
    /// there.
    fn find(&self, project: &str, name: &str) -> Option<Graph>;

    /// The names of a project's graphs, for the page and `GET .../graphs`; empty by default.
    fn names(&self, project: &str) -> Vec<String> {
        let _ = project;
        Vec::new()
    }

    /// Checks a request and makes its job. It may take long, to load a graph say, since it runs on a blocking
    /// thread. The router then sets graph and version in the spec. By default every request is accepted, and one
    /// that cannot be run fails as a job.
    ///
    /// # Errors
    /// The answer to the client. The request then makes no job.
    fn check(&self, graph: &Graph, request: &JobRequest) -> Result<JobSpec, ApiFailure> {
        Ok(request.spec(graph))
    }

    /// Ids of vertices that begin with `prefix`, at most `limit` of them. The page offers them where a vertex is typed.
    /// `None`, the default, says that this host offers none. It is called at each pause in typing, on a blocking thread, and an
    /// answer that takes longer than a second comes too late. So it should look the prefix up, not search.
    ///
    /// ```
    /// # use job_http::{Graph, GraphCatalog};
    /// #[derive(Debug)]
    /// struct Movies(Vec<String>);
    ///
    /// impl GraphCatalog for Movies {
    ///     # fn find(&self, _: &str, name: &str) -> Option<Graph> { (name == "movies").then(|| Graph::new("movies")) }
    ///     fn complete(&self, _: &Graph, prefix: &str, limit: usize) -> Option<Vec<String>> {
    ///         // The ids are sorted, so those with one prefix are neighbours.
    ///         let first = self.0.partition_point(|id| id.as_str() < prefix);
    ///         let with_prefix = self.0.iter().skip(first).take_while(|id| id.starts_with(prefix));
    ///         Some(with_prefix.take(limit).cloned().collect())
    ///     }
    /// }
    /// ```
    fn complete(&self, graph: &Graph, prefix: &str, limit: usize) -> Option<Vec<String>> {
        let _ = (graph, prefix, limit);
        None
    }
}

/// A graph that the host serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// The graph's name in the engine. Two projects may each have a graph of the same name. Their keys must
    /// differ, since they keep the jobs of one project from the other.
    pub key: String,
    /// The version of its data, for jobs that may share a result.
    pub version: Option<String>,
}

impl Graph {
    /// A graph with this name in the engine, without a version.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), version: None }
    }

    /// Sets the version of its data; none by default. Jobs on one version may share a result.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the graph and its version in a spec.
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
    /// A vertex filter, with the whole body of the request.
    VertexFilter(Parameters),
    /// An edge filter, with the whole body of the request.
    EdgeFilter(Parameters),
    /// An algorithm.
    Algorithm {
        /// The name of the algorithm, not empty.
        name: String,
        /// The parameters of the algorithm, a JSON object.
        parameters: Parameters,
    },
}

impl JobRequest {
    /// The job for the request, as the host checks it. Parameters that the engine leaves out are noted in it.
    pub(crate) fn checked(mut self, api: &Context, graph: &Graph) -> Result<JobSpec, ApiFailure> {
        let (kind, parameters) = match &mut self {
            Self::VertexFilter(body) => (JobKind::VertexFilter, body),
            Self::EdgeFilter(body) => (JobKind::EdgeFilter, body),
            Self::Algorithm { name, parameters } => (JobKind::Algorithm(name.clone()), parameters),
        };
        let (known, ignored) = api.engine.known_parameters(&kind, mem::take(parameters));
        *parameters = known;
        Ok(api.graphs.check(graph, &self)?.ignoring(ignored))
    }

    /// The job for the request, unchecked.
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
