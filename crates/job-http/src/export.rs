//! [`Exporter`]: the handler of jobs that write a result to a file.

mod claim;
pub(crate) mod csv;
#[cfg(test)]
mod deaths;
pub(crate) mod jsonl;
pub(crate) mod name;
mod place;
mod writer;

use std::{fmt, io, ops::ControlFlow, path::PathBuf, sync::Arc};

use job_runner::{
    Handler, JobContext, JobError, JobId, JobReader, JobResult, JobState, Outcome,
    job_core::shown,
    store::{ErrorKind, Store, StoreError},
    wire,
};
use serde::{Deserialize, Serialize};

pub use self::writer::{Format, ResultWriter};
use self::{
    claim::{Claim, Standing, Written},
    place::{Draft, Link, Place},
};

/// Writes results to files in one directory of the host: a handler for jobs of its own kind.
///
/// Rows are copied from the store's blocks into the file, so memory does not grow with the result. The file gets
/// its name when it is whole and synced. An existing file is never replaced, unless the store knows it as the file
/// of the same job. No link below the directory is followed. The exported job is removed only if the request says
/// `"erase": true`, and after the file is synced. The original service removes it by default.
///
/// In a file system without hard links the file grows under its name, and a stopped export leaves a part of it. A
/// process that dies leaves `.JOB.ATTEMPT.part`, which the next attempt of the job removes.
///
/// ```
/// use std::sync::Arc;
/// use job_http::Exporter;
/// use job_runner::{Engine, store::MemoryStore};
///
/// let store = Arc::new(MemoryStore::default());
/// let directory = tempfile::tempdir()?;
/// let exporter = Exporter::new(Arc::clone(&store) as Arc<_>, directory.path());
/// let engine = Engine::builder(store).algorithm(Exporter::KIND, exporter).open()?;
/// # drop(engine);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Exporter {
    store: Arc<dyn Store>,
    directory: PathBuf,
    link: Link,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The parameters of an export job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    pub(crate) source: JobId,
    /// The path below the directory.
    pub(crate) path: String,
    pub(crate) format: Format,
    pub(crate) erase: bool,
    #[serde(default)]
    pub(crate) guard_formulas: bool,
}

impl Exporter {
    /// The kind of its jobs, as the name of an algorithm; see [`EngineBuilder::algorithm`](job_runner::EngineBuilder::algorithm).
    pub const KIND: &'static str = wire::EXPORT_RESULT;

    /// Exports results of `store`, which is the engine's own, to files below `directory`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, directory: impl Into<PathBuf>) -> Self {
        Self { store, directory: directory.into(), link: place::hard_link }
    }

    fn export(&self, ctx: &JobContext, export: &Export) -> Result<Written, Trouble> {
        // The API checked the request, but a host may submit a job without the API.
        name::check_path(&export.path).map_err(|refused| JobError::failed(format!("file {refused}")))?;
        let place = Place::open(&self.directory, &export.path)?;
        place.remove_drafts(ctx.id(), ctx.attempt())?;
        let reader = JobReader::new(Arc::clone(&self.store));
        let found = place.found()?;
        let written = match (Claim::standing(Claim::saved(ctx)?, found), source(ctx, &reader, export)?) {
            // An attempt that died after it removed the job has left a whole file.
            (Standing::Own(Claim { written: Some(written), .. }), None)
                if export.erase && found.is_some_and(|found| found.bytes == written.bytes) =>
            {
                written
            }
            (_, None) => {
                return Err(JobError::failed(format!("can not find job, jobId is {}", export.source)).into());
            }
            (Standing::Taken, Some(_)) => return Err(taken().into()),
            (Standing::Free, Some(result)) => self.write(ctx, export, &place, None, &result)?,
            (Standing::Own(claim), Some(result)) => self.write(ctx, export, &place, Some(claim), &result)?,
        };
        if export.erase {
            self.store.remove(export.source).map_err(JobError::Store)?;
        }
        Ok(written)
    }

    /// Writes the file, or the missing end of an existing one, and notes that it is whole.
    fn write(
        &self,
        ctx: &JobContext,
        export: &Export,
        place: &Place,
        own: Option<Claim>,
        result: &JobResult,
    ) -> Result<Written, Trouble> {
        let reader = JobReader::new(Arc::clone(&self.store));
        let mut draft = place.draft(ctx.id(), ctx.attempt())?;
        let rows = copy(ctx, &reader, export, result, &mut draft)?;
        let sealed = draft.seal()?;
        let claim = match own {
            // A new file may have the number of a removed one, so the content is compared.
            Some(claim) => {
                draft.fill(claim, || Ok::<_, Trouble>(ctx.check_stopped()?))?;
                claim
            }
            None => self.publish(ctx, place, &draft, sealed.inode)?,
        };
        place.sync()?;
        let written = Written { rows, bytes: sealed.bytes };
        Claim { written: Some(written), ..claim }.save(ctx)?;
        Ok(written)
    }

    /// Gives the draft its name, as the job's own file.
    fn publish(&self, ctx: &JobContext, place: &Place, draft: &Draft<'_>, inode: u64) -> Result<Claim, Trouble> {
        ctx.check_stopped()?;
        let claim = Claim { inode, grows: false, written: None };
        claim.save(ctx)?;
        match draft.link(self.link) {
            Ok(()) => return Ok(claim),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken().into()),
            // The draft is gone: a later attempt has begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "no hard link: the file grows under its name"),
        }
        let inode = place.create_target().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(),
            _ => error,
        })?;
        let claim = Claim { inode, grows: true, written: None };
        if let Err(error) = claim.save(ctx) {
            // Without the note, no later attempt knows whose file it is.
            place.remove_target(inode)?;
            return Err(error.into());
        }
        draft.fill(claim, || Ok::<_, Trouble>(ctx.check_stopped()?))?;
        Ok(claim)
    }
}

