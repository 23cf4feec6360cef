//! [`HostAction`]: what clients may submit, as the host registers it.

mod asked;
mod body;
mod registry;

use std::{borrow::Cow, fmt, sync::Arc};

use job_runner::{
    JobId, JobKind, JobSpec,
    wire::{Dialect, ErrorCode, Form},
};

pub use self::asked::{Asked, Modes};
pub(crate) use self::{
    asked::Mode,
    body::{algorithm, check_name, object},
    registry::{Actions, EDGES, GRAPH, VERTICES},
};
use crate::{
    catalog::{Graph, JobRequest},
    context::Context,
    failure::ApiFailure,
};

/// Work that clients submit by `POST .../PATH?action_id=ID`. The host registers it with
/// [`Api::action`](crate::Api::action), and a handler for its kind with
/// [`EngineBuilder::action`](job_runner::EngineBuilder::action).
///
/// The two filters and `execute-algorithm` are the first three entries. A host that registers another entry under the
/// path and id of one of them replaces it.
///
/// ```
/// use std::sync::Arc;
/// use job_http::{Api, ApiFailure, Asked, Graph, GraphCatalog, HostAction, Modes};
/// use job_runner::{Engine, JobContext, JobSpec, store::MemoryStore, wire::Form};
/// use serde_json::{Value, json};
///
/// # #[derive(Debug)]
/// # struct Host;
/// # impl GraphCatalog for Host {
/// #     fn find(&self, _: &str, name: &str) -> Option<Graph> {
/// #         (name == "movies").then(|| Graph::new(name))
/// #     }
/// # }
/// fn query(_: &Graph, body: &str) -> Result<Asked, ApiFailure> {
///     let body: Value = serde_json::from_str(body).map_err(|error| ApiFailure::new("GES.8902", error.to_string()))?;
///     let statement = &body["statements"][0];
///     let text = json!({"statement": statement["statement"]});
///     let spec = JobSpec::action("cypher").with_parameters(&text);
///     let spec = spec.map_err(|error| ApiFailure::new("GES.8902", error.to_string()))?;
///     Ok(Asked::new(spec).mode(statement["executionMode"].as_str()))
/// }
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .action("cypher", |ctx: &mut JobContext| Ok(ctx.rows("data")?.push(&json!({"row": ["Sarah"]}))?))
///     .action("clear-graph", |_: &mut JobContext| Ok(()))
///     .open()?;
/// let router = Api::new(Arc::new(engine), Host)
///     .action(HostAction::new("clear-graph").code("GES.8012"))
///     .action(
///         HostAction::new("execute-cypher-query")
///             .code("GES.8902")
///             .read(query)
///             .form(Form::Rows)
///             .modes(Modes::SyncFirst),
///     )
///     .router();
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Clone)]
pub struct HostAction {
    path: Cow<'static, str>,
    id: Option<Cow<'static, str>>,
    kind: JobKind,
    read: Read,
    form: Form,
    modes: Modes,
    codes: Codes,
    typed: bool,
    pub(crate) summary: Cow<'static, str>,
}

/// How a body becomes a request for work.
#[derive(Clone)]
enum Read {
    VertexFilter,
    EdgeFilter,
    Algorithm,
    /// The whole body is the parameters.
    Whole,
    Own(Arc<Reader>),
}

type Reader = dyn Fn(&Graph, &str) -> Result<Asked, ApiFailure> + Send + Sync;

/// The codes of an action's errors.
#[derive(Debug, Clone)]
struct Codes {
    body: Cow<'static, str>,
    graph: Cow<'static, str>,
    mode: Cow<'static, str>,
    failed: Cow<'static, str>,
}

impl Codes {
    fn all(code: Cow<'static, str>) -> Self {
        Self { body: code.clone(), graph: code.clone(), mode: code.clone(), failed: code }
    }

    const fn of(body: ErrorCode, graph: ErrorCode, mode: ErrorCode, failed: ErrorCode) -> Self {
        Self {
            body: Cow::Borrowed(body.as_str()),
            graph: Cow::Borrowed(graph.as_str()),
            mode: Cow::Borrowed(mode.as_str()),
            failed: Cow::Borrowed(failed.as_str()),
        }
    }
}

impl fmt::Debug for HostAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostAction")
            .field("path", &self.path)
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("form", &self.form)
            .field("modes", &self.modes)
            .finish_non_exhaustive()
    }
}

