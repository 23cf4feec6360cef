//! The class of RocksDB's errors.
//!
//! The binding gives a text, with a path inside that can hold any words. So only its first and its last words count.

use job_runner::store::{ErrorKind, StoreError};

pub(crate) fn failure(error: rocksdb::Error) -> StoreError {
    StoreError::caused(class(error.as_ref()), error)
}

/// RocksDB's own lock, held by this process or by another one.
const LOCKED: [&str; 2] = ["IO error: lock hold by current process", "IO error: While lock file: "];
/// The system's texts for a full disk and a used-up quota.
const FULL: [&str; 2] = [": No space left on device", ": Disk quota exceeded"];

fn class(message: &str) -> ErrorKind {
    if message.starts_with("Corruption: ") {
        ErrorKind::Corrupt
    } else if LOCKED.iter().any(|words| message.starts_with(words)) {
        ErrorKind::AlreadyOpen
    } else if message.starts_with("IO error: ") && FULL.iter().any(|words| message.ends_with(words)) {
        ErrorKind::Full
    } else {
        ErrorKind::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_an_error_does_not_depend_on_its_path() {
        use ErrorKind::{AlreadyOpen, Corrupt, Full, Unavailable};
        for path in ["/srv/jobs", "/srv/Corruption: x", "/srv/While lock file: y", "/srv/No space left on device"]
        {
            for (message, kind) in [
                ("Corruption: block checksum mismatch: stored = 1 in {}/000007.sst offset 0 size 3", Corrupt),
                ("IO error: While lock file: {}/LOCK: Resource temporarily unavailable", AlreadyOpen),
                ("IO error: While appending to file: {}/000004.log: No space left on device", Full),
                ("IO error: While opendir: {}: No such file or directory", Unavailable),
            ] {
                let message = message.replace("{}", path);
                assert_eq!(class(&message), kind, "{message}");
            }
        }
    }
}
