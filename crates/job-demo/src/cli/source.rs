//! [`Source`]: the jobs that a command reads or changes, in a store or behind a server.

use std::{error::Error, ops::ControlFlow, sync::Arc, time::Duration};

use job_demo::{check::check, graphs::Graphs};
use job_runner::{
    Engine, EngineError, JobFilter, JobId, JobReader, JobSpec, PageRequest, Parameters, wire::Dialect,
};

use super::{
    Global,
    job::Job,
    run::WORKERS,
    server,
    store::{self, Opened},
};

/// The answer to a status query.
pub(super) struct Answer {
    /// The HTTP status of the same answer by the API.
    pub(super) http_status: u16,
    /// The payload of the API, byte for byte.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer about an unknown job. `id` may be any text.
    pub(super) fn unknown(id: &str) -> Self {
        let dialect = Dialect::Document;
        let payload = dialect.error(&dialect.unknown_job(id));
        Self { http_status: payload.http_status(), body: payload.head().to_vec() }
    }
}

/// Reads jobs.
pub(super) trait Source {
    /// Shows every job that `filter` takes, the newest first, until `visit` breaks.
    fn each(
        &self,
        filter: &JobFilter,
        visit: &mut dyn FnMut(Job) -> ControlFlow<()>,
    ) -> Result<(), Box<dyn Error>>;

    /// One job; `None` if there is no such job.
    fn job(&self, id: JobId) -> Result<Option<Job>, Box<dyn Error>>;

    /// The parameters of the job's request.
    fn parameters(&self, job: &Job) -> Result<Option<Parameters>, Box<dyn Error>> {
        Ok(job.parameters.clone())
    }

    /// The state of a job, or a page of its result.
    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>>;

    /// As [`status`](Self::status), with the rows so far of a running job; `None` if only the process that runs it
    /// knows them.
    fn so_far(&self, id: JobId, page: PageRequest) -> Result<Option<Answer>, Box<dyn Error>> {
        let _ = (id, page);
        Ok(None)
    }
}

/// Reads and changes jobs.
pub(super) trait Changes: Source {
    /// Stores a job. A job that cannot be run is refused.
    fn submit(&self, spec: JobSpec) -> Result<JobId, Box<dyn Error>>;

    /// Cancels a job that has not ended.
    fn cancel(&self, id: JobId) -> Result<(), Box<dyn Error>>;

    /// Waits for the end of a job. Calls `show` now and then until then.
    fn wait(&self, id: JobId, show: &mut dyn FnMut(&Job)) -> Result<Job, Box<dyn Error>>;
}

/// Opens a source for reading: the server of the store, or the store itself.
pub(super) fn read(global: &Global) -> Result<Box<dyn Source>, Box<dyn Error>> {
    match server::find(global)? {
        Some(server) => Ok(Box::new(server)),
        None => Ok(Box::new(store::read(global)?)),
    }
}

/// Opens a source for changes, which runs no job.
pub(super) fn write(global: &Global) -> Result<Box<dyn Changes>, Box<dyn Error>> {
    match server::find(global)? {
        Some(server) => Ok(Box::new(server)),
        None => Ok(Box::new(Local::open(global, &store::write(global)?, 0)?)),
    }
}

/// Opens a source for changes, and makes sure that jobs run: in this process if it has the store for itself.
pub(super) fn run(global: &Global) -> Result<Box<dyn Changes>, Box<dyn Error>> {
    if let Some(server) = server::find(global)? {
        return Ok(Box::new(server));
    }
    let store = store::write(global)?;
    let workers = if store.is_shared() { 0 } else { WORKERS };
    Ok(Box::new(Local::open(global, &store, workers)?))
}

/// A store that this process has open for changes.
struct Local {
    engine: Engine,
    graphs: Arc<Graphs>,
}

impl Local {
    fn open(global: &Global, store: &Opened, workers: usize) -> Result<Self, Box<dyn Error>> {
        let graphs = Arc::new(global.graphs());
        Ok(Self {
            engine: store.engine(&store::Work { graphs: &graphs, workers, exports: None, lenient: false })?,
            graphs,
        })
    }
}

impl Source for JobReader {
    fn each(
        &self,
        filter: &JobFilter,
        visit: &mut dyn FnMut(Job) -> ControlFlow<()>,
    ) -> Result<(), Box<dyn Error>> {
        const PIECE: u32 = 500;
        let mut before = None;
        loop {
            let entries = self.filtered(filter, before, PIECE)?;
            let is_end = entries.len() < usize::try_from(PIECE)?;
            for job in entries.into_iter().map(Job::from) {
                before = Some(job.id);
                if visit(job).is_break() {
                    return Ok(());
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn job(&self, id: JobId) -> Result<Option<Job>, Box<dyn Error>> {
        Ok(self.record(id)?.as_ref().map(Job::from))
    }

    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
        let status = Self::status(self, id, page)?;
        let mut body = Vec::new();
        status.write_to(&mut body)?;
        Ok(Answer { http_status: status.payload().http_status(), body })
    }
}

impl Source for Local {
    fn each(
        &self,
        filter: &JobFilter,
        visit: &mut dyn FnMut(Job) -> ControlFlow<()>,
    ) -> Result<(), Box<dyn Error>> {
        self.engine.reader().each(filter, visit)
    }

    fn job(&self, id: JobId) -> Result<Option<Job>, Box<dyn Error>> {
        Source::job(&self.engine.reader(), id)
    }

    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
        Source::status(&self.engine.reader(), id, page)
    }
}

impl Changes for Local {
    fn submit(&self, spec: JobSpec) -> Result<JobId, Box<dyn Error>> {
        check(&self.graphs, &spec)?;
        Ok(self.engine.submit(spec)?.id())
    }

    fn cancel(&self, id: JobId) -> Result<(), Box<dyn Error>> {
        self.engine.cancel(id)?;
        Ok(())
    }

    fn wait(&self, id: JobId, show: &mut dyn FnMut(&Job)) -> Result<Job, Box<dyn Error>> {
        const TICK: Duration = Duration::from_millis(100);
        let handle = self.engine.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        loop {
            if let Some(record) = handle.wait_timeout(TICK)? {
                return Ok(Job::from(&record));
            }
            let progress = Some(handle.progress()).filter(|progress| progress.total > 0);
            let progress = progress.map(|progress| progress.percent().into());
            show(&Job { progress, ..Job::from(&handle.record()) });
        }
    }
}
