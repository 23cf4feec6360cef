//! An operator lists and cancels jobs of every graph.

use std::sync::{Arc, Mutex, mpsc};

use axum::{
    body::Body,
    http::{Method, Request, request::Parts},
};
use job_http::{Action, Api, Denied};
use job_runner::{JobContext, JobId, JobSpec, JobState, Outcome, store::MemoryStore};
use serde_json::{Value, json};

use crate::host::{Answer, Service, builder, over, service, with};

async fn operator(service: &Service, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(format!("/operator/jobs{path}"));
    service.send(request.body(Body::empty()).unwrap()).await
}

/// A job of a graph that the host does not serve, or serves no longer.
fn left_behind(service: &Service, spec: JobSpec) -> JobId {
    service.engine.submit(spec.with_graph("demo/films")).unwrap().id()
}

fn ids(list: &Value) -> Vec<String> {
    list["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect()
}

/// Without these routes, no client could see or end jobs of a graph that is not served.
#[tokio::test]
async fn jobs_of_a_graph_that_is_served_no_longer_are_listed_and_cancelled_by_an_operator() {
    let (started, starts) = mpsc::channel();
    let started = Mutex::new(started);
    let engine = builder(Arc::new(MemoryStore::default()))
        .workers(1)
        .algorithm("long", move |ctx: &mut JobContext| {
            ctx.set_progress(1, 4);
            started.lock().unwrap().send(()).unwrap();
            loop {
                ctx.check_stopped()?;
                std::thread::yield_now();
            }
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), Api::operator);
    let running = left_behind(&service, JobSpec::algorithm("long"));
    tokio::task::spawn_blocking(move || starts.recv().unwrap()).await.unwrap();
    let waiting = left_behind(&service, JobSpec::algorithm("long"));
    let nobodys = left_behind(&service, JobSpec::algorithm("unheard_of"));
    let served = service.submit(JobSpec::vertex_filter());
    let gone = Request::get("/ges/v1.0/demo/graphs/films/jobs/status").body(Body::empty()).unwrap();
    assert_eq!(service.send(gone).await.status, 404);

    let list = operator(&service, Method::GET, "").await.json();
    assert_eq!(ids(&list), [served, nobodys, waiting, running].map(|id| id.to_string()));
    let graphs: Vec<&str> = (0..4).map(|n| list["jobs"][n]["graph"].as_str().unwrap()).collect();
    assert_eq!(graphs, ["demo/movies", "demo/films", "demo/films", "demo/films"]);
    assert_eq!(list["jobs"][1]["why"]["reason"], "noHandler");
    assert_eq!((&list["jobs"][3]["state"], &list["jobs"][3]["progress"]["done"]), (&json!("running"), &json!(1)));
    for id in [nobodys, waiting, running] {
        let answer = operator(&service, Method::DELETE, &format!("/{id}")).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"));
        let ended = service.engine.job(id).unwrap().unwrap();
        let ended = tokio::task::spawn_blocking(move || ended.wait().unwrap()).await.unwrap();
        assert_eq!(ended.state, JobState::Complete(Outcome::Cancelled));
    }
    let again = operator(&service, Method::DELETE, &format!("/{nobodys}")).await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (200, "{}"), "it is cancelled already");
    let ended = service.engine.job(served).unwrap().unwrap();
    tokio::task::spawn_blocking(move || ended.wait().unwrap()).await.unwrap();
    for id in [served.to_string(), "1".to_owned(), "018bcfe5-6800-7000-8000-000000000000".to_owned()] {
        let expected = (400, "GES.8303".to_owned(), format!("can not find job to cancel, id is {id}"));
        assert_eq!(operator(&service, Method::DELETE, &format!("/{id}")).await.error(), expected);
    }
}

