//! `GET .../jobs/{jobId}/events`: the progress of a job as server-sent events (extension).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use job_runner::JobHandle;
use tokio::time::sleep;

use crate::{
    changes::OneJob,
    context::Context,
    extract::{Read, Scope},
    failure::Failure,
    openapi::{Failures, JobEvent},
    overview::Overview,
};

/// How often progress is looked at. A change of state is told at once.
const TICK: Duration = Duration::from_millis(250);

/// Extension: the progress of a job, as server-sent events.
///
/// Each event is called `job`; its data is what `explain` answers. There is one at once, one at every change, and
/// a last one when the job is complete; then the stream ends.
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
        Failures
    )
)]
pub(crate) async fn events(State(api): State<Context>, scope: Scope<Read>) -> Result<Response, Failure> {
    let find = move |api: &Context| {
        let (job, _) = api.job(&scope)?;
        job.follow();
        Ok(job)
    };
    let job = api.call(find).await?;
    let changes = api.changes.subscribe(job.id());
    let watcher = Watcher { api, job, changes, last: String::new(), ended: false };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let data = watcher.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("job").data(data)), watcher))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    // What was said of a job is of no use to anybody else, or later.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Watcher {
    api: Context,
    job: JobHandle,
    changes: OneJob,
    last: String,
    ended: bool,
}

impl Watcher {
    /// The next news about the job; `None` after its end, or when the service shuts down.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.ended || self.api.gate.is_closed() {
                return None;
            }
            let news;
            (self.ended, news) = self.look().await?;
            if news != self.last {
                self.last.clone_from(&news);
                return Some(news);
            }
            tokio::select! {
                () = self.changes.next() => {}
                () = sleep(TICK) => {}
                () = self.api.gate.closed() => {}
            }
        }
    }

    /// Whether the job has ended, and all there is to say about it.
    async fn look(&self) -> Option<(bool, String)> {
        let job = self.job.clone();
        let look = move |api: &Context| {
            let record = job.record();
            let news = serde_json::to_string(&Overview::of(&record, &api.engine));
            Ok((record.state.is_complete(), news.map_err(|error| Failure::internal(&error))?))
        };
        self.api.go_on(look).await.ok()
    }
}
