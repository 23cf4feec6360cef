//! Waiting for a job, events, explanations.

use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use job_http::Limits;
use job_runner::{Engine, JobContext, JobId, JobSpec, ManualClock, store::MemoryStore};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tokio::time::timeout;
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
    // The request is refused, or answered with the present state, whichever comes first.
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

/// A service whose algorithm `gated` sends `started` and ends when the test says so.
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

/// A cancelled job must not have 100, as if it had done all.
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
    let request = Request::get(format!("{MOVIES}/jobs/{id}/events")).body(Body::empty());
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

/// The next event of a stream.
async fn next_event(body: &mut Body) -> Value {
    let mut text = String::new();
    loop {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        text += std::str::from_utf8(&frame).unwrap();
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        if let Some(data) = data.filter(|_| text.ends_with("\n\n")) {
            return serde_json::from_str(data).unwrap();
        }
    }
}

async fn events_of(service: &Service, id: JobId) -> Body {
    let request = Request::get(format!("{MOVIES}/jobs/{id}/events")).body(Body::empty());
    service.router.clone().oneshot(request.unwrap()).await.unwrap().into_body()
}

/// The stream must not send an event four times a second only because time passes.
#[tokio::test(start_paused = true)]
async fn events_come_when_there_is_news_and_time_that_passes_is_none() {
    let (said, says) = mpsc::channel();
    let (step, steps) = mpsc::channel::<u64>();
    let steps = Mutex::new(steps);
    let clock = Arc::new(ManualClock::default());
    let engine = builder(Arc::new(MemoryStore::default()))
        .clock(Arc::<ManualClock>::clone(&clock))
        .workers(1)
        .algorithm("steps", move |ctx: &mut JobContext| {
            said.send(()).unwrap();
            for done in steps.lock().unwrap().iter() {
                ctx.set_progress(done, 9);
            }
            Ok(())
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), |api| api);
    let id = service.submit(JobSpec::algorithm("steps"));
    says.recv().unwrap();
    let mut body = events_of(&service, id).await;
    assert_eq!(next_event(&mut body).await["state"], "running");
    for done in [3, 5] {
        clock.advance(Duration::from_secs(5));
        // The test's clock advances by itself when no thread has work.
        assert!(timeout(Duration::from_mins(1), next_event(&mut body)).await.is_err(), "nothing is new");
        step.send(done).unwrap();
        assert_eq!(next_event(&mut body).await["progress"]["done"], done);
    }
    drop(step);
    assert_eq!(next_event(&mut body).await["state"], "succeeded");
    assert!(body.frame().await.is_none());
}

/// Growth of rows is no change, and is told about once a second. A stream without news says that it lives.
#[tokio::test]
async fn events_tell_of_rows_and_of_life() {
    let (said, says) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let ends = Mutex::new(ends);
    let body = move |ctx: &mut JobContext| {
        let mut rows = ctx.rows("numbers")?;
        said.send(()).unwrap();
        let pause = Duration::from_millis(10);
        for n in 0.. {
            rows.push(&n)?;
            match ends.lock().unwrap().recv_timeout(pause) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                _ => break,
            }
        }
        Ok(())
    };
    // Rows are shown after a second of a clock that goes.
    let engine = Engine::builder(Arc::new(MemoryStore::default())).workers(1).accept_any_kind();
    let service = over(Arc::new(engine.algorithm("rows", body).open().unwrap()), |api| api);
    let waiting = service.submit(JobSpec::algorithm("unknown"));
    let id = service.submit(JobSpec::algorithm("rows"));
    tokio::task::spawn_blocking(move || says.recv().unwrap()).await.unwrap();
    let mut body = events_of(&service, id).await;
    let told = async { while next_event(&mut body).await["rows"].as_u64().unwrap() == 0 {} };
    timeout(Duration::from_mins(1), told).await.unwrap();
    drop(end);
    let mut idle = events_of(&service, waiting).await;
    next_event(&mut idle).await;
    let frame = timeout(Duration::from_mins(1), idle.frame()).await.unwrap().unwrap().unwrap();
    assert!(frame.into_data().unwrap().starts_with(b":"));
}

#[tokio::test]
async fn events_tell_of_a_waiting_job_when_others_make_way() {
    let service = service();
    let (first, second) = (service.submit(JobSpec::algorithm("path")), service.submit(JobSpec::algorithm("path")));
    let mut body = events_of(&service, second).await;
    assert_eq!(next_event(&mut body).await["why"]["jobs"], 1);
    assert_eq!(service.delete(&format!("/jobs/{first}")).await.status, 200);
    assert_eq!(next_event(&mut body).await["why"]["jobs"], 0);
}

/// A stream must not stay open after its engine is gone, since no event would ever come.
#[tokio::test]
async fn events_end_when_the_engine_is_gone() {
    let service = service();
    let id = service.submit(JobSpec::algorithm("path"));
    let mut body = events_of(&service, id).await;
    assert_eq!(next_event(&mut body).await["state"], "waiting");
    let engine = Arc::clone(&service.engine);
    tokio::task::spawn_blocking(move || engine.shutdown(Duration::ZERO)).await.unwrap();
    assert!(body.collect().await.is_ok());
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