/// The registration.
impl HostAction {
    /// An action of this id, at `.../action`. Its job is of the kind `action:ID`, with the whole body as its parameters,
    /// which must be a JSON object. It is asynchronous, and its errors have the code `GES.8005`.
    #[must_use]
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        let id = id.into();
        Self {
            path: Cow::Borrowed(GRAPH),
            kind: JobKind::Action(id.clone().into_owned()),
            id: Some(id),
            read: Read::Whole,
            form: Form::Plain,
            modes: Modes::AsyncOnly,
            codes: Codes::all(Cow::Borrowed(ErrorCode::Parameter.as_str())),
            typed: true,
            summary: Cow::Borrowed(""),
        }
    }

    /// The vertex filter, as it is registered at first.
    #[must_use]
    pub fn vertex_filter() -> Self {
        Self {
            path: Cow::Borrowed(VERTICES),
            kind: JobKind::VertexFilter,
            read: Read::VertexFilter,
            codes: Codes::of(
                ErrorCode::VertexCondition,
                ErrorCode::VertexFilter,
                ErrorCode::Parameter,
                ErrorCode::VertexFilter,
            ),
            ..Self::new("query")
        }
    }

    /// The edge filter, as it is registered at first.
    #[must_use]
    pub fn edge_filter() -> Self {
        Self {
            path: Cow::Borrowed(EDGES),
            kind: JobKind::EdgeFilter,
            read: Read::EdgeFilter,
            codes: Codes::of(
                ErrorCode::EdgeCondition,
                ErrorCode::EdgeFilter,
                ErrorCode::Parameter,
                ErrorCode::EdgeFilter,
            ),
            ..Self::new("query")
        }
    }

    /// Algorithms, as they are registered at first: in either mode, and without one in that of the dialect.
    #[must_use]
    pub fn execute_algorithm() -> Self {
        Self {
            kind: JobKind::Algorithm(String::new()),
            read: Read::Algorithm,
            modes: Modes::OfDialect,
            codes: Codes::of(
                ErrorCode::Algorithm,
                ErrorCode::Algorithm,
                ErrorCode::AlgorithmMode,
                ErrorCode::Algorithm,
            ),
            ..Self::new("execute-algorithm")
        }
    }

    /// Sets the path below the graph, such as `vertices/action` or `indices`; `action` by default.
    #[must_use]
    pub fn at(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Takes requests without `action_id`, as those for an index are. It is the only action of its path then.
    #[must_use]
    pub fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    /// Sets the kind of the jobs to `action:NAME`, where it differs from the id.
    #[must_use]
    pub fn kind(mut self, name: impl Into<String>) -> Self {
        self.kind = JobKind::Action(name.into());
        self
    }

    /// Sets how a body becomes a request for work; the graph is set afterwards. `read` may block, to load a graph say.
    #[must_use]
    pub fn read(
        mut self,
        read: impl Fn(&Graph, &str) -> Result<Asked, ApiFailure> + Send + Sync + 'static,
    ) -> Self {
        self.read = Read::Own(Arc::new(read));
        self
    }

    /// Sets how answers look; [`Form::Plain`] by default.
    #[must_use]
    pub const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Leaves `jobType` out of acknowledgements of the form [`Form::Plain`]. The service does so for imports, exports and
    /// the clearing of a graph; by default editions with such a number tell that of algorithms.
    #[must_use]
    pub const fn without_type(mut self) -> Self {
        self.typed = false;
        self
    }

    /// Sets in which modes a client may run it; [`Modes::AsyncOnly`] by default.
    #[must_use]
    pub const fn modes(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// Sets the code of its errors: a body that cannot be read, an unknown graph or mode, a job that failed while the
    /// client waited.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.codes = Codes::all(code.into());
        self
    }

    /// Sets the sentence for the `OpenAPI` document.
    #[must_use]
    pub fn summary(mut self, sentence: impl Into<Cow<'static, str>>) -> Self {
        self.summary = sentence.into();
        self
    }
}

/// The answering of requests.
impl HostAction {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The answer to a request whose job is stored.
    pub(crate) fn acknowledgement(&self, dialect: Dialect, id: JobId, kind: &JobKind) -> Vec<u8> {
        match self.form {
            Form::Plain if !self.typed => dialect.acknowledged(id, None),
            form => dialect.submitted(form, id, kind),
        }
    }

    pub(crate) const fn answer_form(&self) -> Form {
        self.form
    }

    /// Whether both name one place in the registry.
    pub(crate) fn is_at_the_place_of(&self, other: &Self) -> bool {
        (&self.path, &self.id) == (&other.path, &other.id)
    }

    /// The name of its kind, if it is one of the host's.
    pub(crate) fn kind_name(&self) -> Option<&str> {
        if let JobKind::Action(name) = &self.kind { Some(name) } else { None }
    }

    /// Reads a body. It may block.
    pub(crate) fn asked(&self, api: &Context, graph: &Graph, body: String) -> Result<Asked, ApiFailure> {
        let code = &self.codes.body;
        let checked = |request: JobRequest| request.checked(api, graph);
        match &self.read {
            Read::VertexFilter => {
                let asked = Asked::mode_of(&body, code)?;
                Ok(asked.with(checked(JobRequest::VertexFilter(object(body, code)?))?))
            }
            Read::EdgeFilter => {
                let asked = Asked::mode_of(&body, code)?;
                Ok(asked.with(checked(JobRequest::EdgeFilter(object(body, code)?))?))
            }
            Read::Algorithm => {
                let (request, asked) = algorithm(&body)?;
                self.mode(&asked, Dialect::default())?;
                Ok(asked.with(checked(request)?))
            }
            Read::Whole => {
                let asked = Asked::mode_of(&body, code)?;
                Ok(asked.with(JobSpec::new(self.kind.clone()).with_raw_parameters(object(body, code)?)))
            }
            Read::Own(read) => read(graph, &body),
        }
    }

    /// The mode of a request.
    pub(crate) fn mode(&self, asked: &Asked, dialect: Dialect) -> Result<Mode, ApiFailure> {
        asked.mode_in(self.modes, dialect).map_err(|why| ApiFailure::new(self.codes.mode.clone(), why))
    }

    pub(crate) fn no_graph(&self, message: String) -> ApiFailure {
        ApiFailure::new(self.codes.graph.clone(), message).in_form(self.form)
    }

    pub(crate) fn failed(&self, message: String) -> ApiFailure {
        ApiFailure::new(self.codes.failed.clone(), message).in_form(self.form)
    }
}
