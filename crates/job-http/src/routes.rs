//! The routes, one file each.
#![expect(
    unused_qualifications,
    reason = "what describes a route to `OpenAPI` qualifies the types of its parameters"
)]

mod cancel;
mod events;
mod explain;
pub(crate) mod export;
mod graphs;
mod health;
mod list;
mod operator;
pub(crate) mod own;
pub(crate) mod status;
pub(crate) mod submit;
mod sync;

use axum::http::{Method, StatusCode, Uri};
use job_runner::{job_core::shown, wire::ErrorCode};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{context::Context, failure::ApiFailure, openapi::Document};

pub(crate) fn all(api: &Context) -> OpenApiRouter<Context> {
    let router = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status::status))
        .routes(routes!(events::events))
        .routes(routes!(explain::explain))
        .routes(routes!(explain::overview))
        .routes(routes!(cancel::cancel))
        .routes(routes!(list::list))
        .routes(routes!(graphs::graphs))
        .routes(routes!(submit::vertices))
        .routes(routes!(submit::edges))
        .routes(routes!(submit::algorithm))
        .routes(routes!(health::health));
    let router = own::routes(router, api);
    let router = if api.exports { router.routes(routes!(export::export)) } else { router };
    if !api.operator {
        return router;
    }
    router.routes(routes!(operator::jobs)).routes(routes!(operator::cancel)).routes(routes!(operator::rows))
}

pub(crate) async fn nothing_here(uri: Uri) -> ApiFailure {
    ApiFailure::not_found(format!("nothing is served at {}", shown(uri.path())))
}

pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiFailure {
    ApiFailure::of(
        ErrorCode::Resource,
        format!("{} is not served at {}", shown(method.as_str()), shown(uri.path())),
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
}
