//! The rights of clients, and the jobs that clients cannot see.

use axum::{
    body::Body,
    http::{Method, Request, header, request::Parts},
};
use job_http::{Action, Authorizer, Decision, Denied};
use job_runner::JobSpec;

use crate::host::{service, with};

fn token(request: &Parts, _: &str, action: Action) -> Result<(), Denied> {
    match request.headers.get("X-Auth-Token").and_then(|token| token.to_str().ok()) {
        None => Err(Denied::Unauthenticated("header X-Auth-Token is missing".to_owned())),
        Some("reader") if matches!(action, Action::Read | Action::List) => Ok(()),
        Some("writer") => Ok(()),
        Some(_) => Err(Denied::Forbidden("this token may not do that".to_owned())),
    }
}

const EVERYTHING: [(Method, &str); 11] = [
    (Method::GET, "/graphs"),
    (Method::GET, "/graphs/movies/jobs/status"),
    (Method::GET, "/graphs/movies/jobs/overview"),
    (Method::GET, "/graphs/movies/jobs/ID/status"),
    (Method::GET, "/graphs/movies/jobs/ID/explain"),
    (Method::GET, "/graphs/movies/jobs/ID/events"),
    (Method::DELETE, "/graphs/movies/jobs/ID"),
    (Method::GET, "/graphs/movies/vertices/ids"),
    (Method::POST, "/graphs/movies/vertices/action?action_id=query"),
    (Method::POST, "/graphs/movies/edges/action?action_id=query"),
    (Method::POST, "/graphs/movies/action?action_id=execute-algorithm"),
];

fn request(method: &Method, project: &str, path: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("/ges/v1.0/{project}{path}"));
    if let Some(token) = token {
        request = request.header("X-Auth-Token", token);
    }
    request.body(Body::from("{}")).unwrap()
}

#[tokio::test]
async fn every_route_asks_who_it_is_and_what_it_may() {
    let service = with(|api| api.authorizer(token));
    for (method, path) in EVERYTHING {
        let stranger = service.send(request(&method, "demo", path, None)).await;
        assert_eq!((stranger.error().0, stranger.error().1.as_str()), (401, "GES.8007"), "{path}");
        assert!(stranger.headers.contains_key(header::WWW_AUTHENTICATE));
        let nobody = service.send(request(&method, "demo", path, Some("nobody"))).await;
        assert_eq!((nobody.error().0, nobody.error().1.as_str()), (403, "GES.8020"), "{path}");
        let reader = service.send(request(&method, "demo", path, Some("reader"))).await.status.as_u16();
        // Ids complete what a submission asks for.
        let reads = method == Method::GET && !path.ends_with("/ids");
        assert_eq!(reader != 403, reads, "{path}: {reader}");
        let writer = service.send(request(&method, "demo", path, Some("writer"))).await.status.as_u16();
        assert!(writer != 401 && writer != 403, "{path}: {writer}");
    }
}

struct Slow;

impl Authorizer for Slow {
    fn check<'a>(&'a self, _: &'a Parts, project: &'a str, _: Action) -> Decision<'a> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if project == "demo" { Ok(()) } else { Err(Denied::Forbidden(format!("not in {project}"))) }
        })
    }
}

#[tokio::test]
async fn a_decision_may_take_its_time() {
    let service = with(|api| api.authorizer(Slow));
    assert_eq!(service.get("/jobs/status").await.status, 200);
    let other = service.send(request(&Method::GET, "other", "/graphs/movies/jobs/status", None)).await;
    assert_eq!(other.error().2, "not in other");
}

#[tokio::test]
async fn a_project_learns_nothing_of_the_jobs_of_another() {
    let service = service();
    let waiting = service.submit(JobSpec::vertex_filter());
    let done = service.run_rows(3);
    for id in [waiting, done] {
        let made_up = "018bcfe5-6800-7000-8000-000000000000";
        for (method, path) in EVERYTHING.iter().filter(|(_, path)| path.contains("ID")) {
            let theirs = service.send(request(method, "other", &path.replace("ID", &id.to_string()), None)).await;
            let nobodys = service.send(request(method, "other", &path.replace("ID", made_up), None)).await;
            assert_eq!(theirs.status, nobodys.status);
            assert_eq!(theirs.body.replace(&id.to_string(), made_up), nobodys.body, "{method} {path}");
        }
        assert!(service.engine.reader().record(id).unwrap().is_some_and(|record| record.revision < 9));
    }
    let list = service.send(request(&Method::GET, "other", "/graphs/movies/jobs/status", None)).await;
    assert_eq!(list.body, r#"{"jobs":[]}"#);
    let overview = service.send(request(&Method::GET, "other", "/graphs/movies/jobs/overview", None)).await;
    assert_eq!(overview.body, r#"{"jobs":[]}"#);
}
