//! The routes, one file each.
#![expect(
    unused_qualifications,
    reason = "what describes a route to `OpenAPI` qualifies the types of its parameters"
)]

mod cancel;
mod counts;
mod download;
mod events;
mod explain;
pub(crate) mod export;
mod figures;
mod graphs;
mod health;
mod kinds;
mod list;
mod managed;
mod metrics;
pub(crate) mod neutral;
mod operator;
pub(crate) mod own;
pub(crate) mod status;
pub(crate) mod submit;
mod sync;
mod vertices;
mod view;

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
};
use job_runner::{job_core::shown, wire::ErrorCode};
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use crate::{
    context::Context,
    failure::ApiFailure,
    openapi::Document,
    surface::{Style, Surface},
};

/// The routes of a surface, with their part of the document.
pub(crate) fn of_surface(api: &Context) -> (Router<Context>, OpenApi) {
    let placed = Placed::new(&api.surface);
    let placed = match api.surface.style() {
        Style::Service => service(placed, api),
        Style::Neutral => neutral::routes(placed),
    };
    let placed =
        placed.routes(routes!(events::events)).routes(routes!(explain::explain)).routes(routes!(graphs::graphs));
    let placed = placed.routes(routes!(vertices::ids));
    let placed = if api.surface.is_managed() {
        placed.routes(routes!(managed::v1)).routes(routes!(managed::v2))
    } else {
        placed
    };
    let (router, document) = placed.router.split_for_parts();
    (if api.surface.style() == Style::Service { own::routes(router, api) } else { router }, document)
}

fn service<'s>(placed: Placed<'s>, api: &Context) -> Placed<'s> {
    let placed = placed
        .routes(routes!(status::status))
        .routes(routes!(explain::overview))
        .routes(routes!(cancel::cancel))
        .routes(routes!(view::view))
        .routes(routes!(download::download))
        .routes(routes!(list::list))
        .routes(routes!(counts::counts))
        .routes(routes!(kinds::kinds))
        .routes(routes!(submit::vertices))
        .routes(routes!(submit::edges))
        .routes(routes!(submit::algorithm));
    if api.exports { placed.routes(routes!(export::export)) } else { placed }
}

/// The routes beside the surfaces, with their part of the document.
pub(crate) fn beside(api: &Context) -> (Router<Context>, OpenApi) {
    let router = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(figures::figures))
        .routes(routes!(health::health));
    let router = if api.metrics.is_some() { router.routes(routes!(metrics::metrics)) } else { router };
    let router = if api.operator {
        router
            .routes(routes!(counts::operator_counts))
            .routes(routes!(view::operator_view))
            .routes(routes!(operator::jobs))
            .routes(routes!(operator::cancel))
            .routes(routes!(operator::rows))
    } else {
        router
    };
    router.split_for_parts()
}

/// Routes that are put where a surface has them.
pub(crate) struct Placed<'s> {
    router: OpenApiRouter<Context>,
    surface: &'s Surface,
}

impl<'s> Placed<'s> {
    fn new(surface: &'s Surface) -> Self {
        Self { router: OpenApiRouter::with_openapi(Document::openapi()), surface }
    }

    fn routes(self, (schemas, mut paths, methods): UtoipaMethodRouter<Context>) -> Self {
        let placed = paths.paths.into_iter().map(|(path, item)| (self.surface.place(&path), item));
        paths.paths = placed.collect();
        Self { router: self.router.routes((schemas, paths, methods)), ..self }
    }
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
