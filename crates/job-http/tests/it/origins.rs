//! Requests of other sites' pages, in the browser of a user with access.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use job_http::Origins;
use job_runner::PageRequest;

use crate::host::{Answer, MOVIES, Service, service, with};

async fn send(service: &Service, method: &Method, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    service.send(request.body(Body::from("{}")).unwrap()).await
}

const FOREIGN: [&[(&str, &str)]; 4] = [
    &[("host", "127.0.0.1:8080"), ("origin", "http://evil.example"), ("content-type", "text/plain")],
    &[("host", "127.0.0.1:8080"), ("origin", "null"), ("content-type", "text/plain")],
    &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:3000"), ("content-type", "text/plain")],
    &[("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site"), ("content-type", "text/plain")],
];

#[tokio::test]
async fn a_page_of_another_site_can_do_nothing() {
    let service = with(|api| api.exports().page("demo"));
    let done = service.run_rows(1);
    let before = service.engine.reader().list(PageRequest::default()).unwrap();
    for (method, path) in [
        (Method::POST, format!("{MOVIES}/vertices/action?action_id=query")),
        (Method::POST, format!("{MOVIES}/edges/action?action_id=query")),
        (Method::POST, format!("{MOVIES}/action?action_id=execute-algorithm")),
        (Method::POST, format!("{MOVIES}/jobs/{done}/action?action_id=export-result")),
        (Method::DELETE, format!("{MOVIES}/jobs/{done}")),
        (Method::GET, format!("{MOVIES}/jobs/{done}/status")),
        (Method::GET, format!("{MOVIES}/jobs/status")),
        (Method::GET, "/page/jobs.js".to_owned()),
    ] {
        for fields in FOREIGN {
            let answer = send(&service, &method, &path, fields).await;
            assert_eq!((answer.error().0, answer.error().1.as_str()), (403, "GES.8020"), "{method} {path}");
            assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }
    assert_eq!(service.engine.reader().list(PageRequest::default()).unwrap(), before);
}

#[tokio::test]
async fn who_is_no_browser_or_the_own_page_is_answered() {
    let service = service();
    let path = format!("{MOVIES}/vertices/action?action_id=query");
    for fields in [
        [].as_slice(),
        &[("host", "127.0.0.1:8080")],
        &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")],
        &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(send(&service, &Method::POST, &path, fields).await.status, 200, "{fields:?}");
    }
}

#[tokio::test]
async fn pages_that_the_host_allows_may_ask_and_are_told_so() {
    const OWN: &str = "https://console.example.com";
    let path = format!("{MOVIES}/vertices/action?action_id=query");
    for (origins, told) in [(Origins::default().allow(OWN).unwrap(), OWN), (Origins::any(), "*")] {
        let service = with(|api| api.origins(origins));
        let asks = [("host", "h"), ("origin", OWN), ("sec-fetch-site", "cross-site")];
        let answer = send(&service, &Method::POST, &path, &asks).await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN].as_ref()),
            (200, told.as_bytes())
        );
        let preflight = [
            ("host", "h"),
            ("origin", OWN),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "x-auth-token"),
        ];
        let answer = send(&service, &Method::OPTIONS, &path, &preflight).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], told);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "GET,POST,DELETE");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS], "x-auth-token");
    }
    let service = with(|api| api.origins(Origins::default().allow(OWN).unwrap()));
    let other = send(&service, &Method::POST, &path, &[("host", "h"), ("origin", "https://evil.example")]).await;
    assert_eq!(other.status, 403);
    assert!(!other.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn a_host_with_names_is_reached_under_them_alone() {
    let service = with(|api| api.origins(Origins::default().host("jobs.example.com")));
    let path = format!("{MOVIES}/jobs/status");
    for (host, status) in [("jobs.example.com", 200), ("10.0.0.7:8080", 200), ("evil.example", 403), ("a b", 400)]
    {
        let answer = send(&service, &Method::GET, &path, &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
}
