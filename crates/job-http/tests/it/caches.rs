//! The answers that caches on the way may keep.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use job_http::{Dialect, Limits};
use job_runner::JobSpec;

use crate::host::{Answer, MOVIES, Service, with};

async fn send(service: &Service, method: &Method, path: &str, known: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = known {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    service.send(request.body(Body::from("{}")).unwrap()).await
}

fn kept(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all(header::CACHE_CONTROL).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn only_pages_of_complete_results_may_be_kept_and_by_their_client_alone() {
    for dialect in Dialect::ALL {
        let service = with(|api| api.dialect(dialect).page("demo").exports());
        let done = service.run_rows(3);
        let failed = service.run(JobSpec::algorithm("shortest_path"));
        let cancelled = service.submit(JobSpec::vertex_filter());
        service.engine.cancel(cancelled).unwrap();
        let waiting = service.submit(JobSpec::vertex_filter());
        let page = format!("{MOVIES}/jobs/{done}/status?limit=2");
        let answer = send(&service, &Method::GET, &page, None).await;
        let tag = answer.headers[header::ETAG].to_str().unwrap();
        assert_eq!(kept(&answer), ["private, no-cache"]);
        assert_eq!(kept(&send(&service, &Method::GET, &page, Some(tag)).await), ["private, no-cache"]);
        let unknown = "018bcfe5-6800-7000-8000-000000000000";
        for (method, path) in [
            (Method::GET, format!("{MOVIES}/jobs/{waiting}/status")),
            (Method::GET, format!("{MOVIES}/jobs/{waiting}/explain")),
            (Method::GET, format!("{MOVIES}/jobs/{done}/explain")),
            (Method::GET, format!("{MOVIES}/jobs/{done}/events")),
            (Method::GET, format!("{MOVIES}/jobs/status")),
            (Method::GET, format!("{MOVIES}/jobs/overview")),
            (Method::GET, "/ges/v1.0/demo/graphs".to_owned()),
            (Method::GET, "/health".to_owned()),
            (Method::GET, "/openapi.json".to_owned()),
            (Method::GET, "/".to_owned()),
            (Method::GET, "/page/config.json".to_owned()),
            (Method::POST, format!("{MOVIES}/vertices/action?action_id=query")),
            (Method::POST, format!("{MOVIES}/jobs/{done}/action?action_id=export-result")),
            (Method::DELETE, format!("{MOVIES}/jobs/{waiting}")),
            // Answers with errors, which may change at any moment.
            (Method::GET, format!("{MOVIES}/jobs/{failed}/status")),
            (Method::GET, format!("{MOVIES}/jobs/{cancelled}/status")),
            (Method::GET, format!("{MOVIES}/jobs/{unknown}/status")),
            (Method::GET, format!("{MOVIES}/jobs/{done}/status?limit=0")),
            (Method::GET, "/ges/v1.0/demo/graphs/films/jobs/status".to_owned()),
            (Method::GET, "/nothing".to_owned()),
            (Method::PUT, format!("{MOVIES}/jobs/status")),
            (Method::DELETE, format!("{MOVIES}/jobs/{unknown}")),
        ] {
            let answer = send(&service, &method, &path, None).await;
            assert_eq!(kept(&answer), ["no-store"], "{method} {path}: {answer:?}");
        }
        assert_eq!(kept(&send(&service, &Method::GET, "/page/jobs.js", None).await), ["no-cache"]);
    }
}

#[tokio::test]
async fn refusals_for_lack_of_room_are_not_kept() {
    let limits = Limits::default;
    let rated = with(|api| api.limits(limits().requests(1, Duration::from_hours(1))));
    let crowded = with(|api| api.limits(limits().concurrent(0)));
    let mut gate = None;
    let closed = with(|api| {
        gate = Some(api.shutdown_handle());
        api
    });
    gate.unwrap().close();
    assert_eq!(rated.get("/jobs/status").await.status, 200);
    for service in [rated, crowded, closed] {
        let answer = service.get("/jobs/status").await;
        assert_eq!((answer.status.as_u16(), kept(&answer)), (503, vec!["no-store"]), "{answer:?}");
    }
}
