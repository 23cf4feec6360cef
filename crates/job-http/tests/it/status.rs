//! The status query of the API document.

use axum::{
    body::Body,
    http::{Request, header},
};
use job_runner::{JobSpec, PageRequest};
use serde_json::json;

use crate::host::{MOVIES, row, service, with};

#[tokio::test]
async fn an_unfinished_job_answers_its_state_alone() {
    let service = service();
    let id = service.submit(JobSpec::vertex_filter());
    let answer = service.status(id, "?offset=0&limit=2").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"status":"waiting"}"#));
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert!(!answer.headers.contains_key(header::ETAG));
}

#[tokio::test]
async fn a_page_is_the_documents_payload() {
    let service = service();
    let id = service.run_rows(19);
    let page = service.status(id, "?offset=17&limit=5").await;
    let rows = [row(17), row(18)].map(|row| row.to_string()).join(",");
    let expected = format!(
        "{{\"data\":{{\"outputs\":{{\"data_return_size\":2,\"data_offset\":17,\"data_total_size\":19,\
         \"vertices\":[{rows}]}}}},\"status\":\"complete\"}}"
    );
    assert_eq!((page.status.as_u16(), page.body), (200, expected));
    let past = service.status(id, "?offset=100").await.json();
    assert_eq!(
        past["data"]["outputs"],
        json!({"data_return_size": 0, "data_offset": 100, "data_total_size": 19, "vertices": []})
    );
}

#[tokio::test]
async fn every_answer_is_the_engines_own_payload() {
    let service = service();
    for rows in [0, 1, 2, 1_000, 5_000] {
        let id = service.run_rows(rows);
        for (offset, limit) in [(0, 100_000), (1, 1), (999, 2), (4_000, 1_000)] {
            let mut own = Vec::new();
            let page = PageRequest::new(offset, limit).unwrap();
            service.engine.reader().status(id, page).unwrap().write_to(&mut own).unwrap();
            let answer = service.status(id, &format!("?offset={offset}&limit={limit}")).await;
            assert_eq!(answer.body, String::from_utf8(own).unwrap());
        }
    }
}

#[tokio::test]
async fn a_result_without_a_list_has_no_paging_fields() {
    let service = service();
    let id = service.run(JobSpec::algorithm("path"));
    assert_eq!(
        service.status(id, "").await.body,
        r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"complete"}"#
    );
}

