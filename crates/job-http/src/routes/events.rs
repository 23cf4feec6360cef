//! `GET .../jobs/{jobId}/events`: the progress of a job as server-sent events (extension).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{StreamExt, stream};
use job_runner::{JobHandle, JobRecord};
use tokio::time::sleep;

use crate::{
    changes::OneJob,
    context::Context,
    extract::{Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, JobEvent},
    overview::Overview,
};

/// How often progress is looked at. A change of state is told at once.
const TICK: Duration = Duration::from_millis(250);

/// Extension: the progress of a job, as server-sent events.
///
/// Each event is called `job`; its data is what `explain` answers. There is one at once, one at every change, and
/// a last one when the job is complete; then the stream ends. A client that asks again with the id of the last one
/// (`Last-Event-ID`, as browsers do) gets 204: there is nothing more.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/events",
    operation_id = "watchJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses(
        (status = 200, description = "Events until the job is complete.", body = JobEvent, content_type = "text/event-stream"),
        (status = 204, description = "The client has the last event (`Last-Event-ID`)."),
        Failures
    )
)]
pub(crate) async fn events(
    State(api): State<Context>,
    scope: Scope<Read>,
    headers: HeaderMap,
) -> Result<Response, ApiFailure> {
    let find = move |api: &Context| {
        let (job, record) = api.job(&scope)?;
        job.follow();
        Ok((job, record.state.is_complete().then(|| event_id(record.revision, None))))
    };
    let (job, last) = api.call(find).await?;
    let known = headers.get("last-event-id").map(HeaderValue::as_bytes);
    if last.is_some_and(|last| known == Some(last.as_bytes())) {
        // A browser asks again after each end, until it is told that there is nothing more.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let changes = api.changes.subscribe(job.id());
    let watcher = Watcher { api, job, changes, told: 0, last: String::new(), ended: false };
    let news = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    });
    // Something at once: proxies show a client nothing before the first byte.
    let first = stream::iter([Event::default().retry(RETRY)]);
    let events = Sse::new(first.chain(news).map(Ok::<_, Infallible>)).keep_alive(KeepAlive::default());
    let mut response = events.into_response();
    let headers = response.headers_mut();
    // Events of a job are of no use to anybody else, or later.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Or nginx would gather events before it passes them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// How long a client should wait before it asks again after the stream was cut.
const RETRY: Duration = Duration::from_secs(2);

/// The id of an event: the last one has no number, so that it is known wherever the client asks next.
fn event_id(revision: u64, number: Option<u64>) -> String {
    number.map_or_else(|| format!("{revision}.end"), |number| format!("{revision}.{number}"))
}

struct Watcher {
    api: Context,
    job: JobHandle,
    changes: OneJob,
    /// How many events there were.
    told: u64,
    last: String,
    ended: bool,
}

impl Watcher {
    /// The next news about the job; `None` after its end, or when the service shuts down.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.ended || self.api.shutdown.is_closed() {
                return None;
            }
            let (record, news) = self.look().await?;
            self.ended = record.state.is_complete();
            if news != self.last {
                self.told += 1;
                let id = event_id(record.revision, (!self.ended).then_some(self.told));
                let event = Event::default().event("job").id(id).data(&news);
                self.last = news;
                return Some(event);
            }
            tokio::select! {
                () = self.changes.next() => {}
                () = sleep(TICK) => {}
                () = self.api.shutdown.closed() => {}
            }
        }
    }

    /// The job, and all there is to say about it.
    async fn look(&self) -> Option<(JobRecord, String)> {
        let job = self.job.clone();
        let look = move |_: &Context| {
            let now = job.snapshot();
            let record = now.record.clone();
            let news = serde_json::to_string(&Overview::from(now));
            Ok((record, news.map_err(|error| ApiFailure::internal(&error))?))
        };
        self.api.go_on(look).await.ok()
    }
}
