//! [`Claim`]: how a later attempt knows that the file is its own job's.
//!
//! The store says so, never the number of the attempt. Before a file gets its name, the job notes in its checkpoint
//! which file that is. A file that the job has not noted is not its own, and stays as it is.
//!
//! A death between the making of an empty file and the note about it leaves a file that cannot be told from a foreign
//! one. So it is refused as well. That happens only where there are no hard links.

use job_runner::{JobContext, JobError};
use serde::{Deserialize, Serialize};

/// The note that a job keeps about its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The number of the file in its file system: a file of this number under the name is the job's.
    pub(super) inode: u64,
    /// Whether it grows under its name. Else it gets the name when all of it is there.
    pub(super) grows: bool,
    /// Its content, once the job has seen all of it there.
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

/// How an attempt finds its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing has the name.
    Free,
    /// Another job has it.
    Taken,
    /// The file is the one that this note is about.
    Own(Claim),
}

impl Claim {
    /// The note of the attempts before this one. One that is not understood says nothing.
    pub(super) fn saved(ctx: &JobContext) -> Result<Option<Self>, JobError> {
        Ok(ctx.load_checkpoint()?.and_then(|saved| serde_json::from_slice(&saved).ok()))
    }

    /// Stores the note. An attempt that is over cannot.
    pub(super) fn save(self, ctx: &JobContext) -> Result<(), JobError> {
        ctx.save_checkpoint(&serde_json::to_vec(&self)?)
    }

    /// Decides whose file it is.
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
