//! [`Key`]: makes one job of a submission that is sent twice.

use axum::{extract::FromRequestParts, http::request::Parts};
use job_runner::{Engine, JobHandle, JobSpec};

use crate::{context::Context, failure::ApiFailure};

/// The header `Idempotency-Key`, if there is one. The same request with the same key is the same job, within a graph.
pub(crate) struct Key(Option<String>);

impl FromRequestParts<Context> for Key {
    type Rejection = ApiFailure;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, ApiFailure> {
        let refused = |why: &str| Err(ApiFailure::parameter(format!("header Idempotency-Key {why}")));
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let Some(key) = keys.next() else { return Ok(Self(None)) };
        if keys.next().is_some() {
            return refused("is given twice: give it once");
        }
        match key.to_str().map(str::trim) {
            Ok("") => refused("is empty: give a text of your own for each request"),
            Ok(key) if key.len() > JobSpec::MAX_NAME => {
                refused(&format!("has {} bytes: at most {} are allowed", key.len(), JobSpec::MAX_NAME))
            }
            Ok(key) => Ok(Self(Some(key.to_owned()))),
            Err(_) => refused("has other characters than printable ASCII"),
        }
    }
}

impl Key {
    /// Submits a job, or finds the one that the same request with this key has made.
    pub(crate) fn submit(self, engine: &Engine, spec: JobSpec) -> Result<JobHandle, ApiFailure> {
        let spec = match self.0 {
            Some(key) => spec.idempotency_key(key),
            None => spec,
        };
        Ok(engine.submit(spec)?)
    }
}
