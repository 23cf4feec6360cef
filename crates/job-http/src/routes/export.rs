//! `POST .../jobs/{jobId}/action?action_id=export-result`: writes a result to a file.

use axum::{http::StatusCode, response::Response};
use job_runner::{
    JobSpec,
    job_core::{shown, strict},
    wire::{EXPORT_RESULT, ErrorCode},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::submit::action;
use crate::{
    body::json,
    context::Context,
    export::{Export as Parameters, Exporter, Format, name},
    extract::{Export, Here, Params, Scope, Text},
    failure::ApiFailure,
    key::Key,
    openapi::{Acknowledged, Failures},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportAction {
    /// The action: `export-result`.
    #[param(value_type = String, pattern = "^export-result$", required = true)]
    action_id: Option<String>,
}

/// Where a result goes. Fields that only the original service knows are ignored, and not kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExportBody {
    /// The directory of the file, below the host's own; made if it is missing. By default the host's own. Names that
    /// begin or end with a dot or a blank, and invisible characters, are refused, here and in `fileName`.
    export_path: String,
    /// The name of the file. By default the id of the exported job and the extension of the format.
    file_name: Option<String>,
    /// The format of the file: `csv` or `jsonl`.
    format: Format,
    /// Removes the exported job after the file is written. In the original service the default is `true`.
    erase: bool,
    /// In a CSV file, puts `'` before a text that a spreadsheet would take for a formula. Such a text begins with `=`,
    /// `+`, `-`, `@`, a tab or a line break.
    guard_formulas: bool,
    /// `enable` must be false: a result goes into one file.
    #[serde(default)]
    paginate: Paginate,
}

/// Files of a bounded size are not made here.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Paginate {
    #[schema(default = false)]
    #[serde(default)]
    enable: bool,
}

/// Writes the result of a job to a file, as a job of its own.
#[utoipa::path(
    post,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/action",
    operation_id = "exportJobResult",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job."),
        ExportAction,
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's own: the same request with the same key is the same job.")
    ),
    request_body = ExportBody,
    responses((status = 200, description = "The export is stored as a job.", body = Acknowledged), Failures)
)]
pub(crate) async fn export(
    Here(api): Here,
    scope: Scope<Export>,
    Params(query): Params<ExportAction>,
    key: Key,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    action(query.action_id.as_deref(), EXPORT_RESULT)?;
    let body: ExportBody = strict::read("the body", &body).map_err(|invalid| refused(invalid.to_string()))?;
    if body.paginate.enable {
        return Err(refused("paginate.enable is true: a result goes into one file here"));
    }
    api.call(move |api| submit(api, key, scope, &body)).await
}

fn submit(api: &Context, key: Key, scope: Scope<Export>, body: &ExportBody) -> Result<Response, ApiFailure> {
    let (source, record) = api.job(&scope)?;
    if !record.state.is_complete() {
        return Err(refused(format!("job {} is {}: wait for its result first", source.id(), record.state)));
    }
    let path = path(body, &scope.job)?;
    let export = Parameters {
        source: source.id(),
        path,
        format: body.format,
        erase: body.erase,
        guard_formulas: body.guard_formulas,
    };
    let spec = JobSpec::algorithm(Exporter::KIND).with_graph(scope.graph.key).with_parameters(&export);
    let spec = spec.map_err(|error| ApiFailure::internal(&error))?;
    let job = key.submit(&api.engine, spec)?;
    Ok(json(StatusCode::OK, api.dialect.acknowledged(job.id(), None)))
}

fn refused(message: impl Into<String>) -> ApiFailure {
    ApiFailure::of(ErrorCode::Export, message)
}

/// The path of the file below the host's directory, and never outside it.
pub(crate) fn path(body: &ExportBody, job: &str) -> Result<String, ApiFailure> {
    let file = body.file_name.clone().unwrap_or_else(|| format!("{job}.{}", body.format.extension()));
    name::check(&file).map_err(|why| refused(format!("fileName is not the plain name of a file: {why}")))?;
    if let Some((scheme, _)) = body.export_path.split_once("://") {
        let scheme = shown(scheme);
        return Err(refused(format!(
            "exportPath begins with {scheme}://: files are written below the directory of the host, so give a path there"
        )));
    }
    let directory = body.export_path.strip_suffix('/').unwrap_or(&body.export_path);
    let path = if directory.is_empty() { file } else { format!("{directory}/{file}") };
    name::check_path(&path)
        .map_err(|why| refused(format!("exportPath is not a path below the directory of the host: {why}")))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(export_path: &str, file_name: Option<&str>) -> Result<String, ApiFailure> {
        let body = ExportBody {
            export_path: export_path.to_owned(),
            file_name: file_name.map(str::to_owned),
            ..ExportBody::default()
        };
        path(&body, "id")
    }

    #[test]
    fn a_place_of_another_kind_is_refused_with_its_name() {
        for place in ["obs://bucket/results", "file:///tmp"] {
            let scheme = place.split(':').next().unwrap();
            let refused = asked(place, None).unwrap_err();
            assert!(
                refused.message().starts_with(&format!("exportPath begins with {scheme}://: ")),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_file_is_always_below_the_directory() {
        assert_eq!(asked("", None).unwrap(), "id.csv");
        assert_eq!(asked("a/b/", Some("c.csv")).unwrap(), "a/b/c.csv");
        for (directory, name) in [
            ("..", None),
            ("/etc", None),
            ("a/../../b", None),
            ("a\\b", None),
            ("", Some("../x")),
            ("", Some("")),
            ("", Some(".hidden")),
            ("", Some("..")),
            ("./a", None),
            ("a/./b", None),
            ("a//b", None),
            ("a/b//", None),
            (".ssh", None),
            ("a/.ssh", None),
            ("a\n", None),
            ("", Some("gpj.\u{202e}vsc")),
            ("", Some("a\u{1b}[2J")),
            ("", Some(" ")),
        ] {
            assert!(asked(directory, name).is_err(), "{directory:?} {name:?}");
        }
    }
}
