//! Whole results as files.

use axum::{
    body::Body,
    http::{Request, header},
};
use job_http::Api;
use job_runner::{JobId, JobSpec};
use serde_json::{Value, json};

use crate::host::{Answer, MOVIES, Service, row, service, with};

async fn get(service: &Service, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

fn path(id: JobId, query: &str) -> String {
    format!("{MOVIES}/jobs/{id}/rows{query}")
}

/// The rows are many pieces, so that a mistake between two of them is found.
#[tokio::test]
async fn a_result_of_many_pieces_is_sent_whole_in_each_form() {
    let service = with(Api::operator);
    let rows = 10_000;
    let id = service.run_rows(rows);
    let lines = get(&service, &path(id, "?format=jsonl"), &[]).await;
    assert_eq!(lines.headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(lines.headers[header::CONTENT_DISPOSITION], format!("attachment; filename=\"{id}.jsonl\""));
    let found: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(found.iter().enumerate().all(|(n, found)| *found == row(n as u64)) && found.len() == 10_000);
    let accepted = get(&service, &path(id, ""), &[(header::ACCEPT, "application/x-ndjson")]).await;
    assert_eq!(accepted.body, lines.body);
    let operators = get(&service, &format!("/operator/jobs/{id}/rows?format=jsonl"), &[]).await;
    assert_eq!(operators.body, lines.body);

    let csv = get(&service, &path(id, ""), &[]).await;
    assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let mut lines = csv.body.lines();
    assert_eq!(lines.next(), Some("# data_total_size: 10000"));
    assert_eq!(lines.next(), Some("# vertices:"));
    assert!(lines.clone().enumerate().all(|(n, line)| line.starts_with(&format!("v{n},user,"))));
    assert_eq!(lines.count(), 10_000);
}

#[tokio::test]
async fn values_without_rows_are_a_file_too() {
    let service = service();
    let id = service.run(JobSpec::algorithm("path"));
    let csv = get(&service, &path(id, ""), &[]).await;
    assert!(csv.body.starts_with("# path: [\"46\", \"133\""), "{}", csv.body);
    let lines = get(&service, &path(id, "?format=jsonl"), &[]).await;
    assert_eq!((lines.status.as_u16(), lines.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let service = service();
    let id = service.run_rows(3);
    let first = get(&service, &path(id, ""), &[]).await;
    let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
    let again = get(&service, &path(id, ""), &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    for query in ["?format=jsonl", "?guardFormulas=true"] {
        let other = get(&service, &path(id, query), &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!(other.status, 200, "{query}");
    }
}

#[tokio::test]
async fn a_text_that_a_spreadsheet_would_run_is_marked_when_it_is_asked_for() {
    let service = service();
    let id = service.run(JobSpec::algorithm("path"));
    assert_eq!(get(&service, &path(id, "?guardFormulas=maybe"), &[]).await.error().1, "GES.8005");
    assert_eq!(get(&service, &path(id, "?guardFormulas=true"), &[]).await.status, 200);
}

#[tokio::test]
async fn only_a_result_is_sent() {
    let service = with(Api::operator);
    let waiting = service.submit(JobSpec::vertex_filter());
    let answer = get(&service, &path(waiting, ""), &[]).await.error();
    let expected = format!("job {waiting} is waiting: only a result can be downloaded");
    assert_eq!(answer, (400, "GES.8301".to_owned(), expected));
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    assert_eq!(get(&service, &path(failed, ""), &[]).await.error().1, "GES.8301");
    let elsewhere = format!("/ges/v1.0/other/graphs/movies/jobs/{failed}/rows");
    assert_eq!(get(&service, &elsewhere, &[]).await.error().0, 400);
    assert_eq!(get(&service, &path(failed, "?format=xml"), &[]).await.error().1, "GES.8005");
    // Without a format, an operator's rows are a page, as before.
    let id = service.run_rows(3);
    let page = get(&service, &format!("/operator/jobs/{id}/rows?limit=1"), &[]).await.json();
    assert_eq!(page["data"]["outputs"]["vertices"], json!([row(0)]));
}
