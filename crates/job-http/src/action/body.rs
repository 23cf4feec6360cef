//! The bodies of filters and algorithms.

use job_runner::{
    JobSpec, PageRequest, Parameters,
    job_core::strict::{self, InvalidBody, Raw},
    wire::ErrorCode,
};
use serde::Deserialize;

use super::Asked;
use crate::{catalog::JobRequest, export::Exporter, failure::ApiFailure};

/// Checks that a body is a JSON object, and keeps it unchanged.
pub(crate) fn object(text: String, code: &str) -> Result<Parameters, ApiFailure> {
    strict::object("the body", text).map_err(|invalid| ApiFailure::new(code.to_owned(), invalid.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlgorithmRequest<'b> {
    algorithm_name: Option<String>,
    #[serde(borrow)]
    parameters: Option<Raw<'b>>,
    execution_mode: Option<String>,
    #[serde(borrow)]
    offset: Option<Raw<'b>>,
    #[serde(borrow)]
    limit: Option<Raw<'b>>,
}

/// Reads the body of an algorithm: the request, and the mode with the page of a synchronous answer.
pub(crate) fn algorithm(body: &str) -> Result<(JobRequest, Asked), ApiFailure> {
    let refused = |invalid: InvalidBody| ApiFailure::of(ErrorCode::Algorithm, invalid.to_string());
    let body: AlgorithmRequest<'_> = strict::read("the body", body).map_err(refused)?;
    let name = body.algorithm_name.unwrap_or_default();
    check_name(&name)?;
    let parameters = body.parameters.map_or_else(
        || Ok(Parameters::default()),
        |parameters| strict::object("parameters", parameters.as_str().to_owned()),
    );
    let page = PageRequest::parse(number(body.offset.as_ref()), number(body.limit.as_ref()))?;
    let asked = Asked::new(JobSpec::algorithm(name.as_str())).mode(body.execution_mode.as_deref()).page(page);
    Ok((JobRequest::Algorithm { name, parameters: parameters.map_err(refused)? }, asked))
}

/// Refuses a name that no client may give.
pub(crate) fn check_name(name: &str) -> Result<(), ApiFailure> {
    if name.is_empty() {
        return Err(ApiFailure::of(ErrorCode::AlgorithmName, "algorithmName is empty: name the algorithm"));
    }
    if name == Exporter::KIND {
        return Err(ApiFailure::of(ErrorCode::Algorithm, format!("algorithm {name} is unknown")));
    }
    Ok(())
}

/// A number of the body as its text. The samples also write numbers as texts.
fn number<'b>(given: Option<&Raw<'b>>) -> Option<&'b str> {
    given
        .map(Raw::as_str)
        .map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
}
