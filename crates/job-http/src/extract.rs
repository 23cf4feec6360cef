//! The inputs of handlers: an authorized request, its parameters, its body.

use std::{convert::Infallible, error::Error, marker::PhantomData};

use axum::{
    body::HttpBody,
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
};
use bytes::Bytes;
use job_runner::{
    job_core::shown,
    wire::{Dialect, ErrorCode},
};
use serde::de::DeserializeOwned;

use crate::{
    authorizer::{Action, Denied},
    catalog::Graph,
    context::Context,
    failure::{ApiFailure, Chosen},
    limits,
    serve::bodies::TooSlow,
};

/// The action of a handler as a type, so that every handler names one.
pub(crate) trait Operation {
    const ACTION: Action;

    /// The answer about a graph that is not there.
    fn no_graph(dialect: Dialect, name: &str, message: String) -> ApiFailure {
        let _ = (dialect, name);
        ApiFailure::not_found(message)
    }
}

macro_rules! operations {
    ($($name:ident => $action:ident;)*) => {$(
        pub(crate) struct $name;
        impl Operation for $name {
            const ACTION: Action = Action::$action;
        }
    )*};
}

operations! {
    Read => Read;
    Cancel => Cancel;
    Operate => Operate;
    Observe => Observe;
    Submit => Submit;
}

pub(crate) struct List;

impl Operation for List {
    const ACTION: Action = Action::List;

    fn no_graph(dialect: Dialect, name: &str, message: String) -> ApiFailure {
        dialect.no_graph_to_list(name).map_or_else(|| ApiFailure::not_found(message), ApiFailure::from)
    }
}

pub(crate) struct Export;

impl Operation for Export {
    const ACTION: Action = Action::Export;

    fn no_graph(_: Dialect, _: &str, message: String) -> ApiFailure {
        ApiFailure::of(ErrorCode::Export, message)
    }
}

/// The API in the dialect that the client has chosen.
pub(crate) struct Here(pub(crate) Context);

impl FromRequestParts<Context> for Here {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Context) -> Result<Self, Infallible> {
        Ok(Self(api.in_dialect(chosen(parts, api))))
    }
}

fn chosen(parts: &Parts, api: &Context) -> Dialect {
    parts.extensions.get::<Chosen>().map_or(api.dialect, |chosen| chosen.0)
}

/// An authorized request: its project, its graph and, if the path has one, its job.
pub(crate) struct Scope<A> {
    pub(crate) graph: Graph,
    /// The name of the graph in the request.
    pub(crate) name: String,
    pub(crate) job: String,
    action: PhantomData<fn() -> A>,
}

impl<A: Operation> FromRequestParts<Context> for Scope<A> {
    type Rejection = ApiFailure;

    async fn from_request_parts(parts: &mut Parts, api: &Context) -> Result<Self, ApiFailure> {
        let project = Project::<A>::from_request_parts(parts, api).await?;
        let graph = project.find_graph(api);
        let graph = graph.map_err(|message| A::no_graph(chosen(parts, api), &project.graph, message))?;
        Ok(Self { graph, name: project.graph, job: project.job, action: PhantomData })
    }
}

/// As [`Scope`], without a graph.
pub(crate) struct Project<A> {
    /// Empty if the path has none.
    pub(crate) name: String,
    graph: String,
    pub(crate) job: String,
    action: PhantomData<fn() -> A>,
}

impl<A> Project<A> {
    /// The graph in the path.
    ///
    /// # Errors
    /// The sentence about a graph that is not there.
    pub(crate) fn find_graph(&self, api: &Context) -> Result<Graph, String> {
        let found = api.graphs.find(&self.name, &self.graph);
        found.ok_or_else(|| format!("graph [{}] is not found", shown(&self.graph)))
    }
}

impl<A: Operation> FromRequestParts<Context> for Project<A> {
    type Rejection = ApiFailure;

