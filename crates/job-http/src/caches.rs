//! Keeps answers out of caches, unless an answer allows it.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};

/// Without this header a cache may keep an answer for any time, and give it to other clients.
pub(crate) fn keep_out(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
