//! Synchronous submissions: the answer is the result of the job.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use job_runner::{JobHandle, JobState, Outcome, PageRequest, wire::ApiError};

use super::status::{completion, send};
use crate::{
    action::HostAction, body::json, context::Context, ending::Ending, failure::ApiFailure, patience::Patience,
};

/// Says that a request for a synchronous answer was answered asynchronously (RFC 7240).
pub(super) const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Waits for the job, and answers a page of its result. After the bound of the host the answer is the id of the job.
///
/// The request waits on a signal of the engine. It holds no worker, no place of a call to the store and no lock. A client
/// that goes away leaves the job as it is.
pub(super) async fn answer(
    api: &Context,
    action: &HostAction,
    job: JobHandle,
    page: PageRequest,
    patience: &Patience,
) -> Result<Response, ApiFailure> {
    let bound = api.limits.sync_time;
    patience.extend(bound);
    let record = completion(api, &job, bound).await?;
    let form = action.answer_form();
    if !record.state.is_complete() {
        let mut response = json(StatusCode::ACCEPTED, api.dialect.not_yet(form, &record));
        response.headers_mut().insert(APPLIED, HeaderValue::from_static("respond-async"));
        return Ok(response);
    }
    if record.state != JobState::Complete(Outcome::Succeeded) {
        let why = ApiError::of_job(&record).map(|error| error.message).unwrap_or_default();
        let failure = action.failed(why);
        return Err(Ending::of(&record).map_or(failure.clone(), |ending| failure.ending(ending)));
    }
    let read = move |api: &Context| {
        let dialect = api.dialect;
        let shown = api.reader.answer(
            record.id,
            page,
            |_| true,
            |record, result| match result {
                Some(result) => dialect.result(form, record, result, page),
                None => dialect.status(record, None, page),
            },
        )?;
        // The retention may have removed the job meanwhile.
        let gone = || api.unknown_job(&record.id.to_string());
        send(api, shown.ok_or_else(gone)?)
    };
    api.go_on(read).await
}
