//! [`Api`]: the REST surface of one engine.

use std::{fmt, sync::Arc};

use axum::{Json, Router, extract::DefaultBodyLimit, middleware, routing::get};
use job_runner::{Engine, wire::Dialect};
use tower::util::MapResponseLayer;
use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{
    action::{Actions, HostAction},
    authorizer::Authorizer,
    caches::keep_out,
    catalog::GraphCatalog,
    context::{Context, Served},
    failure::render,
    limits::{self, Limits},
    lookup::HostLookup,
    origins::{Origins, guard},
    page, routes,
    shutdown::ShutdownHandle,
};

/// Sets up the REST surface of an engine; [`router`](Self::router) is what a host mounts.
///
/// ```
/// use std::sync::Arc;
/// use job_http::{Api, Graph, GraphCatalog};
/// use job_runner::{Engine, store::MemoryStore};
///
/// #[derive(Debug)]
/// struct Host;
/// impl GraphCatalog for Host {
///     fn find(&self, project: &str, name: &str) -> Option<Graph> {
///         (name == "movies").then(|| Graph::new(format!("{project}/{name}")))
///     }
/// }
///
/// let engine = Arc::new(Engine::builder(Arc::new(MemoryStore::default())).open()?);
/// let api = Api::new(engine, Host);
/// let shutdown = api.shutdown_handle(); // `shutdown.close()` begins a graceful shutdown
/// let router: axum::Router = api.router();
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Clone)]
pub struct Api(Served);

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("dialect", &self.0.dialect)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// The surface of `engine` over the host's `graphs`. Without [`authorizer`](Self::authorizer) every client may do
    /// everything.
    #[must_use]
    pub fn new(engine: Arc<Engine>, graphs: impl GraphCatalog) -> Self {
        Self(Served {
            reader: engine.reader(),
            engine,
            graphs: Arc::new(graphs),
            actions: Actions::default(),
            lookups: Vec::new(),
            authorizer: None,
            dialect: Dialect::default(),
            limits: Limits::default(),
            origins: Origins::default(),
            shutdown: ShutdownHandle::default(),
            exports: false,
            operator: false,
            page_project: None,
        })
    }

    /// Asks `authorizer` about each request; by default every client may do everything.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.0.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Lets clients submit this action, in place of the one with its path and id. At first there are the two filters and
    /// `execute-algorithm`.
    ///
    /// If a later API does not have an action, its jobs stay: they are listed, read and cancelled as before. The engine
    /// runs those that wait as soon as it has a handler of their kind, and none before.
    #[must_use]
    pub fn action(mut self, action: HostAction) -> Self {
        self.0.actions.add(action);
        self
    }

    /// Answers this question about a graph; at first there are none. Of two at one path, the later one is answered.
    #[must_use]
    pub fn lookup(mut self, lookup: HostLookup) -> Self {
        self.0.lookups.retain(|known| known.path != lookup.path);
        self.0.lookups.push(lookup);
        self
    }

    /// Answers in this dialect; the document's by default.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.0.dialect = dialect;
        self
    }

    /// Sets the [`Limits`] of requests; their defaults hold without it.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Sets which pages of other sites may send requests, and under which names this API is reached. By default no
    /// other page may.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.0.origins = origins;
        self
    }

    /// Takes requests for exports; by default there are no such routes. The engine must have an
    /// [`Exporter`](crate::Exporter) as its handler of [`Exporter::KIND`](crate::Exporter::KIND).
    #[must_use]
    pub fn exports(mut self) -> Self {
        self.0.exports = true;
        self
    }

    /// Serves `/operator/jobs`, which lists and cancels the jobs of every graph, also of graphs that the host
    /// serves no longer. By default it is not served. These routes have no project: [`Authorizer`] is asked about
    /// [`Action::Operate`](crate::Action::Operate) with an empty one.
    #[must_use]
    pub fn operator(mut self) -> Self {
        self.0.operator = true;
        self
    }

    /// Serves a page for people at `/`, which begins with the graphs of this project.
    #[must_use]
    pub fn page(mut self, project: impl Into<String>) -> Self {
        self.0.page_project = Some(project.into());
        self
    }

    /// The handle that shuts this API down.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.0.shutdown.clone()
    }

    /// The routes, as a router that a host mounts on any server. See [`serve`](crate::serve).
    pub fn router(self) -> Router {
        let api = Context::new(self.0);
        let (served, document) = routes::all(&api).split_for_parts();
        // Types of the document always serialize.
        let document = serde_json::to_value(document).unwrap_or_default();
        let document = routes::own::described(document, &api.actions, &api.lookups);
        let mut served = served.route("/openapi.json", get(move || async move { Json(document) }));
        if api.page_project.is_some() {
            served = served.merge(page::routes());
        }
        let compression = CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Fastest);
        let (limits, dialect, cors) = (api.limits.clone(), api.dialect, api.origins.cors());
        let router = served
            .fallback(routes::nothing_here)
            .method_not_allowed_fallback(routes::wrong_method)
            .layer(DefaultBodyLimit::max(limits.body_bytes))
            .layer(middleware::from_fn_with_state(api.clone(), guard))
            .layer(middleware::from_fn_with_state(api.clone(), render))
            .layer(compression)
            .with_state(api);
        let router = limits::around(router, &limits, dialect).layer(MapResponseLayer::new(keep_out));
        match cors {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }
}
