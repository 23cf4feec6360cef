//! `GET .../jobs/{jobId}/events`: the progress of a job as server-sent events (extension).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures_util::stream;
use job_runner::JobHandle;
use tokio::{task::spawn_blocking, time::sleep};

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
    let (job, _) = api.job(&scope)?;
    let changes = api.changes.subscribe(job.id());
    job.follow();
    let watcher = Watcher { api, job, changes, last: String::new(), ended: false };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let data = watcher.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("job").data(data)), watcher))
    });
    Ok(Sse::new(events).keep_alive(axum::response::sse::KeepAlive::default()).into_response())
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
            let record = self.job.record();
            self.ended = record.state.is_complete();
            let engine = self.api.engine.clone();
            let news = spawn_blocking(move || serde_json::to_string(&Overview::of(&record, &engine)));
            let news = news.await.ok()?.ok()?;
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
}
