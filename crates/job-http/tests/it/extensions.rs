//! Waiting for a job, events, explanations.

use axum::http::header;
use http_body_util::BodyExt;
use job_http::Limits;
use job_runner::{JobContext, JobSpec, store::MemoryStore};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tower::ServiceExt;

use crate::host::{MOVIES, Service, builder, over, service, with};

#[tokio::test]
async fn a_waiting_query_is_answered_when_the_job_is_complete() {
    let service = service();
    let id = service.submit(JobSpec::algorithm("path"));
    let engine = Arc::clone(&service.engine);
    let query = service.status(id, "?wait=50");
    let run = tokio::task::spawn_blocking(move || engine.driver().run_one());
    let (answer, ran) = tokio::join!(query, run);
    assert!(ran.unwrap().is_some());
    assert_eq!(answer.json()["status"], "complete");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_query_is_answered_when_its_time_is_over() {
    let service = service();
    let id = service.submit(JobSpec::algorithm("path"));
    assert_eq!(service.status(id, "?wait=50").await.body, r#"{"status":"waiting"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_not_part_of_the_time_for_an_answer() {
    let service = with(|api| api.limits(Limits::default().answer_time(Duration::from_secs(5))));
    let id = service.submit(JobSpec::algorithm("path"));
    for wait in ["?wait=50", "?offset=0&wait=049&limit=1"] {
        assert_eq!(service.status(id, wait).await.body, r#"{"status":"waiting"}"#);
    }
}

#[tokio::test]
async fn a_waiting_query_is_answered_when_the_service_shuts_down() {
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    let mut gate = None;
    let service = over(engine, |api| {
        gate = Some(api.shutdown_handle());
        api
    });
    let id = service.submit(JobSpec::algorithm("path"));
    let query = service.status(id, "?wait=50");
    let (answer, ()) = tokio::join!(query, async { gate.unwrap().close() });
    // Whichever came first: refused, or answered as it stands.
    assert!(answer.status == 503 || answer.body == r#"{"status":"waiting"}"#, "{answer:?}");
    assert_eq!(service.status(id, "").await.error().0, 503);
}

#[tokio::test]
async fn the_longest_wait_is_the_hosts() {
    let service = with(|api| api.limits(Limits::default().longest_wait(Duration::from_secs(5))));
    let id = service.run_rows(1);
    assert_eq!(service.status(id, "?wait=5").await.status, 200);
    assert_eq!(service.status(id, "?wait=6").await.error().1, "GES.8005");
}

/// A service whose algorithm `gated` says `started` and ends when told to.
fn gated() -> (Service, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (started, starts) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let ends = Mutex::new(ends);
    let engine = builder(Arc::new(MemoryStore::default()))
        .workers(1)
        .algorithm("gated", move |ctx: &mut JobContext| {
            ctx.set_progress(1, 4);
            started.send(()).unwrap();
            ends.lock().unwrap().recv().unwrap();
            Ok(())
        })
        .open()
        .unwrap();
    (over(Arc::new(engine), |api| api), starts, end)
}

/// It had 100, as if it had done all of it.
#[tokio::test]
async fn a_cancelled_job_lists_how_far_it_was() {
    let (started, starts) = mpsc::channel();
    let engine = builder(Arc::new(MemoryStore::default()))
        .workers(1)
        .algorithm("long", move |ctx: &mut JobContext| {
            ctx.set_progress(1, 50);
            started.send(()).unwrap();
            loop {
                ctx.check_stopped()?;
                std::thread::yield_now();
            }
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), |api| api);
    let id = service.submit(JobSpec::algorithm("long"));
    tokio::task::spawn_blocking(move || starts.recv().unwrap()).await.unwrap();
    let waiting = service.submit(JobSpec::algorithm("long"));
    for id in [waiting, id] {
        assert_eq!(service.delete(&format!("/jobs/{id}")).await.status, 200);
        assert_eq!(service.status(id, "?wait=50").await.error().1, "GES.8301");
    }
    let list = service.get("/jobs/status").await.json();
    assert_eq!([0, 1].map(|n| list["jobs"][n]["progress"].as_str().unwrap().to_owned()), ["0", "2"]);
    let record = service.engine.reader().record(id).unwrap().unwrap();
    assert_eq!(record.progress, Some(2), "it is stored: another process tells the same");
}

#[tokio::test]
async fn events_tell_of_a_job_until_its_end() {
    let (service, starts, end) = gated();
    let id = service.submit(JobSpec::algorithm("gated"));
    tokio::task::spawn_blocking(move || starts.recv().unwrap()).await.unwrap();
    let request = axum::http::Request::get(format!("{MOVIES}/jobs/{id}/events")).body(axum::body::Body::empty());
    let response = service.router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    let mut first = String::new();
    while !first.contains("data: ") {
        first += std::str::from_utf8(&body.frame().await.unwrap().unwrap().into_data().unwrap()).unwrap();
    }
    assert!(first.starts_with("retry: 2000\n\nevent: job\nid: "), "{first}");
    assert!(first.contains("\ndata: {\"jobId\":"), "{first}");
    assert!(first.contains(r#""state":"running""#) && first.contains(r#""done":1,"total":4"#), "{first}");
    end.send(()).unwrap();
    let rest = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    let last = rest.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains(r#""state":"succeeded""#), "{rest}");
}

#[tokio::test]
async fn an_explanation_says_why_a_job_waits() {
    let service = service();
    let first = service.submit(JobSpec::algorithm("path"));
    let second = service.submit(JobSpec::algorithm("path"));
    let nobody = service.submit(JobSpec::algorithm("unheard_of"));
    let why = async |id| service.get(&format!("/jobs/{id}/explain")).await.json()["why"].clone();
    assert_eq!(why(first).await["jobs"], 0);
    assert_eq!(
        (why(second).await["reason"].as_str(), why(second).await["jobs"].as_u64()),
        (Some("queued"), Some(1))
    );
    assert_eq!(why(nobody).await["sentence"], "it waits: no handler for unheard_of is registered in this engine");
    let overview = service.get("/jobs/overview?limit=2").await.json();
    let ids: Vec<_> = overview["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].clone()).collect();
    assert_eq!(ids, [nobody.to_string(), second.to_string()]);
}
