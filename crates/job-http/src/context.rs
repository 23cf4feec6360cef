//! [`Context`]: what every request shares.

use std::{ops::Deref, sync::Arc};

use job_runner::{Engine, JobHandle, JobId, JobReader, JobRecord};

use crate::{
    access::Access, changes::Changes, dialect::Dialect, extract::Scope, failure::Failure, gate::Gate,
    graphs::Graphs, limits::Limits,
};

/// What an API is made of.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) engine: Arc<Engine>,
    pub(crate) reader: JobReader,
    pub(crate) graphs: Arc<dyn Graphs>,
    pub(crate) access: Option<Arc<dyn Access>>,
    pub(crate) dialect: Dialect,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    pub(crate) changes: Arc<Changes>,
    pub(crate) exports: bool,
    pub(crate) page_project: Option<String>,
}

/// What every request shares.
#[derive(Clone)]
pub(crate) struct Context(Arc<Served>);

impl Deref for Context {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.0
    }
}

impl Context {
    pub(crate) fn new(served: Served) -> Self {
        Self(Arc::new(served))
    }

    /// The job that the request names, if it belongs to the graph that the request names. Anything else is an
    /// unknown job, in the same words, so that nobody learns of jobs that are not theirs. A short call: one read
    /// of a record at most.
    pub(crate) fn job<A>(&self, scope: &Scope<A>) -> Result<(JobHandle, JobRecord), Failure> {
        let unknown = || Failure::from(self.dialect.unknown_job(&scope.job));
        let id: JobId = scope.job.parse().map_err(|_| unknown())?;
        let handle = self.engine.job(id)?.ok_or_else(unknown)?;
        let record = handle.record();
        if record.spec.graph_name() == scope.graph.key { Ok((handle, record)) } else { Err(unknown()) }
    }
}
