//! What a power cut leaves of a store's files.
//!
//! RocksDB syncs every file but its newest log before it relies on it. So a cut leaves all files, and of the newest
//! log what was synced, any part of what was not, and perhaps zeros where the size of the file came to the disk
//! before its content.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The sizes of the files of a directory, by name.
pub type Sizes = BTreeMap<String, u64>;

/// How the unsynced end of the newest log comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// This part of it, in thousandths, is there.
    Cut(u64),
    /// That part is there, and zeros up to its length.
    Zeros(u64),
}

/// The sizes now. After a synced write nothing of the logs up to them can be lost.
///
/// # Errors
/// When the directory cannot be read.
pub fn sizes(directory: &Path) -> io::Result<Sizes> {
    let mut sizes = Sizes::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file may go while the directory is read.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            sizes.insert(entry.file_name().to_string_lossy().into_owned(), metadata.len());
        }
    }
    Ok(sizes)
}

/// Copies a store as a power cut at this moment would leave it. Nobody may write to it meanwhile.
///
/// # Errors
/// When a file cannot be read or written.
pub fn cut(store: &Path, into: &Path, synced: &Sizes, tail: Tail) -> io::Result<()> {
    // Files may still be merged in the background: again, until nothing moved meanwhile.
    loop {
        let before = sizes(store)?;
        let copied = copy(store, into, &before);
        if copied.is_ok() && sizes(store)? == before {
            return cut_newest_log(into, &before, synced, tail);
        }
        fs::remove_dir_all(into)?;
        fs::create_dir_all(into)?;
    }
}

fn copy(store: &Path, into: &Path, files: &Sizes) -> io::Result<()> {
    for name in files.keys().filter(|name| *name != "LOCK") {
        fs::copy(store.join(name), into.join(name))?;
    }
    Ok(())
}

fn is_log(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "log")
}

fn cut_newest_log(copy: &Path, files: &Sizes, synced: &Sizes, tail: Tail) -> io::Result<()> {
    let Some((name, &size)) = files.iter().rfind(|(name, _)| is_log(name)) else { return Ok(()) };
    let kept = synced.get(name).copied().unwrap_or(0).min(size);
    let path: PathBuf = copy.join(name);
    let log = fs::OpenOptions::new().write(true).open(path)?;
    let (Tail::Cut(part) | Tail::Zeros(part)) = tail;
    log.set_len(kept + (size - kept) * part / 1_000)?;
    if matches!(tail, Tail::Zeros(_)) {
        log.set_len(size)?;
    }
    Ok(())
}