    async fn from_request_parts(parts: &mut Parts, api: &Context) -> Result<Self, ApiFailure> {
        if api.shutdown.is_closed() {
            return Err(ApiFailure::unavailable("the service is shutting down"));
        }
        let (mut name, mut graph) = (String::new(), String::new());
        if A::ACTION != Action::Operate {
            api.surface.project().clone_into(&mut name);
            api.surface.graph().unwrap_or_default().clone_into(&mut graph);
        }
        let mut project = Self { name, graph, job: String::new(), action: PhantomData };
        let path = RawPathParams::from_request_parts(parts, api).await;
        let path = path.map_err(|_| ApiFailure::of(ErrorCode::ParameterFormat, "the path is not UTF-8"))?;
        for (name, value) in &path {
            let field = match name {
                "projectId" => &mut project.name,
                "graphName" => &mut project.graph,
                _ => &mut project.job,
            };
            value.clone_into(field);
        }
        if let Some(authorizer) = &api.authorizer {
            authorizer.check(parts, &project.name, A::ACTION).await?;
        }
        Ok(project)
    }
}

impl From<Denied> for ApiFailure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated(why) => Self::of(ErrorCode::Token, why),
            Denied::Forbidden(why) => Self::of(ErrorCode::Forbidden, why),
        }
    }
}

/// The parameters behind the `?`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Context> for Params<T> {
    type Rejection = ApiFailure;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, ApiFailure> {
        given_once(&parts.uri)?;
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => {
                tracing::debug!(%error, "the parameters of a request could not be read");
                Err(ApiFailure::parameter("the parameters behind the ? cannot be read: give them as name=value"))
            }
        }
    }
}

/// The error about a body that could not be read.
fn unread(error: &(dyn Error + 'static)) -> ApiFailure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(slow) = error.downcast_ref::<TooSlow>() {
            return ApiFailure::of(ErrorCode::ParameterFormat, slow.to_string())
                .with_status(StatusCode::REQUEST_TIMEOUT);
        }
        cause = error.source();
    }
    ApiFailure::of(ErrorCode::ParameterFormat, "the body could not be read")
}

/// Refuses a parameter that is given twice, also an unknown one: either of the two values could be meant.
fn given_once(uri: &Uri) -> Result<(), ApiFailure> {
    let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Ok(()) };
    let mut names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.iter().zip(names.iter().skip(1)).find(|(name, next)| name == next) {
        Some((name, _)) => {
            Err(ApiFailure::parameter(format!("parameter {} is given twice: give it once", shown(name))))
        }
        None => Ok(()),
    }
}

/// The body as text, which may or may not be JSON.
pub(crate) struct Text(pub(crate) String);

impl FromRequest<Context> for Text {
    type Rejection = ApiFailure;

    async fn from_request(request: Request, api: &Context) -> Result<Self, ApiFailure> {
        let limit = api.limits.body_bytes;
        not_encoded(request.headers())?;
        // The length is refused before the body is sent: a client may wait for `100 Continue`.
        if usize::try_from(request.body().size_hint().lower()).map_or(true, |length| length > limit) {
            return Err(limits::too_long(limit));
        }
        let bytes = Bytes::from_request(request, api).await.map_err(|rejected| match rejected.status() {
            StatusCode::PAYLOAD_TOO_LARGE => limits::too_long(limit),
            _ => unread(&rejected),
        })?;
        match String::from_utf8(bytes.into()) {
            Ok(text) => Ok(Self(without_mark(text))),
            Err(_) => Err(ApiFailure::of(ErrorCode::ParameterFormat, "the body is not UTF-8")),
        }
    }
}

/// Refuses an encoded body, such as a compressed one.
fn not_encoded(headers: &HeaderMap) -> Result<(), ApiFailure> {
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    match headers.get_all(header::CONTENT_ENCODING).iter().find(|value| !is_plain(value)) {
        None => Ok(()),
        Some(value) => {
            let encoding = String::from_utf8_lossy(value.as_bytes());
            let why = format!("the body has the Content-Encoding {}: it must be sent as it is", shown(&encoding));
            Err(ApiFailure::of(ErrorCode::ParameterFormat, why).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
        }
    }
}

/// Removes a byte order mark, which some editors and programs put before a text. It is not part of the JSON.
fn without_mark(mut text: String) -> String {
    const MARK: char = '\u{feff}';
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    text
}
