//! Parts of the answers that caches may keep: none, unless an answer says otherwise.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};

/// Without this header a cache may keep an answer for as long as it likes, and give it to others.
pub(crate) fn keep_out(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
