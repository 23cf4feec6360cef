//! Opens a store whose logs a power cut tore.
//!
//! A sync of a log writes all of it to the disk, and all earlier logs. So no write after the first lost one was
//! acknowledged as synced, and RocksDB is asked to end there. By itself it cannot tell a lost write from damage,
//! and refuses to open. Damage stays an error, and loses nothing.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    links,
    log::{self, End},
};
use crate::{ErrorKind, StoreError, lock};

/// The directory that keeps the torn logs until they are deleted by hand.
const KEPT: &str = "job_engine.torn";

/// After `error`: opens the store up to the first write that did not come to the disk, if there is one.
pub(super) fn open_up_to_the_tear<T>(
    store: &Path,
    error: StoreError,
    open: impl Fn(Logs) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let Ok(Some(torn)) = Torn::find(store) else { return Err(error) };
    let unusable = |cause: io::Error| {
        let detail = format!("a power cut tore its logs, which could not be copied before they are cut: {cause}");
        let kind = if lock::is_full(&cause) { ErrorKind::Full } else { ErrorKind::Unavailable };
        StoreError::new(kind, error.operation, detail).because(cause)
    };
    torn.keep(store).map_err(unusable)?;
    let Ok(db) = open(torn.logs) else {
        torn.restore(store).map_err(unusable)?;
        return Err(error);
    };
    tracing::warn!(
        store = %store.display(), kept = KEPT,
        "a power cut tore the logs; what was not synced is gone, and kept aside as it was found"
    );
    Ok(db)
}

/// Whether the store has a log of writes. A power cut may take the first one of a new store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logs {
    Some,
    None,
}

struct Torn {
    logs: Logs,
    /// All logs of writes.
    names: Vec<String>,
    /// The name of the manifest, and the byte at which it is torn.
    manifest: Option<(String, usize)>,
}

impl Torn {
    /// `None` if there is damage that no power cut causes.
    fn find(store: &Path) -> io::Result<Option<Self>> {
        let current = fs::read_to_string(store.join("CURRENT"))?;
        let mut names = Vec::new();
        for entry in fs::read_dir(store)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if Path::new(&name).extension().is_some_and(|extension| extension == "log") {
                names.push(name);
            }
        }
        let mut manifest = None;
        for name in names.iter().map(String::as_str).chain([current.trim_end()]) {
            // At most 64 MiB of logs (`max_total_wal_size`), and only after a failure.
            match log::end(&fs::read(store.join(name))?) {
                End::Damaged(_) => return Ok(None),
                End::Unwritten(at) if name == current.trim_end() => manifest = Some((name.to_owned(), at)),
                End::Unwritten(_) | End::Whole => {}
            }
        }
        let logs = if names.is_empty() { Logs::None } else { Logs::Some };
        Ok(Some(Self { logs, names, manifest }))
    }

    /// Copies all files that opening may cut or delete, and cuts the manifest.
    fn keep(&self, store: &Path) -> io::Result<()> {
        let kept = store.join(KEPT);
        fs::create_dir_all(&kept)?;
        for name in &self.names {
            links::link_or_copy(&store.join(name), &kept.join(name))?;
        }
        if let Some((name, end)) = &self.manifest {
            // The manifest is replaced, so that a whole one exists at every moment.
            let mut bytes = fs::read(store.join(name))?;
            write(&kept.join(name), &bytes)?;
            bytes.truncate(*end);
            let cut = store.join(format!("{name}.dbtmp"));
            write(&cut, &bytes)?;
            fs::rename(cut, store.join(name))?;
        }
        sync_directory(&kept)?;
        sync_directory(store)
    }

    fn restore(&self, store: &Path) -> io::Result<()> {
        let kept: PathBuf = store.join(KEPT);
        if let Some((name, _)) = &self.manifest {
            fs::rename(kept.join(name), store.join(name))?;
        }
        for name in &self.names {
            if !store.join(name).exists() {
                links::link_or_copy(&kept.join(name), &store.join(name))?;
            }
        }
        fs::remove_dir_all(kept)?;
        sync_directory(store)
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
