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
    open: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let Some((log, kept, size)) = newest_log(store).filter(|(_, kept, size)| kept < size) else {
        return Err(error);
    };
    if log.set_len(kept).is_err() {
        return Err(error);
    }
    match open() {
        Ok(db) => {
            tracing::warn!(
                store = %store.display(), bytes = size - kept,
                "the log ended in zeros, as after a power cut; what was not acknowledged is gone"
            );
            Ok(db)
        }
        Err(again) => {
            // The same bytes as before.
            let _ = log.set_len(size);
            Err(again)
        }
    }
}

/// The last acknowledged record may itself end in zeros, so a few stay: less than the header of a record (7 bytes),
/// which RocksDB takes for the start of one that was never finished.
const OWN_ZEROS: usize = 6;

/// The newest log, its length without the zeros at its end, and with them.
fn newest_log(store: &Path) -> Option<(fs::File, u64, u64)> {
    let names = fs::read_dir(store).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names
        .filter_map(|name| name.strip_suffix(".log")?.parse::<u64>().ok().map(|number| (number, name)))
        .max()?;
    let path = store.join(newest.1);
    // At most 64 MiB (`max_total_wal_size`), and only after a failure.
    let bytes = fs::read(&path).ok()?;
    let kept = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1 + OWN_ZEROS).min(bytes.len());
    let log = fs::OpenOptions::new().write(true).open(path).ok()?;
    Some((log, kept as u64, bytes.len() as u64))
}