impl Handler for Exporter {
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        let export: Export = ctx.spec().parameters().read()?;
        let written = self.export(ctx, &export).map_err(|trouble| trouble.into_job_error(&export.path))?;
        ctx.set_output("file", &export.path)?;
        ctx.set_output("rows", &written.rows)?;
        ctx.set_output("bytes", &written.bytes)?;
        Ok(())
    }
}

/// The reason why an export wrote no file.
enum Trouble {
    Job(JobError),
    File(io::Error),
}

impl Trouble {
    fn into_job_error(self, path: &str) -> JobError {
        match self {
            Self::Job(error) => error,
            Self::File(error) => JobError::failed(format!("file {} cannot be written: {error}", shown(path))),
        }
    }
}

impl From<JobError> for Trouble {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Job(error.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "a file of this name exists; name another")
}

/// The result of the exported job, which must be of the same graph; `None` if there is no such job.
fn source(ctx: &JobContext, reader: &JobReader, export: &Export) -> Result<Option<JobResult>, JobError> {
    let record = reader.record(export.source).map_err(store_error)?;
    let Some(record) = record.filter(|record| record.spec.graph() == ctx.spec().graph()) else {
        return Ok(None);
    };
    if record.state != JobState::Complete(Outcome::Succeeded) {
        let (id, state) = (record.id, record.state);
        return Err(JobError::failed(format!("job {id} is {state}: only a result can be exported")));
    }
    Ok(Some(reader.result(export.source).map_err(store_error)?.unwrap_or_default()))
}

/// Writes values and rows. Returns the number of rows.
fn copy(
    ctx: &JobContext,
    reader: &JobReader,
    export: &Export,
    result: &JobResult,
    draft: &mut Draft<'_>,
) -> Result<u64, Trouble> {
    /// Progress is reported after each such number of rows.
    const STEP: u64 = 10_000;
    let total = result.size().rows;
    let list = result.list.as_ref().map(|list| (list.name(), list.rows()));
    let guard = export.guard_formulas;
    let mut lines = ResultWriter::new(export.format, guard, result.outputs.iter(), list, draft.out())?;
    let mut rows = 0;
    reader.rows(export.source, 0).map_err(store_error)?.for_each(|row| {
        ctx.check_stopped()?;
        lines.row(row)?;
        rows += 1;
        if rows % STEP == 0 {
            ctx.set_progress(rows, total);
        }
        Ok::<_, Trouble>(ControlFlow::Continue(()))
    })?;
    lines.end()?;
    ctx.set_progress(total, total);
    Ok(rows)
}

fn store_error(error: job_runner::EngineError) -> JobError {
    match error {
        job_runner::EngineError::Store(error) => JobError::Store(error),
        other => StoreError::new(ErrorKind::Unavailable, "read the result", other.to_string()).into(),
    }
}
