//! [`Place`]: the directory or the file of a store, known by what it is and not by how its path is spelled.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a store is.
#[derive(Debug)]
pub(crate) struct Place {
    /// Absolute and without links: it stays right when the process changes its directory.
    path: PathBuf,
}

impl Place {
    /// The directory at `path`, which is made when there is none.
    pub(crate) fn directory(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Self::found(path)
    }

    /// What is at `path`.
    pub(crate) fn found(path: &Path) -> io::Result<Self> {
        Ok(Self { path: fs::canonicalize(path)? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a file or a directory is to the system, whatever its names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// Of what is at `path` now.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path)?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }

    /// Other systems do not let a directory be moved while it is in use.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|_| Self { device: 0, number: 0 })
    }
}
