//! Large pages: whole, compressed, and abandoned.

use std::io::Read;

use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::host::{MOVIES, Service, service};

async fn large() -> (Service, job_runner::JobId, String) {
    let service = service();
    let id = service.run_rows(30_000);
    let plain = service.status(id, "").await;
    assert!(!plain.headers.contains_key(header::CONTENT_LENGTH), "a large page is streamed");
    (service, id, plain.body)
}

#[tokio::test]
async fn a_large_page_is_streamed_whole() {
    let (service, id, body) = large().await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["data"]["outputs"]["vertices"].as_array().unwrap().len(), 30_000);
    let small = service.status(id, "?limit=1").await;
    assert_eq!(small.headers[header::CONTENT_LENGTH].to_str().unwrap(), small.body.len().to_string());
}

#[tokio::test]
async fn a_page_is_compressed_when_the_client_takes_it() {
    let (service, id, plain) = large().await;
    for encoding in ["gzip", "zstd"] {
        let request = Request::get(format!("{MOVIES}/jobs/{id}/status")).header(header::ACCEPT_ENCODING, encoding);
        let response = service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], encoding);
        assert!(response.headers()[header::ETAG].to_str().unwrap().starts_with("W/"));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(bytes.len() < plain.len() / 4, "{} of {}", bytes.len(), plain.len());
        let mut text = String::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
            _ => zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap(),
        };
        assert_eq!(text, plain);
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_midway_leaves_everything_usable() {
    let (service, id, plain) = large().await;
    for frames in 0..5 {
        let request = Request::get(format!("{MOVIES}/jobs/{id}/status")).body(Body::empty()).unwrap();
        let mut body = service.router.clone().oneshot(request).await.unwrap().into_body();
        for _ in 0..frames {
            assert!(body.frame().await.unwrap().is_ok());
        }
    }
    assert_eq!(service.status(id, "").await.body, plain);
    assert!(service.engine.remove(id).unwrap());
    assert_eq!(service.status(id, "").await.error().1, "GES.8301");
}
