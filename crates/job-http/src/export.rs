//! [`Exporter`]: the handler of jobs that write a result to a file.

pub(crate) mod csv;
mod file;

use std::{path::PathBuf, sync::Arc};

use job_runner::{
    Ending, Handler, JobContext, JobError, JobId, JobReader, JobState, PageRequest,
    core::shown,
    store::{ErrorKind, Store, StoreError},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::file::Draft;

/// Writes results to files in one directory of the host: a handler for jobs of its own kind.
///
/// The rows go from the store's blocks into the file; memory does not grow with the result. The file appears
/// under its name when it is whole and on the disk, and a file that is there already is never replaced by another
/// job. Unlike the original service, which erases the exported job unless told not to, this one erases it only
/// when the request says `"erase": true`, and after the file is safe.
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
#[derive(Debug)]
pub struct Exporter {
    store: Arc<dyn Store>,
    directory: PathBuf,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Values as comments, then a line of comma-separated fields a row.
    #[default]
    Csv,
    /// A line of JSON a row, as the result has it; no values.
    Jsonl,
}

impl Format {
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// The parameters of an export job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    pub(crate) source: JobId,
    /// Where, below the directory.
    pub(crate) path: String,
    pub(crate) format: Format,
    pub(crate) erase: bool,
}

impl Exporter {
    /// The kind of its jobs, as the name of an algorithm; see [`EngineBuilder::algorithm`](job_runner::EngineBuilder::algorithm).
    pub const KIND: &'static str = "export-result";

    /// Exports results of `store`, which is the engine's own, to files below `directory`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, directory: impl Into<PathBuf>) -> Self {
        Self { store, directory: directory.into() }
    }

    fn export(&self, ctx: &JobContext, export: &Export) -> Result<(), JobError> {
        let reader = JobReader::new(Arc::clone(&self.store));
        let source = reader.record(export.source).map_err(store_error)?;
        let own = source.filter(|record| record.spec.graph_name() == ctx.spec().graph_name());
        let target = self.directory.join(&export.path);
        let Some(source) = own else {
            // An attempt that died between erasing the source and its own end has left the whole file.
            if export.erase && ctx.attempt() > 1 && target.is_file() {
                return Ok(ctx.output("file", &export.path)?);
            }
            return Err(JobError::failed(format!("can not find job, jobId is {}", export.source)));
        };
        if source.state != JobState::Complete(Ending::Succeeded) {
            return Err(JobError::failed(format!(
                "job {} is {}: only a result can be exported",
                source.id, source.state
            )));
        }
        let mut draft = Draft::create(&target, ctx.id()).map_err(|error| file_error(&export.path, &error))?;
        let rows = copy(ctx, &reader, export, &mut draft)?;
        let bytes = draft.publish(ctx.attempt() > 1).map_err(|error| file_error(&export.path, &error))?;
        if export.erase {
            self.store.remove(source.id)?;
        }
        ctx.output("file", &export.path)?;
        ctx.output("rows", &rows)?;
        ctx.output("bytes", &bytes)?;
        Ok(())
    }
}

impl Handler for Exporter {
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        let export: Export = ctx.spec().json().read()?;
        self.export(ctx, &export)
    }
}

/// Writes values and rows, in pages so that a cancel and progress come through.
fn copy(ctx: &JobContext, reader: &JobReader, export: &Export, draft: &mut Draft) -> Result<u64, JobError> {
    const STEP: u32 = 10_000;
    let result = reader.result(export.source).map_err(store_error)?.unwrap_or_default();
    let total = result.size().rows;
    if export.format == Format::Csv {
        csv::head(&result, draft.out()).map_err(|error| file_error(&export.path, &error))?;
    }
    let mut offset = 0;
    while offset < total {
        ctx.checkpoint()?;
        ctx.set_progress(offset, total);
        let request = PageRequest::new(offset, STEP).map_err(|error| JobError::failed(error.to_string()))?;
        let page = reader.page(export.source, request).map_err(store_error)?;
        let mut failed = None;
        page.for_each(|row| {
            Ok(match write_row(export.format, row, draft) {
                Ok(()) => std::ops::ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    std::ops::ControlFlow::Break(())
                }
            })
        })?;
        if let Some(error) = failed {
            return Err(file_error(&export.path, &error));
        }
        offset += u64::from(STEP);
    }
    ctx.set_progress(total, total);
    Ok(total)
}

fn write_row(format: Format, row: &[u8], draft: &mut Draft) -> std::io::Result<()> {
    let out = draft.out();
    match format {
        Format::Csv => csv::row(row, out),
        Format::Jsonl => out.write_all(row).and_then(|()| out.write_all(b"\n")),
    }
}

fn file_error(path: &str, error: &std::io::Error) -> JobError {
    JobError::failed(format!("file {} cannot be written: {error}", shown(path)))
}

fn store_error(error: job_runner::EngineError) -> JobError {
    match error {
        job_runner::EngineError::Store(error) => JobError::Store(error),
        other => StoreError::new(ErrorKind::Unavailable, "read the result", other.to_string()).into(),
    }
}
