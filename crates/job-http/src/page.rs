//! The page at `/`: plain HTML and scripts, inside the binary.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::context::Context;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/", get(html))
        .route("/page/config.json", get(config))
        .route("/page/jobs.js", get(|| async { script(include_str!("page/jobs.js")) }))
        .route("/page/rows.js", get(|| async { script(include_str!("page/rows.js")) }))
        .route("/page/words.js", get(|| async { script(include_str!("page/words.js")) }))
        .route("/page/style.css", get(|| async { text("text/css", include_str!("page/style.css")) }))
}

async fn html() -> Response {
    let mut response = Html(include_str!("page/index.html")).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn script(source: &'static str) -> Response {
    text("text/javascript", source)
}

fn text(kind: &'static str, source: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], source).into_response()
}

#[derive(Serialize)]
struct Config {
    project: Option<String>,
}

async fn config(State(api): State<Context>) -> Json<Config> {
    Json(Config { project: api.page_project.clone() })
}
