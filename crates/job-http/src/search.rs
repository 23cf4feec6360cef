//! [`Search`]: the jobs that a text finds, in a list.

use job_runner::{JobId, JobRecord, Unreadable};

/// Finds jobs by the end of their id, or by a part of the name of their work or graph. Case does not count.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// In lower case.
    text: String,
    graphs: bool,
}

impl Search {
    /// Looks for this text, and in names of graphs if there may be several; `None` for an empty text, which finds every
    /// job.
    pub(crate) fn new(text: Option<&str>, graphs: bool) -> Option<Self> {
        let text = text.unwrap_or_default().trim().to_lowercase();
        (!text.is_empty()).then_some(Self { text, graphs })
    }

    pub(crate) fn finds(&self, job: &Result<JobRecord, Unreadable>) -> bool {
        match job {
            Err(unreadable) => self.is_end_of(unreadable.job),
            Ok(record) => {
                let kind = record.spec.kind().to_string();
                self.is_end_of(record.id)
                    || self.is_part_of(&kind)
                    || self.graphs && self.is_part_of(record.spec.graph())
            }
        }
    }

    fn is_end_of(&self, id: JobId) -> bool {
        id.to_string().ends_with(&self.text)
    }

    fn is_part_of(&self, name: &str) -> bool {
        name.to_lowercase().contains(&self.text)
    }
}
