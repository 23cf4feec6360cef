//! `GET /metrics`: the figures of the host's recorder, as Prometheus reads them (extension).

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::{
    context::Context,
    extract::{Observe, Project},
    failure::ApiFailure,
    openapi::Failures,
};

/// The text format of Prometheus that exporters write.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Extension: the metrics of this process in the text form of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"), Failures)
)]
pub(crate) async fn metrics(State(api): State<Context>, _: Project<Observe>) -> Result<Response, ApiFailure> {
    let Some(render) = api.metrics.clone() else {
        return Err(ApiFailure::not_found("this service has no metrics"));
    };
    // The places of the store may all be taken by calls that hang. Metrics are wanted most then.
    let text = api.renders().begin(move || render()).await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}
