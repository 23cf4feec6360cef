//! [`Context`]: what every request shares.

use std::{ops::Deref, sync::Arc};

use job_runner::{Engine, EngineError, JobHandle, JobId, JobReader, JobRecord, wire::Dialect};

use crate::{
    authorizer::Authorizer, calls::Calls, catalog::GraphCatalog, extract::Scope, failure::ApiFailure,
    limits::Limits, origins::Origins, shutdown::ShutdownHandle, vitals::Vitals,
};

/// The parts of an API.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) engine: Arc<Engine>,
    pub(crate) reader: JobReader,
    pub(crate) graphs: Arc<dyn GraphCatalog>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) dialect: Dialect,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) shutdown: ShutdownHandle,
    pub(crate) exports: bool,
    pub(crate) operator: bool,
    pub(crate) page_project: Option<String>,
}

/// The state that every request shares.
#[derive(Clone)]
pub(crate) struct Context(Arc<Shared>);

struct Shared {
    served: Served,
    calls: Calls,
    vitals: Vitals,
}

impl Deref for Context {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.0.served
    }
}

impl Context {
    pub(crate) fn new(served: Served) -> Self {
        let calls = Calls::new(served.limits.store_calls);
        Self(Arc::new(Shared { served, calls, vitals: Vitals::default() }))
    }

    /// Makes the first call of a request that may wait, beside the threads that serve requests. Every call to the
    /// engine, its store or the code of a host that may take time is made in one of these two ways.
    ///
    /// # Errors
    /// As the call; 503 when there are as many calls as there may be.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, ApiFailure> + Send + 'static,
    ) -> Result<T, ApiFailure> {
        let api = self.clone();
        self.calls().begin(move || call(&api)).await?
    }

    /// Makes a further call of a request that has begun, when there is room for it.
    ///
    /// # Errors
    /// As the call.
    pub(crate) async fn go_on<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, ApiFailure> + Send + 'static,
    ) -> Result<T, ApiFailure> {
        let api = self.clone();
        self.calls().go_on(move || call(&api)).await?
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.0.calls
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }

    /// A job as the store has it now. It may wait for the store.
    pub(crate) fn refresh(&self, job: &JobHandle, name: &str) -> Result<JobRecord, ApiFailure> {
        job.refresh().map_err(|error| match error {
            EngineError::UnknownJob(_) => self.dialect.unknown_job(name).into(),
            error => error.into(),
        })
    }

    /// The job that the request names, if it belongs to the graph that the request names. Anything else is an unknown
    /// job, in the same words, so that no client learns of jobs that are not theirs. It may wait for the store.
    pub(crate) fn job<A>(&self, scope: &Scope<A>) -> Result<(JobHandle, JobRecord), ApiFailure> {
        let unknown = || ApiFailure::from(self.dialect.unknown_job(&scope.job));
        let id: JobId = scope.job.parse().map_err(|_| unknown())?;
        let handle = self.engine.job(id)?.ok_or_else(unknown)?;
        let record = handle.record();
        if record.spec.graph() == scope.graph.key { Ok((handle, record)) } else { Err(unknown()) }
    }
}
