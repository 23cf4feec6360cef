//! [`Key`]: makes one job of a submission that is sent twice, and keeps its place in a trace.

use axum::{extract::FromRequestParts, http::request::Parts};
use job_runner::{Engine, JobHandle, JobSpec};

use crate::{context::Context, failure::ApiFailure};

/// The header `Idempotency-Key`, if there is one. The same request with the same key is the same job, within a graph.
pub(crate) struct Key {
    key: Option<String>,
    /// The header `traceparent`. By its standard, one that is not valid is left out.
    trace: Option<String>,
}

impl FromRequestParts<Context> for Key {
    type Rejection = ApiFailure;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, ApiFailure> {
        let refused = |why: &str| Err(ApiFailure::parameter(format!("header Idempotency-Key {why}")));
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let trace = trace(parts);
        let Some(key) = keys.next() else { return Ok(Self { key: None, trace }) };
        if keys.next().is_some() {
            return refused("is given twice: give it once");
        }
        match key.to_str().map(str::trim) {
            Ok("") => refused("is empty: give a text of your own for each request"),
            Ok(key) if key.len() > JobSpec::MAX_NAME => {
                refused(&format!("has {} bytes: at most {} are allowed", key.len(), JobSpec::MAX_NAME))
            }
            Ok(key) => Ok(Self { key: Some(key.to_owned()), trace }),
            Err(_) => refused("has other characters than printable ASCII"),
        }
    }
}

/// The place in a trace that the request names.
fn trace(parts: &Parts) -> Option<String> {
    let mut given = parts.headers.get_all("traceparent").iter();
    let text = given.next()?.to_str().ok()?.trim();
    (given.next().is_none() && JobSpec::is_trace_parent(text)).then(|| text.to_owned())
}

impl Key {
    /// Submits a job, or finds the one that the same request with this key has made.
    pub(crate) fn submit(self, engine: &Engine, spec: JobSpec) -> Result<JobHandle, ApiFailure> {
        let spec = match self.trace {
            Some(trace) => spec.trace_parent(trace),
            None => spec,
        };
        let spec = match self.key {
            Some(key) => spec.idempotency_key(key),
            None => spec,
        };
        Ok(engine.submit(spec)?)
    }
}
