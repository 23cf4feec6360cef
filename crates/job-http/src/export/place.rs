//! [`Place`]: the directory and name of an export below the directory of the host. [`Draft`]: its unfinished file.

use std::{
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions},
};
use job_runner::JobId;

use super::claim::{Claim, Found};

/// A directory held open, and the name of a file in it.
///
/// All files are opened relative to the open directory. So a link that is put into the path meanwhile has no
/// effect.
#[derive(Debug)]
pub(super) struct Place {
    directory: Dir,
    name: String,
}

/// Gives a file a second name in its directory; an error if the name is taken.
pub(super) type Link = fn(&Dir, from: &str, to: &str) -> io::Result<()>;

/// The link of file systems that have hard links.
pub(super) fn hard_link(directory: &Dir, from: &str, to: &str) -> io::Result<()> {
    directory.hard_link(from, directory, to)
}

impl Place {
    /// Opens the directories of `path` below `root`, one inside the other, and makes the missing ones. It follows
    /// no link except `root` itself. The names must have been checked.
    pub(super) fn open(root: &Path, path: &str) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let mut directory = Dir::open_ambient_dir(root, ambient_authority())?;
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
            directory = descend(&directory, parent)?;
        }
        Ok(Self { directory, name: name.to_owned() })
    }

    /// The file that has the name now.
    pub(super) fn found(&self) -> io::Result<Option<Found>> {
        match self.directory.symlink_metadata(&self.name) {
            Ok(found) => Ok(Some(Found { inode: found.ino(), bytes: found.len(), is_file: found.is_file() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the drafts that attempts of `job` up to `last` have left. One of them may still run somewhere.
    /// Without its draft it cannot give a file the name.
    pub(super) fn remove_drafts(&self, job: JobId, last: u32) -> io::Result<()> {
        for attempt in 1..=last {
            match self.directory.remove_file(draft_name(job, attempt)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Begins the draft of a file, in the same directory.
    pub(super) fn draft(&self, job: JobId, attempt: u32) -> io::Result<Draft<'_>> {
        let name = draft_name(job, attempt);
        let out = BufWriter::with_capacity(256 << 10, self.create(&name)?);
        Ok(Draft { place: self, name, out })
    }

    /// Makes the final file, empty; an error if the name is taken.
    pub(super) fn create_target(&self) -> io::Result<u64> {
        Ok(self.create(&self.name)?.metadata()?.ino())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.directory.open_with(name, OpenOptions::new().write(true).create_new(true))
    }

    fn open_existing(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        self.directory.open_with(name, options.follow(FollowSymlinks::No))
    }

    /// Removes the file if it is the one with this inode.
    pub(super) fn remove_target(&self, inode: u64) -> io::Result<()> {
        match self.found()? {
            Some(found) if found.inode == inode => self.directory.remove_file(&self.name),
            _ => Ok(()),
        }
    }

    /// Syncs the names in the directory.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.directory)
    }
}

fn draft_name(job: JobId, attempt: u32) -> String {
    format!(".{job}.{attempt}.part")
}

fn descend(directory: &Dir, name: &str) -> io::Result<Dir> {
    match directory.create_dir(name) {
        Ok(()) => sync(directory)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    directory.open_dir_nofollow(name).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("{name} cannot be opened as a directory; a link is not followed: {error}"),
        )
    })
}

fn sync(directory: &Dir) -> io::Result<()> {
    // The directory may be open as a path only (`O_PATH`), which cannot be synced.
    directory.open(".")?.sync_all()
}

/// An unfinished file beside its target. When it is dropped, its own name is removed; a published file has another
/// name.
#[derive(Debug)]
pub(super) struct Draft<'p> {
    place: &'p Place,
    name: String,
    out: BufWriter<File>,
}

impl Draft<'_> {
    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Syncs the file.
    pub(super) fn seal(&mut self) -> io::Result<Found> {
        self.out.flush()?;
        let file = self.out.get_ref();
        file.sync_all()?;
        let found = file.metadata()?;
        Ok(Found { inode: found.ino(), bytes: found.len(), is_file: true })
    }

    /// Gives the file its final name as a second name.
    pub(super) fn link(&self, link: Link) -> io::Result<()> {
        link(&self.place.directory, &self.name, &self.place.name)
    }

    /// Compares the target with the draft, and writes the missing end to a file that grows. The target must be the
    /// file of `claim`. No byte in it is replaced. `each` is called between two pieces.
    pub(super) fn fill<E: From<io::Error>>(
        &self,
        claim: Claim,
        mut each: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        let changed = || io::Error::new(io::ErrorKind::AlreadyExists, "the file was changed by somebody else");
        let mut draft = self.place.open_existing(&self.name, OpenOptions::new().read(true))?;
        let mut target =
            self.place.open_existing(&self.place.name, OpenOptions::new().read(true).write(claim.grows))?;
        if target.metadata()?.ino() != claim.inode {
            return Err(changed().into());
        }
        let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            each()?;
            let (ours, theirs) = (read_piece(&mut draft, &mut ours)?, read_piece(&mut target, &mut theirs)?);
            if !ours.starts_with(theirs) || (ours.len() > theirs.len() && !claim.grows) {
                return Err(changed().into());
            }
            target.write_all(ours.get(theirs.len()..).unwrap_or_default())?;
            if ours.is_empty() {
                break;
            }
        }
        if claim.grows {
            target.sync_all()?;
        }
        Ok(())
    }
}

/// Bytes of a file that are compared or copied at once.
const PIECE: usize = 64 << 10;

/// Reads until the piece is full or the file ends.
fn read_piece<'p>(file: &mut File, piece: &'p mut [u8]) -> io::Result<&'p [u8]> {
    let mut length = 0;
    while let Some(free) = piece.get_mut(length..).filter(|free| !free.is_empty()) {
        match file.read(free)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(piece.get(..length).unwrap_or_default())
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let _ = self.place.directory.remove_file(&self.name);
    }
}
