//! [`Key`]: a submission that is sent twice is one job.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use job_runner::{Engine, JobHandle, JobSpec};

use crate::{context::Context, failure::Failure};

/// The header `Idempotency-Key`, if there is one. The same request with the same key is the same job, within a graph.
pub(crate) struct Key(Option<String>);

impl FromRequestParts<Context> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Failure> {
        let refused = |why: &str| Err(Failure::parameter(format!("header Idempotency-Key {why}")));
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
    pub(crate) fn submit(self, engine: &Engine, spec: JobSpec) -> Result<JobHandle, Failure> {
        let Some(key) = self.0 else { return Ok(engine.submit(spec)?) };
        let asked = (spec.kind().clone(), spec.json().clone());
        let job = engine.submit(spec.idempotency_key(key))?;
        let found = job.record();
        if (found.spec.kind(), found.spec.json()) == (&asked.0, &asked.1) {
            return Ok(job);
        }
        let why =
            format!("header Idempotency-Key was used before, for job {}, which asks something else", job.id());
        Err(Failure::parameter(why).with_status(StatusCode::UNPROCESSABLE_ENTITY))
    }
}
