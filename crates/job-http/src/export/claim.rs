//! [`Claim`]: the note by which a later attempt knows the file of its job.
//!
//! The store decides, not the number of the attempt. Before a file gets its name, the job saves its inode number
//! in its checkpoint. A file without that note is not the job's, and stays as it is.
//!
//! A process may die between making an empty file and saving the note. Such a file cannot be told from a foreign
//! one, so it is refused too. That can happen only without hard links.

use job_runner::{JobContext, JobError};
use serde::{Deserialize, Serialize};

/// The note of a job about its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The inode number of the file. A file with this number under the name is the job's.
    pub(super) inode: u64,
    /// Whether the file grows under its name. Otherwise it gets the name when it is whole.
    pub(super) grows: bool,
    /// The content, after the job has seen the whole file.
    pub(super) written: Option<Written>,
}

/// The bytes that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// The file that has the name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) inode: u64,
    pub(super) bytes: u64,
    pub(super) is_file: bool,
}

/// The file that an attempt finds under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing has the name.
    Free,
    /// Another job has the file.
    Taken,
    /// The file is the one that this note names.
    Own(Claim),
}

impl Claim {
    /// The note of the earlier attempts. A note that cannot be decoded counts as none.
    pub(super) fn saved(ctx: &JobContext) -> Result<Option<Self>, JobError> {
        Ok(ctx.load_checkpoint()?.and_then(|saved| serde_json::from_slice(&saved).ok()))
    }

    /// Saves the note. Fails if the attempt is over.
    pub(super) fn save(self, ctx: &JobContext) -> Result<(), JobError> {
        ctx.save_checkpoint(&serde_json::to_vec(&self)?)
    }

    /// Decides whose file it is. Pure.
    pub(super) fn standing(claim: Option<Self>, found: Option<Found>) -> Standing {
        let Some(found) = found else { return Standing::Free };
        match claim.filter(|claim| found.is_file && claim.inode == found.inode) {
            Some(claim) => Standing::Own(claim),
            None => Standing::Taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_the_store_knows_is_the_jobs_own() {
        let begun = Claim { inode: 7, grows: true, written: None };
        let whole = Claim { written: Some(Written { rows: 2, bytes: 10 }), ..begun };
        let file = |inode| Some(Found { inode, bytes: 10, is_file: true });
        for (claim, found, standing) in [
            (None, None, Standing::Free),
            (Some(begun), None, Standing::Free),
            (Some(whole), None, Standing::Free),
            (None, file(7), Standing::Taken),
            (Some(begun), file(8), Standing::Taken),
            (Some(whole), file(8), Standing::Taken),
            (Some(whole), Some(Found { inode: 7, bytes: 10, is_file: false }), Standing::Taken),
            (Some(begun), file(7), Standing::Own(begun)),
            (Some(whole), file(7), Standing::Own(whole)),
        ] {
            assert_eq!(Claim::standing(claim, found), standing, "{claim:?} {found:?}");
        }
    }
}
