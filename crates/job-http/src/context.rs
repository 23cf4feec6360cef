//! [`Context`]: the state that all requests share.

use std::{ops::Deref, sync::Arc};

use job_runner::{Engine, EngineError, JobHandle, JobId, JobReader, JobRecord, wire::Dialect};

use crate::{
    action::Actions, authorizer::Authorizer, calls::Calls, catalog::GraphCatalog, extract::Scope,
    failure::ApiFailure, limits::Limits, lookup::HostLookup, origins::Origins, shutdown::ShutdownHandle,
    vitals::Vitals,
};

/// The parts of an API.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) engine: Arc<Engine>,
    pub(crate) reader: JobReader,
    pub(crate) graphs: Arc<dyn GraphCatalog>,
    pub(crate) actions: Actions,
    pub(crate) lookups: Vec<HostLookup>,
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

    /// Makes the first blocking call of a request, on a thread of its own. Every call to the engine, its store or
    /// the code of a host goes through this method or the next.
    ///
    /// # Errors
    /// The error of the call, or 503 when [`Limits::store_calls`] are running.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, ApiFailure> + Send + 'static,
    ) -> Result<T, ApiFailure> {
        let api = self.clone();
        self.calls().begin(move || call(&api)).await?
    }

    /// Makes a later blocking call of a request, when a place is free.
    ///
    /// # Errors
    /// The error of the call.
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

    /// The record of a job as the store has it now. It may block.
    pub(crate) fn refresh(&self, job: &JobHandle, name: &str) -> Result<JobRecord, ApiFailure> {
        job.refresh().map_err(|error| match error {
            EngineError::UnknownJob(_) => self.dialect.unknown_job(name).into(),
            error => error.into(),
        })
    }

    /// The job of the request, if it is of the request's graph. Any other job is answered like an unknown one, so
    /// that no client learns of jobs of others. It may block.
    pub(crate) fn job<A>(&self, scope: &Scope<A>) -> Result<(JobHandle, JobRecord), ApiFailure> {
        let unknown = || ApiFailure::from(self.dialect.unknown_job(&scope.job));
        let id: JobId = scope.job.parse().map_err(|_| unknown())?;
        let handle = self.engine.job(id)?.ok_or_else(unknown)?;
        let record = handle.record();
        if record.spec.graph() == scope.graph.key { Ok((handle, record)) } else { Err(unknown()) }
    }
}
