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
use futures_util::{FutureExt, StreamExt, stream};
use job_runner::{Changed, JobHandle, JobRecord};
use tokio::time::{Instant, sleep_until};

use crate::{
    context::Context,
    extract::{Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, JobEvent},
    overview::Overview,
};

/// The least time between two events about progress. An event about a change of state is sent at once.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// The most time between two looks at the rows so far, whose growth is no change, and between two signs of life.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Extension: the progress of a job, as server-sent events.
///
/// Each event is called `job`; its data is the answer of `explain`. There is one at once, one at every change, and a
/// last one when the job is complete; then the stream ends. A change of state is sent at once, one of progress or
/// place in the queue at most four times a second. Rows are looked at once a second. Time that passes is no change.
/// While nothing changes, a comment each second says that the stream lives.
///
/// A client that asks again with the id of the last one (`Last-Event-ID`, as browsers do) gets 204: there is nothing
/// more.
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
        Ok((job, record.state.is_complete().then(|| event_id(record.revision, None))))
    };
    let (job, last) = api.call(find).await?;
    let known = headers.get("last-event-id").map(HeaderValue::as_bytes);
    if last.is_some_and(|last| known == Some(last.as_bytes())) {
        // A browser asks again after each end of the stream, until it gets this status.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let watcher = Watcher { api, job, looked: None, told: 0, last: News::default(), ended: false };
    let news = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    });
    // The first bytes are sent at once, since proxies pass nothing to a client before they have bytes.
    let first = stream::iter([Event::default().retry(RETRY)]);
    let events =
        Sse::new(first.chain(news).map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(LOOK_EVERY));
    let mut response = events.into_response();
    let headers = response.headers_mut();
    // Events are for this client and this moment only.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Otherwise nginx buffers events.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The pause after which a client should connect again.
const RETRY: Duration = Duration::from_secs(2);

/// The id of an event. The last one has no number, so that any server knows it as the last.
fn event_id(revision: u64, number: Option<u64>) -> String {
    number.map_or_else(|| format!("{revision}.end"), |number| format!("{revision}.{number}"))
}

/// The job as this stream read it last.
struct Looked {
    at: Instant,
    revision: u64,
    /// Resolves when the job has changed since then.
    changed: Changed,
}

struct Watcher {
    api: Context,
    job: JobHandle,
    looked: Option<Looked>,
    /// The number of sent events.
    told: u64,
    last: News,
    ended: bool,
}

/// An event.
#[derive(Default)]
struct News {
    json: String,
    /// The same without times. A change of it is told.
    timeless: String,
    /// The same also without sentences, some of which have times. A change of it is told though no change was signalled.
    still: String,
}

impl Watcher {
    /// The next event of the job; `None` after its end, or when the service shuts down.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let pending = self.wait().await;
            if self.ended || self.api.shutdown.is_closed() {
                return None;
            }
            let (at, is_due) = (Instant::now(), pending.is_some());
            let changed = pending.unwrap_or_else(|| self.job.changed());
            let (record, news) = self.look().await?;
            self.looked = Some(Looked { at, revision: record.revision, changed });
            self.ended = record.state.is_complete();
            let is_new = if is_due { news.still != self.last.still } else { news.timeless != self.last.timeless };
            if is_new {
                self.told += 1;
                let id = event_id(record.revision, (!self.ended).then_some(self.told));
                let event = Event::default().event("job").id(id).data(&news.json);
                self.last = news;
                return Some(event);
            }
        }
    }

    /// Waits for a change since the last look, and for the least time between two events. If there is none until the next
    /// look is due, it returns what waits for one.
    async fn wait(&mut self) -> Option<Changed> {
        let Looked { at, revision, mut changed } = self.looked.take()?;
        if self.ended {
            return None;
        }
        tokio::select! {
            () = &mut changed => {}
            () = sleep_until(at + LOOK_EVERY) => return Some(changed),
            () = self.api.shutdown.closed() => return None,
        }
        let until = at + PROGRESS_EVERY;
        loop {
            let state = self.job.state_changed();
            let end = self.job.clone().now_or_never();
            // The engine has closed before the end of the job, so there are no more events.
            self.ended = matches!(end, Some(Err(_)));
            if end.is_some() || self.job.record().revision != revision || until <= Instant::now() {
                return None;
            }
            tokio::select! {
                () = state => {}
                () = sleep_until(until) => {}
                () = self.api.shutdown.closed() => return None,
            }
        }
    }

    /// The job's record, and its event.
    async fn look(&self) -> Option<(JobRecord, News)> {
        let job = self.job.clone();
        let look = move |_: &Context| {
            let now = job.snapshot();
            let record = now.record.clone();
            let now = Overview::from(now);
            let json = |overview: &Overview| {
                serde_json::to_string(overview).map_err(|error| ApiFailure::internal(&error))
            };
            let whole = json(&now)?;
            let now = now.without_time();
            Ok((record, News { json: whole, timeless: json(&now)?, still: json(&now.without_sentence())? }))
        };
        self.api.go_on(look).await.ok()
    }
}
