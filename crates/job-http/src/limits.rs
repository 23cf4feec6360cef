//! [`Limits`]: bounds on requests.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    BoxError, Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::Request,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use job_runner::wire::ErrorCode;
use tokio::sync::Semaphore;
use tower::{
    ServiceBuilder, ServiceExt,
    buffer::BufferLayer,
    limit::{GlobalConcurrencyLimitLayer, RateLimitLayer},
    load_shed::LoadShedLayer,
    util::BoxCloneSyncService,
};

use crate::{context::Context, failure::ApiFailure, patience::Patience};

/// Bounds on requests. Each has a default.
///
/// ```
/// use std::time::Duration;
/// use job_http::Limits;
///
/// let limits = Limits::default().body_bytes(64 << 10).requests(500, Duration::from_secs(1)).concurrent(256);
/// assert_ne!(limits, Limits::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub(crate) body_bytes: usize,
    pub(crate) answer_time: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) sync_time: Duration,
    pub(crate) store_calls: usize,
    pub(crate) concurrent: Option<usize>,
    pub(crate) rate: Option<(u64, Duration)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            answer_time: Duration::from_secs(30),
            longest_wait: Duration::from_secs(50),
            sync_time: Duration::from_secs(30),
            store_calls: 64,
            concurrent: None,
            rate: None,
        }
    }
}

impl Limits {
    /// The longest body of a request, in bytes; 1 MiB by default. A longer one is answered with 413.
    #[must_use]
    pub const fn body_bytes(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// The longest time until an answer begins, besides the `wait` of the request; 30 s by default. After it the
    /// answer is 503. Sending a page may take any time, since it holds no thread.
    #[must_use]
    pub const fn answer_time(mut self, time: Duration) -> Self {
        self.answer_time = time;
        self
    }

    /// The longest `wait` of a status query; 50 s by default. It should be shorter than the time-out of proxies,
    /// which is commonly 60 s.
    #[must_use]
    pub const fn longest_wait(mut self, time: Duration) -> Self {
        self.longest_wait = time;
        self
    }

    /// The longest time that a synchronous submission waits for the end of its job; 30 s by default. After it the answer
    /// is the id of the job, which goes on. The time comes on top of [`answer_time`](Self::answer_time).
    #[must_use]
    pub const fn sync_time(mut self, time: Duration) -> Self {
        self.sync_time = time;
        self
    }

    /// The most calls to the engine's store at once; 64 by default, at least 1. Each holds a blocking thread of
    /// the runtime until it ends, even if its request is dropped. A request that finds no place within 50 ms gets
    /// 503 with `Retry-After`; a page that is being sent waits for one. So a store that does not answer costs the
    /// host these threads, and delays no other route.
    #[must_use]
    pub const fn store_calls(mut self, calls: usize) -> Self {
        self.store_calls = calls;
        self
    }

    /// The most requests that are answered at once; no limit by default. Further ones get 503 with `Retry-After`.
    /// A query that waits for its job counts.
    #[must_use]
    pub const fn concurrent(mut self, requests: usize) -> Self {
        self.concurrent = Some(requests);
        self
    }

    /// The most requests in each period `per`; no limit by default. Further ones get 503 with `Retry-After`. With
    /// this limit the router must be made inside a tokio runtime.
    #[must_use]
    pub const fn requests(mut self, number: u64, per: Duration) -> Self {
        self.rate = Some((number, per));
        self
    }
}

/// The most requests that wait to be counted for the rate.
const WAITING: usize = 1_024;

/// Adds the limits to the routes. Each holds for all routes together.
pub(crate) fn around(router: Router, api: &Context) -> Router {
    let (limits, dialect) = (&api.limits, api.dialect);
    if (limits.concurrent, limits.rate) == (None, None) {
        return router;
    }
    let surface = Arc::clone(&api.surface);
    let refuse = HandleErrorLayer::new(move |error: BoxError| {
        let failure = refused(&error).write(&surface, dialect);
        async move { failure }
    });
    let mut service = boxed(router.into_service::<Body>());
    if let Some(number) = limits.concurrent {
        let one_limit = GlobalConcurrencyLimitLayer::new(number.min(Semaphore::MAX_PERMITS));
        let layers = ServiceBuilder::new().layer(refuse.clone()).layer(LoadShedLayer::new()).layer(one_limit);
        service = boxed(layers.service(service));
    }
    if let Some((number, per)) = limits.rate {
        // The buffer makes it one limit for all connections; without it each connection would have its own.
        let one_limit = RateLimitLayer::new(number.max(1), per);
        let layers = ServiceBuilder::new()
            .layer(refuse)
            .layer(LoadShedLayer::new())
            .layer(BufferLayer::new(WAITING))
            .layer(LoadShedLayer::new())
            .layer(one_limit);
        service = boxed(layers.service(service));
    }
    Router::new().fallback_service(service)
}

/// The answer, or a failure if it takes longer than it may.
pub(crate) async fn in_time<F: Future<Output = Response>>(
    api: &Context,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let limits = &api.limits;
    let time = limits.answer_time.saturating_add(asked_wait(request.uri(), limits.longest_wait));
    let patience = Patience::new(time);
    request.extensions_mut().insert(patience.clone());
    patience.wait(answer(request)).await.unwrap_or_else(|| {
        ApiFailure::unavailable("the answer took too long; try again later").write(&api.surface, api.dialect)
    })
}

/// The `wait` of a request, at most the longest one; 0 without it.
fn asked_wait(uri: &Uri, longest: Duration) -> Duration {
    let waits = uri.query().unwrap_or_default().split('&').filter_map(|field| field.strip_prefix("wait="));
    let seconds = waits.filter_map(|seconds| seconds.parse().ok()).max().unwrap_or(0);
    Duration::from_secs(seconds).min(longest)
}

type Limited = BoxCloneSyncService<Request, Response, Infallible>;

fn boxed<S>(service: S) -> Limited
where
    S: tower::Service<Request, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
{
    BoxCloneSyncService::new(service.map_response(IntoResponse::into_response))
}

fn refused(error: &BoxError) -> ApiFailure {
    tracing::debug!(%error, "a request was refused");
    ApiFailure::unavailable("the service has as many requests as it may take; try again later")
}

/// The answer to a body that is too long.
pub(crate) fn too_long(limit: usize) -> ApiFailure {
    ApiFailure::of(ErrorCode::ParameterFormat, format!("the body is too long: at most {limit} bytes are allowed"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
