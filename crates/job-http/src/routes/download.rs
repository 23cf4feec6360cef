//! `GET .../jobs/{jobId}/rows`: a whole result as a file (extension).

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use job_runner::{JobRecord, wire::ErrorCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body,
    context::Context,
    download::{Download, Form},
    etag,
    export::Format,
    extract::{Params, Read, Scope},
    failure::ApiFailure,
    openapi::Failures,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DownloadQuery {
    /// `csv` or `jsonl`; without it the one that `Accept` names, else `csv`.
    #[param(value_type = Option<String>, pattern = "^(csv|jsonl)$")]
    pub(crate) format: Option<String>,
    /// `true` puts `'` before a text of a CSV file that a spreadsheet would take for a formula.
    #[serde(rename = "guardFormulas")]
    #[param(rename = "guardFormulas", value_type = Option<bool>, default = false)]
    pub(crate) guard_formulas: Option<String>,
}

/// Extension: the whole result of a job as a file, as an export writes it.
///
/// A result of any size is sent while it is read. It never changes, so it has an `ETag`.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/rows",
    operation_id = "downloadRows",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job."),
        DownloadQuery
    ),
    responses(
        (
            status = 200,
            description = "The values and the rows, a line each.",
            content((String = "text/csv"), (String = "application/x-ndjson"))
        ),
        (status = 304, description = "The client has this file (`If-None-Match`)."),
        Failures
    )
)]
pub(crate) async fn download(
    State(api): State<Context>,
    scope: Scope<Read>,
    Params(query): Params<DownloadQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiFailure> {
    let asked = Form::asked(query.format.as_deref(), query.guard_formulas.as_deref(), &headers)?;
    let form = asked
        .unwrap_or(Form { format: Format::Csv, guard_formulas: query.guard_formulas.as_deref() == Some("true") });
    let read = move |api: &Context| {
        let (_, record) = api.job(&scope)?;
        send(api, &record, form, &headers)
    };
    api.call(read).await
}

/// Starts to send a result. It reads the first rows here, on a blocking thread.
pub(super) fn send(
    api: &Context,
    record: &JobRecord,
    form: Form,
    headers: &HeaderMap,
) -> Result<Response, ApiFailure> {
    let id = record.id;
    let result = if record.state.is_complete() { api.reader.result(id)? } else { None };
    let Some(result) = result else {
        let why = format!("job {id} is {}: only a result can be downloaded", record.state);
        return Err(ApiFailure::of(ErrorCode::JobQuery, why));
    };
    let tag = etag::of_file(record, form.tag());
    if tag.as_ref().is_some_and(|tag| etag::is_known(headers, tag)) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        etag::put(&mut response, tag);
        return Ok(response);
    }
    let pieces = Download::new(&api.reader, id, &result, form)?;
    let mut response = Response::new(body::start(body::Read(pieces), api.calls())?);
    let file = format!("attachment; filename=\"{id}.{}\"", form.format.extension());
    response.headers_mut().insert(header::CONTENT_TYPE, form.content_type());
    if let Ok(file) = HeaderValue::from_str(&file) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    }
    etag::put(&mut response, tag);
    Ok(response)
}
