//! [`ApiFailure`]: an error that becomes an answer in the words of the dialect.

use std::borrow::Cow;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use job_runner::{
    EngineError, InvalidParameter, JobKind, StoreError,
    store::ErrorKind,
    wire::{ApiError, Dialect, ErrorCode, Form},
};

use crate::{body::json, context::Context};

/// An answer that is an error: an HTTP status, a code of the service and a sentence.
///
/// ```
/// use job_http::ApiFailure;
///
/// let failure = ApiFailure::new("GES.8201", "labels[0] is \"usr\": it must be one of movie, user");
/// assert_eq!((failure.status().as_u16(), failure.code()), (400, "GES.8201"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiFailure {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<u32>,
    form: Form,
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

/// Writes the body of every failure.
pub(crate) async fn render(State(api): State<Context>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<ApiFailure>() {
        Some(failure) => failure.write(api.dialect),
        None => response,
    }
}

impl ApiFailure {
    pub(crate) fn write(self, dialect: Dialect) -> Response {
        let mut response = json(self.status, dialect.error_in(self.form, &self.code, &self.message));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        }
        response
    }
}