#[tokio::test]
async fn an_unknown_job_is_spelled_as_in_the_sample() {
    let service = service();
    let known = service.run_rows(1);
    let strange = known.to_string().replace('-', "x");
    for id in ["9440a7ebXXXXXXXXXXXXXXXXXXXX2d079a67001679122", "018bcfe5-6800-7000-8000-000000000000", &strange] {
        let answer = service.get(&format!("/jobs/{id}/status?offset=0&limit=2")).await;
        let expected = format!(r#"{{"errorMessage":"can not find job, jobId is  {id}","errorCode":"GES.8301"}}"#);
        assert_eq!((answer.status.as_u16(), answer.body), (400, expected));
    }
    let answer = service.get("/jobs/a%20%22b%22/status").await;
    assert_eq!(answer.error().2, "can not find job, jobId is  a \"b\"");
}

/// If ids had several spellings, each spelling would be a resource of its own, and a name of exported files.
#[tokio::test]
async fn an_id_in_another_spelling_names_no_job() {
    let service = with(job_http::Api::exports);
    let (done, waiting) = (service.run_rows(1).to_string(), service.submit(JobSpec::vertex_filter()));
    let (simple, braced) = (done.replace('-', ""), format!("%7B{done}%7D"));
    for id in [done.to_uppercase(), simple, braced, format!("urn:uuid:{done}"), format!("{done}%20")] {
        for answer in [
            service.get(&format!("/jobs/{id}/status")).await,
            service.get(&format!("/jobs/{id}/explain")).await,
            service.get(&format!("/jobs/{id}/events")).await,
            service.post(&format!("/jobs/{id}/action?action_id=export-result"), "{}").await,
        ] {
            assert_eq!((answer.error().0, answer.error().1.as_str()), (400, "GES.8301"), "{id}");
        }
    }
    let answer = service.delete(&format!("/jobs/{}", waiting.to_string().to_uppercase())).await;
    assert_eq!((answer.error().0, answer.error().1.as_str()), (400, "GES.8303"));
    assert_eq!(service.delete(&format!("/jobs/{waiting}")).await.status, 200);
}

#[tokio::test]
async fn a_failed_job_answers_why() {
    let service = service();
    let id = service.run(JobSpec::algorithm("shortest_path"));
    let answer = service.status(id, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (
            400,
            r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301"}"#
        )
    );
}

#[tokio::test]
async fn a_cancelled_job_answers_that_it_was_cancelled() {
    let service = service();
    let id = service.submit(JobSpec::vertex_filter());
    service.engine.cancel(id).unwrap();
    let (status, code, message) = service.status(id, "").await.error();
    assert_eq!((status, code.as_str()), (400, "GES.8301"));
    assert_eq!(message, "Running vertex filter error: the job was cancelled!");
}

#[tokio::test]
async fn bad_parameters_are_named_with_value_and_range() {
    let service = service();
    let id = service.run_rows(3);
    for (query, message) in [
        ("?offset=-1", "parameter offset is -1: it must be a whole number from 0 to 18446744073709551615"),
        ("?offset=1.5", "parameter offset is 1.5: it must be a whole number from 0 to 18446744073709551615"),
        ("?limit=0", "parameter limit is 0: it must be a whole number from 1 to 100000"),
        ("?limit=100001", "parameter limit is 100001: it must be a whole number from 1 to 100000"),
        ("?limit=", "parameter limit is empty: it must be a whole number from 1 to 100000"),
        ("?wait=51", "parameter wait is 51: it must be a whole number from 0 to 50"),
        ("?wait=soon", "parameter wait is soon: it must be a whole number from 0 to 50"),
    ] {
        let expected = (400, "GES.8005".to_owned(), message.to_owned());
        assert_eq!(service.status(id, query).await.error(), expected, "{query}");
    }
    for query in
        ["?limit=1&limit=2", "?limit=1&limit=1", "?limit=1&offset=0&%6cimit=2", "?x=1&x=2", "?limit=1&limit"]
    {
        let (status, code, message) = service.status(id, query).await.error();
        assert_eq!((status, code.as_str()), (400, "GES.8005"), "{query}");
        assert!(message.ends_with(" is given twice: give it once"), "{message}");
    }
    // A parameter that the document does not know is ignored.
    assert_eq!(service.status(id, "?limit=1&other=2").await.status, 200);
}

#[tokio::test]
async fn a_graph_that_is_not_there_is_404() {
    let service = service();
    let id = service.run_rows(1);
    for path in ["/ges/v1.0/demo/graphs/films", "/ges/v1.0/nobody/graphs/movies"] {
        let request = Request::get(format!("{path}/jobs/{id}/status")).body(Body::empty()).unwrap();
        let (status, code, message) = service.send(request).await.error();
        assert_eq!((status, code.as_str()), (404, "GES.8006"));
        assert!(message.starts_with("graph ["), "{message}");
    }
    let request = Request::get("/ges/v2").body(Body::empty()).unwrap();
    assert_eq!(service.send(request).await.error().2, "nothing is served at /ges/v2");
    let request = Request::put(format!("{MOVIES}/jobs/{id}/status")).body(Body::empty()).unwrap();
    let answer = service.send(request).await;
    assert_eq!((answer.error().0, answer.headers[header::ALLOW].to_str().unwrap()), (405, "GET,HEAD"));
}

#[tokio::test]
async fn a_page_that_the_client_has_is_not_sent_again() {
    let service = service();
    let id = service.run_rows(10);
    let first = service.status(id, "?limit=5").await;
    let tag = first.headers[header::ETAG].clone();
    for known in [tag.clone(), "*".parse().unwrap(), format!("\"x\", {}", tag.to_str().unwrap()).parse().unwrap()]
    {
        let request =
            Request::get(format!("{MOVIES}/jobs/{id}/status?limit=5")).header(header::IF_NONE_MATCH, known);
        let again = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
        assert_eq!(again.headers[header::ETAG], tag);
    }
    let request = Request::get(format!("{MOVIES}/jobs/{id}/status?limit=6")).header(header::IF_NONE_MATCH, tag);
    assert_eq!(service.send(request.body(Body::empty()).unwrap()).await.status, 200);
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    assert!(!service.status(failed, "").await.headers.contains_key(header::ETAG));
}
