//! [`Source`]: the jobs that a command asks about or changes, whatever holds them.

use std::{error::Error, ops::ControlFlow, sync::Arc};

use job_demo::graphs::Graphs;
use job_runner::{Engine, JobId, JobReader, JobRecord, JobSpec, PageRequest, Unreadable};

use super::{Global, store};

/// A job of the list; one that cannot be read says why.
pub(super) type Entry = Result<JobRecord, Unreadable>;

/// What a status query gets.
pub(super) struct Answer {
    /// 200, or what an HTTP client would get instead.
    pub(super) http_status: u16,
    /// The payload of the API, byte for byte.
    pub(super) body: Vec<u8>,
}

/// Answers about jobs.
pub(super) trait Source {
    /// Shows every job, the newest first, until `visit` breaks.
    fn each(&self, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), Box<dyn Error>>;

    /// One job; `None` if there is no such job.
    fn record(&self, id: JobId) -> Result<Option<JobRecord>, Box<dyn Error>>;

    /// The state of a job, or a page of its result.
    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>>;
}

/// Changes jobs, too.
pub(super) trait Changes: Source {
    /// Stores a job that has been checked.
    fn submit(&self, spec: JobSpec) -> Result<JobId, Box<dyn Error>>;

    /// Cancels a job that has not ended.
    fn cancel(&self, id: JobId) -> Result<(), Box<dyn Error>>;
}

/// Opens what answers.
pub(super) fn read(global: &Global) -> Result<Box<dyn Source>, Box<dyn Error>> {
    Ok(Box::new(store::read(global)?))
}

/// Opens what takes changes. It runs no job.
pub(super) fn write(global: &Global) -> Result<Box<dyn Changes>, Box<dyn Error>> {
    let graphs = Arc::new(Graphs::new(global.wordnet.clone()));
    Ok(Box::new(store::engine(&store::write(global)?, &graphs, 0)?))
}

impl Source for JobReader {
    fn each(&self, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), Box<dyn Error>> {
        const PIECE: u32 = 500;
        let mut before = None;
        loop {
            let entries = match before {
                None => self.entries(PageRequest::new(0, PIECE)?)?,
                Some(before) => self.entries_before(before, PIECE)?,
            };
            let is_end = entries.len() < usize::try_from(PIECE)?;
            for entry in entries {
                before = Some(id(&entry));
                if visit(entry).is_break() {
                    return Ok(());
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn record(&self, id: JobId) -> Result<Option<JobRecord>, Box<dyn Error>> {
        Ok(Self::record(self, id)?)
    }

    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
        let status = Self::status(self, id, page)?;
        let mut body = Vec::new();
        status.write_to(&mut body)?;
        Ok(Answer { http_status: status.http_status(), body })
    }
}

impl Source for Engine {
    fn each(&self, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), Box<dyn Error>> {
        self.reader().each(visit)
    }

    fn record(&self, id: JobId) -> Result<Option<JobRecord>, Box<dyn Error>> {
        Source::record(&self.reader(), id)
    }

    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
        Source::status(&self.reader(), id, page)
    }
}

impl Changes for Engine {
    fn submit(&self, spec: JobSpec) -> Result<JobId, Box<dyn Error>> {
        Ok(Self::submit(self, spec)?.id())
    }

    fn cancel(&self, id: JobId) -> Result<(), Box<dyn Error>> {
        Self::cancel(self, id)?;
        Ok(())
    }
}

/// The id of a job of the list.
pub(super) const fn id(entry: &Entry) -> JobId {
    match entry {
        Ok(record) => record.id,
        Err(unreadable) => unreadable.job,
    }
}