/// Without this route, only the process that runs a job could read its rows.
#[tokio::test]
async fn the_rows_that_a_running_job_has_so_far_are_read_by_an_operator() {
    let (started, starts) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let (started, ends) = (Mutex::new(started), Mutex::new(ends));
    let engine = builder(Arc::new(MemoryStore::default()))
        .workers(1)
        .algorithm("score", move |ctx: &mut JobContext| {
            let mut rows = ctx.rows("score")?;
            // Rows for many blocks, so that some are stored.
            (0..200_000).try_for_each(|n| rows.push(&json!({"v": n})))?;
            started.lock().unwrap().send(()).unwrap();
            ends.lock().unwrap().recv().unwrap();
            Ok(())
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), Api::operator);
    let id = left_behind(&service, JobSpec::algorithm("score"));
    let waiting = left_behind(&service, JobSpec::algorithm("unheard_of"));
    tokio::task::spawn_blocking(move || starts.recv().unwrap()).await.unwrap();

    let rows = operator(&service, Method::GET, &format!("/{id}/rows?offset=3&limit=2")).await.json();
    let outputs = &rows["data"]["outputs"];
    assert_eq!((&rows["status"], &outputs["score"]), (&json!("running"), &json!([{"v": 3}, {"v": 4}])));
    let so_far = outputs["data_total_size"].as_u64().unwrap();
    assert!((1_000..200_000).contains(&so_far), "{so_far}");
    assert_eq!((&outputs["data_offset"], &outputs["data_return_size"]), (&json!(3), &json!(2)));
    let behind = operator(&service, Method::GET, &format!("/{id}/rows?offset=200000")).await.json();
    assert_eq!((&behind["status"], &behind["data"]["outputs"]["score"]), (&json!("running"), &json!([])));
    let none = operator(&service, Method::GET, &format!("/{waiting}/rows")).await;
    assert_eq!(none.body, r#"{"status":"waiting"}"#);

    end.send(()).unwrap();
    let ended = service.engine.job(id).unwrap().unwrap();
    tokio::task::spawn_blocking(move || ended.wait().unwrap()).await.unwrap();
    let whole = operator(&service, Method::GET, &format!("/{id}/rows?offset=199999")).await.json();
    assert_eq!(
        (&whole["status"], &whole["data"]["outputs"]["score"]),
        (&json!("complete"), &json!([{"v": 199_999}]))
    );
    for (job, code) in [("1", "GES.8301"), ("018bcfe5-6800-7000-8000-000000000000", "GES.8301")] {
        assert_eq!(operator(&service, Method::GET, &format!("/{job}/rows")).await.error().1, code);
    }
    assert_eq!(operator(&service, Method::GET, &format!("/{id}/rows?limit=0")).await.error().1, "GES.8005");
}

#[tokio::test]
async fn an_operators_list_is_walked_by_cursor_and_narrowed_to_a_graph() {
    let service = with(Api::operator);
    let mut films: Vec<String> =
        (0..20).map(|_| left_behind(&service, JobSpec::vertex_filter()).to_string()).collect();
    films.reverse();
    for _ in 0..20 {
        service.submit(JobSpec::vertex_filter());
    }
    let mut walked = Vec::new();
    let mut before = String::new();
    loop {
        let page = operator(&service, Method::GET, &format!("?graph=demo/films&limit=7{before}")).await.json();
        walked.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
        left_behind(&service, JobSpec::vertex_filter());
    }
    assert_eq!(walked, films);
    assert_eq!(ids(&operator(&service, Method::GET, "?limit=1&offset=30").await.json()).len(), 1);
    for query in ["?limit=1001", "?limit=0", "?before=1", "?limit=1&limit=1"] {
        assert_eq!(operator(&service, Method::GET, query).await.error().1, "GES.8005", "{query}");
    }
}

#[tokio::test]
async fn an_operator_is_asked_who_it_is_and_is_there_only_when_the_host_wants_it() {
    assert_eq!(operator(&service(), Method::GET, "").await.status, 404);
    let token = |request: &Parts, project: &str, action: Action| match request
        .headers
        .get("X-Auth-Token")
        .and_then(|token| token.to_str().ok())
    {
        Some("operator") if action == Action::Operate && project.is_empty() => Ok(()),
        Some(_) => Err(Denied::Forbidden("this token may not do that".to_owned())),
        None => Err(Denied::Unauthenticated("header X-Auth-Token is missing".to_owned())),
    };
    let mut gate = None;
    let service = with(|api| {
        gate = Some(api.shutdown_handle());
        api.operator().authorizer(token)
    });
    let id = left_behind(&service, JobSpec::vertex_filter());
    let ask = async |method: &Method, token: Option<&str>| {
        let path =
            if method == Method::GET { "/operator/jobs".to_owned() } else { format!("/operator/jobs/{id}") };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("X-Auth-Token", token);
        }
        service.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    let rows = service.send(Request::get(format!("/operator/jobs/{id}/rows")).body(Body::empty()).unwrap()).await;
    assert_eq!(rows.status, 401);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!((ask(&method, None).await, ask(&method, Some("writer")).await), (401, 403));
        assert_eq!(service.engine.reader().record(id).unwrap().unwrap().state, JobState::Waiting);
        assert_eq!(ask(&method, Some("operator")).await, 200);
    }
    gate.unwrap().close();
    assert_eq!(ask(&Method::GET, Some("operator")).await, 503);
}
