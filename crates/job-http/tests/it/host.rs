//! A host with two projects, an engine without threads of its own, and a client.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt;
use job_http::{Api, ApiFailure, Graph, GraphCatalog, JobRequest};
use job_runner::{
    Engine, EngineBuilder, JobContext, JobError, JobId, JobSpec, ManualClock, Timestamp,
    store::{MemoryStore, Store},
};
use serde_json::{Value, json};
use tower::ServiceExt;

/// The projects `demo` and `other` each have a graph `movies`.
#[derive(Debug)]
pub(crate) struct Host;

impl GraphCatalog for Host {
    fn find(&self, project: &str, name: &str) -> Option<Graph> {
        (["demo", "other"].contains(&project) && name == "movies")
            .then(|| Graph::new(format!("{project}/{name}")).version("1"))
    }

    fn names(&self, project: &str) -> Vec<String> {
        if self.find(project, "movies").is_some() { vec!["movies".to_owned()] } else { Vec::new() }
    }

    fn check(&self, graph: &Graph, request: &JobRequest) -> Result<JobSpec, ApiFailure> {
        match request {
            JobRequest::Algorithm { name, .. } if name == "nonsense" => {
                Err(ApiFailure::new("GES.8402", "algorithm nonsense is unknown"))
            }
            request => Ok(request.spec(graph)),
        }
    }
}

/// Row `n` of every list: some 160 bytes of JSON.
pub(crate) fn row(n: u64) -> Value {
    json!({"id": format!("v{n}"), "label": "user", "properties": {"Age": ["18-24"], "Name": ["莎拉".repeat(16)]}})
}

/// An engine that also takes jobs that nothing runs: they wait for ever.
pub(crate) fn builder(store: Arc<dyn Store>) -> EngineBuilder {
    strict_builder(store).accept_any_kind()
}

pub(crate) fn strict_builder(store: Arc<dyn Store>) -> EngineBuilder {
    let clock = ManualClock::default();
    clock.set(Timestamp::from_micros(1_716_458_040_000_000));
    Engine::builder(store)
        .manual()
        .clock(Arc::new(clock))
        .vertex_filter(|ctx: &mut JobContext| rows(ctx, "vertices"))
        .edge_filter(|ctx: &mut JobContext| rows(ctx, "edges"))
        .algorithm("path", |ctx: &mut JobContext| {
            ctx.set_output("path", &["46", "133", "130", "78"])?;
            ctx.set_output("source", "46")?;
            ctx.set_output("target", "78")?;
            Ok(())
        })
        .algorithm("shortest_path", |_: &mut JobContext| Err(JobError::failed("parameter [source] is invalid")))
}

/// Writes the number of rows in the parameter `rows`, 2 by default.
fn rows(ctx: &mut JobContext, list: &str) -> Result<(), JobError> {
    let parameters: Value = ctx.spec().parameters().read()?;
    let mut rows = ctx.rows(list)?;
    for n in 0..parameters["rows"].as_u64().unwrap_or(2) {
        rows.push(&row(n))?;
    }
    Ok(())
}

/// An engine, its HTTP API, and a client of that API.
pub(crate) struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) router: Router,
}

pub(crate) fn service() -> Service {
    with(|api| api)
}

/// A service whose API has further settings by `set`.
pub(crate) fn with(set: impl FnOnce(Api) -> Api) -> Service {
    over(Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap()), set)
}

pub(crate) fn over(engine: Arc<Engine>, set: impl FnOnce(Api) -> Api) -> Service {
    let router = set(Api::new(Arc::clone(&engine), Host)).router();
    Service { engine, router }
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.into()).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status, code and sentence of an error.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text("errorCode"), text("errorMessage"))
    }
}

pub(crate) const MOVIES: &str = "/ges/v1.0/demo/graphs/movies";

impl Service {
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(format!("{MOVIES}{path}")).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(format!("{MOVIES}{path}")).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(Method::POST).uri(format!("{MOVIES}{path}"));
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn status(&self, id: JobId, query: &str) -> Answer {
        self.get(&format!("/jobs/{id}/status{query}")).await
    }

    /// A job of `demo` that has not run.
    pub(crate) fn submit(&self, spec: JobSpec) -> JobId {
        self.engine.submit(spec.with_graph("demo/movies")).unwrap().id()
    }

    /// A job of `demo` that has run.
    pub(crate) fn run(&self, spec: JobSpec) -> JobId {
        let id = self.submit(spec);
        self.engine.driver().run_until_idle();
        id
    }

    /// A vertex filter that has left this number of rows.
    pub(crate) fn run_rows(&self, rows: u64) -> JobId {
        self.run(JobSpec::vertex_filter().with_parameters(&json!({"rows": rows})).unwrap())
    }
}
