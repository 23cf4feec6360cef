//! [`Context`]: the state that all requests share.

use std::{ops::Deref, sync::Arc};

use job_runner::{
    Engine, EngineError, JobHandle, JobId, JobReader, JobRecord,
    job_core::shown,
    wire::{Dialect, ErrorCode},
};

use crate::{
    action::Actions,
    authorizer::Authorizer,
    calls::Calls,
    catalog::GraphCatalog,
    ending::Ending,
    extract::Scope,
    failure::ApiFailure,
    limits::Limits,
    lookup::HostLookup,
    origins::Origins,
    shutdown::ShutdownHandle,
    surface::{Style, Surface},
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
    /// The dialect of surfaces that have none of their own.
    pub(crate) default_dialect: Dialect,
    pub(crate) surfaces: Vec<Surface>,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) shutdown: ShutdownHandle,
    pub(crate) exports: bool,
    pub(crate) operator: bool,
    pub(crate) page_project: Option<String>,
    pub(crate) metrics: Option<Render>,
}

/// Writes the metrics of the host's recorder.
pub(crate) type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// The most renders of metrics at once.
const RENDERS: usize = 2;

/// The state that the requests to one surface share.
#[derive(Clone)]
pub(crate) struct Context {
    shared: Arc<Shared>,
    pub(crate) surface: Arc<Surface>,
    /// The dialect of this request.
    pub(crate) dialect: Dialect,
}

struct Shared {
    served: Served,
    calls: Calls,
    renders: Calls,
    vitals: Vitals,
}

impl Deref for Context {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.shared.served
    }
}

impl Context {
    pub(crate) fn new(served: Served) -> Self {
        let calls = Calls::new(served.limits.store_calls);
        let surface = served.surfaces.first().cloned().unwrap_or_else(Surface::service);
        let dialect = served.default_dialect;
        let shared = Arc::new(Shared { served, calls, renders: Calls::new(RENDERS), vitals: Vitals::default() });
        Self { shared, surface: Arc::new(Surface::service()), dialect }.on(surface)
    }

    /// The same API on this surface.
    pub(crate) fn on(&self, surface: Surface) -> Self {
        let dialect = surface.dialect().unwrap_or(self.default_dialect);
        Self { shared: Arc::clone(&self.shared), surface: Arc::new(surface), dialect }
    }

    /// The same API, answering in this dialect.
    pub(crate) fn in_dialect(&self, dialect: Dialect) -> Self {
        Self { dialect, ..self.clone() }
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
        &self.shared.calls
    }

    /// The places of the calls that write metrics.
    pub(crate) fn renders(&self) -> &Calls {
        &self.shared.renders
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.shared.vitals
    }

    /// The answer about a job that is not there. `name` may be any text.
    pub(crate) fn unknown_job(&self, name: &str) -> ApiFailure {
        let failure = match self.surface.style() {
            Style::Service => self.dialect.unknown_job(name).into(),
            Style::Neutral => ApiFailure::of(ErrorCode::JobQuery, format!("there is no job {}", shown(name))),
        };
        failure.ending(Ending::Unknown)
    }

    /// The answer to a cancel of a job that has ended, or is not there.
    pub(crate) fn not_cancellable(&self, name: &str) -> ApiFailure {
        match self.surface.style() {
            Style::Service => self.dialect.not_cancellable(name).into(),
            Style::Neutral => ApiFailure::of(
                ErrorCode::JobCancel,
                format!("job {} cannot be cancelled: it has ended", shown(name)),
            ),
        }
    }

    /// The record of a job as the store has it now. It may block.
    pub(crate) fn refresh(&self, job: &JobHandle, name: &str) -> Result<JobRecord, ApiFailure> {
        job.refresh().map_err(|error| match error {
            EngineError::UnknownJob(_) => self.unknown_job(name),
            error => error.into(),
        })
    }

    /// The job with this id, of any graph. It may block.
    pub(crate) fn any_job(&self, name: &str) -> Result<JobHandle, ApiFailure> {
        let unknown = || self.unknown_job(name);
        let id: JobId = name.parse().map_err(|_| unknown())?;
        self.engine.job(id)?.ok_or_else(unknown)
    }

    /// An unfinished job of the request's graph that the engine has in memory. It does not block.
    pub(crate) fn job_in_memory<A>(&self, scope: &Scope<A>) -> Option<JobRecord> {
        let record = self.engine.job_in_memory(scope.job.parse().ok()?)?.record();
        (!record.state.is_complete() && record.spec.graph() == scope.graph.key).then_some(record)
    }

    /// The job of the request, if it is of the request's graph. Any other job is answered like an unknown one, so
    /// that no client learns of jobs of others. It may block.
    pub(crate) fn job<A>(&self, scope: &Scope<A>) -> Result<(JobHandle, JobRecord), ApiFailure> {
        let handle = self.any_job(&scope.job)?;
        let record = handle.record();
        if record.spec.graph() == scope.graph.key {
            Ok((handle, record))
        } else {
            Err(self.unknown_job(&scope.job))
        }
    }
}
