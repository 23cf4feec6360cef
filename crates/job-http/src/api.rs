//! [`Api`]: the REST surface of one engine.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use job_runner::{Engine, wire::Dialect};
use serde_json::Value;
use tower::{ServiceBuilder, util::MapResponseLayer};
use tower_http::{CompressionLevel, compression::CompressionLayer};
use utoipa::openapi::OpenApi;

use crate::{
    action::{Actions, HostAction},
    authorizer::Authorizer,
    caches::keep_out,
    catalog::GraphCatalog,
    context::{Context, Served},
    document,
    failure::{render, rendered},
    kinds,
    limits::{self, Limits},
    lookup::HostLookup,
    origins::{self, Origins},
    page, routes,
    shutdown::ShutdownHandle,
    surface::Surface,
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
            .field("dialect", &self.0.default_dialect)
            .field("surfaces", &self.0.surfaces)
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
            default_dialect: Dialect::default(),
            surfaces: vec![Surface::service()],
            limits: Limits::default(),
            origins: Origins::default(),
            shutdown: ShutdownHandle::default(),
            exports: false,
            operator: false,
            page_project: None,
            metrics: None,
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
        self.0.default_dialect = dialect;
        self
    }

    /// Answers on these surfaces; by default on that of the [`service`](Surface::service) alone. The first one has the
    /// words of errors about paths that no surface has. The page for people needs that of the service. With no surface,
    /// the default stays.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use job_http::{Api, Graph, GraphCatalog, Surface};
    /// # use job_runner::{Engine, store::MemoryStore};
    /// # #[derive(Debug)]
    /// # struct Host;
    /// # impl GraphCatalog for Host {
    /// #     fn find(&self, _: &str, _: &str) -> Option<Graph> { None }
    /// # }
    /// # let engine = Arc::new(Engine::builder(Arc::new(MemoryStore::default())).open()?);
    /// let neutral = Surface::builder().prefix("/v1").neutral().build()?;
    /// let router = Api::new(engine, Host).surfaces([Surface::service(), neutral]).router();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn surfaces(mut self, surfaces: impl IntoIterator<Item = Surface>) -> Self {
        let surfaces: Vec<Surface> = surfaces.into_iter().collect();
        if !surfaces.is_empty() {
            self.0.surfaces = surfaces;
        }
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

    /// Serves `/metrics` with the text that `render` returns, in the form of Prometheus. By default it is not served.
    ///
    /// A process has one recorder of the `metrics` crate, and it counts the host's figures too. So the host installs it,
    /// and this crate installs none. `render` may take long: it runs on a blocking thread.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use job_http::{Api, Graph, GraphCatalog};
    /// # use job_runner::{Engine, store::MemoryStore};
    /// # #[derive(Debug)]
    /// # struct Host;
    /// # impl GraphCatalog for Host {
    /// #     fn find(&self, _: &str, _: &str) -> Option<Graph> { None }
    /// # }
    /// // Before the engine is opened, since it looks its counters up once.
    /// let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    /// let engine = Arc::new(Engine::builder(Arc::new(MemoryStore::default())).open()?);
    /// let api = Api::new(engine, Host).metrics(move || recorder.render());
    /// # drop(api);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.0.metrics = Some(Arc::new(render));
        self
    }

    /// The handle that shuts this API down.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.0.shutdown.clone()
    }

    /// The routes, as a router that a host mounts on any server. See [`serve`](crate::serve).
    ///
    /// # Panics
    /// If two surfaces, or an action of the host, have the same path.
    pub fn router(self) -> Router {
        let api = Context::new(self.0);
        let (beside, document) = routes::beside(&api);
        let (mut served, mut documents) = (beside.with_state(api.clone()), vec![value(document)]);
        for surface in api.surfaces.clone() {
            let own = api.on(surface);
            let (router, document) = routes::of_surface(&own);
            documents.push(document::of_surface(value(document), &own));
            // Failures are written here, in the words of the surface.
            let router = router
                .method_not_allowed_fallback(routes::wrong_method)
                .layer(middleware::from_fn_with_state(own.clone(), render))
                .with_state(own);
            served = served.merge(router);
        }
        let mut document = document::merged(documents);
        kinds::describe(&mut document, &api.engine);
        let document = Arc::new(document);
        served = served.route("/openapi.json", get(move || async move { Json(&*document).into_response() }));
        if api.page_project.is_some() {
            served = served.merge(page::routes().with_state(api.clone()));
        }
        let compression = CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Fastest);
        let router = served
            .fallback(routes::nothing_here)
            .method_not_allowed_fallback(routes::wrong_method)
            // In one layer: each layer of a router is boxed by itself, and that is most of the cost of a short answer.
            .layer(
                ServiceBuilder::new()
                    .layer(compression)
                    .layer(middleware::from_fn_with_state(api.clone(), receive))
                    .layer(DefaultBodyLimit::max(api.limits.body_bytes)),
            );
        let router = limits::around(router, &api).layer(MapResponseLayer::new(keep_out));
        match api.origins.cors() {
            Some(cors) => router.layer(cors),
            None => router,
        }
    }
}

/// The way of every request: it is answered in time, a failure gets its body, and pages of other sites are refused.
async fn receive(State(api): State<Context>, request: Request, next: Next) -> Response {
    let checked = |request| async {
        match origins::check(&api.origins, &request) {
            Ok(()) => next.run(request).await,
            Err(failure) => failure.into_response(),
        }
    };
    limits::in_time(&api, request, |request| rendered(&api, request, checked)).await
}

/// A document as JSON. Its types always serialize.
fn value(document: OpenApi) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}
