//! The zeros that a power cut may leave at the end of the newest log.
//!
//! A file system may bring the size of a file to the disk before its content. Then the log ends in zeros in the middle
//! of a record that was never acknowledged, which RocksDB cannot tell from damage, and refuses to open.

use std::{fs, path::Path};

use crate::StoreError;

/// After `error`: opens again without the zeros at the end of the newest log. Puts them back if that does not help,
/// so that damage elsewhere stays an error and loses nothing.
pub(super) fn open_without_zeros<T>(
    store: &Path,
    error: StoreError,
    open: impl Fn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let Some(Log { file, end, size }) = newest_log(store) else { return Err(error) };
    // The last acknowledged record may itself end in zeros, so the longer of the two logs is tried first.
    for kept in [end.saturating_add(OWN_ZEROS), end] {
        if kept >= size || file.set_len(kept).is_err() {
            continue;
        }
        if let Ok(db) = open() {
            tracing::warn!(
                store = %store.display(), bytes = size - kept,
                "the log ended in zeros, as after a power cut; what was not acknowledged is gone"
            );
            return Ok(db);
        }
        // The same bytes as before.
        let _ = file.set_len(size);
    }
    Err(error)
}

/// Less than the header of a record (7 bytes), which RocksDB takes for the start of one that was never finished.
const OWN_ZEROS: u64 = 6;

struct Log {
    file: fs::File,
    /// Where its last byte that is not zero ends.
    end: u64,
    size: u64,
}

fn newest_log(store: &Path) -> Option<Log> {
    let names = fs::read_dir(store).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names
        .filter_map(|name| name.strip_suffix(".log")?.parse::<u64>().ok().map(|number| (number, name)))
        .max()?;
    let path = store.join(newest.1);
    // At most 64 MiB (`max_total_wal_size`), and only after a failure.
    let bytes = fs::read(&path).ok()?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let file = fs::OpenOptions::new().write(true).open(path).ok()?;
    Some(Log { file, end: end as u64, size: bytes.len() as u64 })
}
