//! [`ApiFailure`]: an error that becomes an answer in the words of the dialect.

use std::borrow::Cow;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use job_runner::{
    EngineError, InvalidParameter, JobKind, StoreError,
    job_core::shown,
    store::ErrorKind,
    wire::{ApiError, Dialect, ErrorCode, Form, problem},
};

use crate::{
    body::json,
    context::Context,
    ending::{ENDING, Ending},
    surface::{Style, Surface},
};

/// An answer that is an error: an HTTP status, a code of the service and a sentence.
///
/// ```
/// use job_http::ApiFailure;
///
/// let failure = ApiFailure::new("GES.8201", "labels[0] is \"usr\": it must be one of movies, user");
/// assert_eq!((failure.status().as_u16(), failure.code()), (400, "GES.8201"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiFailure {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<u32>,
    form: Form,
    ending: Option<Ending>,
}

impl ApiFailure {
    /// A bad request (400) with this code and sentence.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            message: message.into(),
            retry_after: None,
            form: Form::Plain,
            ending: None,
        }
    }

    /// Sets another HTTP status.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets how the answer looks: an action in [`Form::Rows`] has its errors in that form too.
    #[must_use]
    pub const fn in_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Adds a `Retry-After` of this number of seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Says in a header how the job ended that the request is about.
    pub(crate) const fn ending(mut self, ending: Ending) -> Self {
        self.ending = Some(ending);
        self
    }

    /// A failure with a documented code and its HTTP status.
    pub(crate) fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        ApiError::new(code, message).into()
    }

    /// An unknown path: 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Resource, message)
    }

    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Parameter, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Unavailable, message).retry_after(RETRY_SECONDS)
    }

    /// An internal failure. The error is logged, and the client gets a general sentence.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request could not be answered");
        Self::of(ErrorCode::JobQueryInternal, "the service could not answer; its log says why")
    }
}

/// The seconds after which a client should try again.
pub(crate) const RETRY_SECONDS: u32 = 2;

impl From<ApiError> for ApiFailure {
    fn from(error: ApiError) -> Self {
        let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(error.code.as_str(), error.message).with_status(status)
    }
}

impl From<InvalidParameter> for ApiFailure {
    fn from(invalid: InvalidParameter) -> Self {
        ApiError::from(invalid).into()
    }
}

impl From<StoreError> for ApiFailure {
    fn from(error: StoreError) -> Self {
        match error.kind {
            ErrorKind::Unavailable => {
                tracing::warn!(%error, "the store failed for now");
                Self::unavailable("the job store cannot be read at the moment; try again later")
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<EngineError> for ApiFailure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Unhealthy(cause) => {
                tracing::warn!(error = %cause, "a request was refused: the engine is unhealthy");
                Self::unavailable("the engine is unhealthy: it takes no new jobs until its store works again")
            }
            EngineError::QueueFull { .. }
            | EngineError::ShuttingDown
            | EngineError::LeftUnfinished(_)
            | EngineError::Closed(_) => Self::unavailable(error.to_string()),
            EngineError::ThreadPanicked { .. } => Self::of(ErrorCode::Unavailable, error.to_string()),
            EngineError::KeyTaken { .. } => {
                Self::of(ErrorCode::Parameter, error.to_string()).with_status(StatusCode::CONFLICT)
            }
            EngineError::InvalidPage(invalid) => invalid.into(),
            EngineError::UnknownKind { ref kind, .. } | EngineError::Refused { ref kind, .. } => {
                let code = match kind {
                    JobKind::VertexFilter => ErrorCode::VertexCondition,
                    JobKind::EdgeFilter => ErrorCode::EdgeCondition,
                    JobKind::Algorithm(_) => ErrorCode::Algorithm,
                    JobKind::Action(_) => ErrorCode::Parameter,
                };
                Self::of(code, error.to_string())
            }
            EngineError::InvalidSpec(_) => Self::of(ErrorCode::Parameter, error.to_string()),
            EngineError::UnknownJob(id) => Dialect::default().unknown_job(&id.to_string()).into(),
            EngineError::AlreadyComplete(id) => Dialect::default().not_cancellable(&id.to_string()).into(),
            EngineError::Thread(_) => Self::internal(&error),
            _ => Self::of(ErrorCode::JobQueryInternal, error.to_string()),
        }
    }
}

/// Leaves the body empty: `render` writes it, since it knows the dialect.
impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The dialect that a request is answered in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen(pub(crate) Dialect);

/// The header by which a client chooses the dialect, where the surface allows it.
const DIALECT: HeaderName = HeaderName::from_static("x-job-dialect");

/// Writes the body of every failure, in the dialect that the client has chosen.
pub(crate) async fn render(State(api): State<Context>, request: Request, next: Next) -> Response {
    rendered(&api, request, |request| next.run(request)).await
}

/// The answer, with the body of a failure in the dialect that the client has chosen.
pub(crate) async fn rendered<F: Future<Output = Response>>(
    api: &Context,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let surface = &api.surface;
    let dialect = match chosen(surface, request.headers()) {
        Ok(chosen) => chosen.unwrap_or(api.dialect),
        Err(failure) => return failure.write(surface, api.dialect),
    };
    request.extensions_mut().insert(Chosen(dialect));
    let mut response = answer(request).await;
    if let Some(failure) = response.extensions_mut().remove::<ApiFailure>() {
        response = failure.write(surface, dialect);
    }
    if surface.is_by_header() {
        response.headers_mut().append(header::VARY, HeaderValue::from_name(DIALECT));
    }
    response
}

fn chosen(surface: &Surface, headers: &HeaderMap) -> Result<Option<Dialect>, ApiFailure> {
    let Some(given) = headers.get(DIALECT).filter(|_| surface.is_by_header()) else { return Ok(None) };
    let text = String::from_utf8_lossy(given.as_bytes());
    let dialect = Dialect::named(&text).ok_or_else(|| {
        let names = Dialect::ALL.map(Dialect::name).join(", ");
        ApiFailure::parameter(format!("header X-Job-Dialect is {}: it must be one of {names}", shown(&text)))
    })?;
    Ok(Some(dialect))
}

impl ApiFailure {
    pub(crate) fn write(self, surface: &Surface, dialect: Dialect) -> Response {
        let mut response = match surface.style() {
            Style::Service => {
                json(self.status, dialect.error_in(self.form, surface.code(&self.code), &self.message))
            }
            Style::Neutral => self.problem(surface),
        };
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(ending) = self.ending {
            headers.insert(ENDING, ending.value());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        }
        response
    }

    /// The answer as problem details (RFC 9457).
    fn problem(&self, surface: &Surface) -> Response {
        let known = ErrorCode::sent_as(&self.code);
        // A status that was set on purpose stays.
        let plain = known.filter(|code| code.http_status() == self.status.as_u16()).map(ErrorCode::plain_status);
        let status = plain.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(self.status);
        let title = status.canonical_reason().unwrap_or("Error");
        let body = problem(status.as_u16(), title, surface.code(&self.code), &self.message);
        let mut response = json(status, body);
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
