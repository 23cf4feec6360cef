//! [`Draft`]: a file that appears under its name only when it is whole.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use job_runner::JobId;

/// A file in the making, beside its target. Dropped before it is published, it goes away.
pub(super) struct Draft {
    out: BufWriter<File>,
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Makes the directories of `target`, and in the last one a file that is named after `job`.
    pub(super) fn create(target: &Path, job: JobId) -> io::Result<Self> {
        let directory = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let path = directory.join(format!(".{job}.part"));
        let out = BufWriter::with_capacity(256 << 10, File::create(&path)?);
        Ok(Self { out, path, target: target.to_owned() })
    }

    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Brings the file to the disk and gives it its name; says how long it is. A file of that name is an error,
    /// unless this is a `repeated` attempt, which may find what the attempt before it published.
    pub(super) fn publish(mut self, repeated: bool) -> io::Result<u64> {
        self.out.flush()?;
        let file = self.out.get_ref();
        file.sync_all()?;
        let length = file.metadata()?.len();
        if repeated {
            fs::rename(&self.path, &self.target)?;
        } else {
            // Unlike a rename, a link never replaces what is there.
            fs::hard_link(&self.path, &self.target).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    io::Error::new(error.kind(), "a file of this name exists; name another")
                }
                _ => error,
            })?;
        }
        if let Some(directory) = self.target.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(length)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After publishing the file has its own name, and needs this one no longer.
        let _ = fs::remove_file(&self.path);
    }
}
