//! The [`ErrorKind`] of RocksDB's errors.
//!
//! The binding gives a text: the class in RocksDB's words, the operation, a path, and the system's message. A path
//! can hold any words. So only the text before the path and behind it is compared, whole.

use std::io;

use crate::{ErrorKind, StoreError};

pub(super) fn failure(error: rocksdb::Error) -> StoreError {
    StoreError::caused(class(error.as_ref()), error)
}

/// The first words of RocksDB, up to a path.
const BEGINNINGS: [(&str, ErrorKind); 5] = [
    ("Corruption: ", ErrorKind::Corrupt),
    ("Not implemented: Not supported operation in read only mode.", ErrorKind::ReadOnly),
    ("IO error: No space left on device: ", ErrorKind::Full),
    ("Invalid argument: Column families not opened: ", ErrorKind::Invalid),
    ("IO error: lock hold by current process", ErrorKind::AlreadyOpen),
];
/// After these words come a path and the reason.
const NOT_LOCKED: &str = "IO error: While lock file: ";

fn class(message: &str) -> ErrorKind {
    let begins = BEGINNINGS.iter().find(|(beginning, _)| message.starts_with(beginning));
    let system = |codes: &[i32]| codes.iter().any(|&code| ends_with_error(message, code));
    match begins {
        Some((_, kind)) => *kind,
        // RocksDB's own lock, held by a process that does not use the lock of this library.
        None if message.starts_with(NOT_LOCKED) && system(&[code::AGAIN, code::ACCES]) => ErrorKind::AlreadyOpen,
        None if message.starts_with("IO error: ") && system(&[code::NOSPC, code::DQUOT]) => ErrorKind::Full,
        None => ErrorKind::Unavailable,
    }
}

/// Whether the last words are the system's text for this error, in any language.
fn ends_with_error(message: &str, code: i32) -> bool {
    let named = io::Error::from_raw_os_error(code).to_string();
    let words = named.split(" (os error").next().unwrap_or(&named);
    message.strip_suffix(words).is_some_and(|before| before.ends_with(": "))
}

/// Error numbers of the operating system.
mod code {
    pub(super) const ACCES: i32 = 13;
    pub(super) const NOSPC: i32 = 28;
    pub(super) const AGAIN: i32 = if cfg!(any(target_os = "macos", target_os = "freebsd")) { 35 } else { 11 };
    pub(super) const DQUOT: i32 = if cfg!(any(target_os = "macos", target_os = "freebsd")) { 69 } else { 122 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_an_error_does_not_depend_on_its_path() {
        use ErrorKind::{AlreadyOpen, Corrupt, Full, Invalid, ReadOnly, Unavailable};
        let paths = [
            "/srv/store",
            "/srv/blocks",
            "/srv/lock",
            "/srv/While lock file: x",
            "/srv/No space left on device",
            "/srv/a: No space left on device",
            "/srv/Corruption: read only",
            "/srv/a: Resource temporarily unavailable",
            "/srv/IO error: No space left on device: ",
        ];
        let cases = [
            ("IO error: while open a file for lock: {}/LOCK: Permission denied", Unavailable),
            ("IO error: While lock file: {}/LOCK: Resource temporarily unavailable", AlreadyOpen),
            ("IO error: While lock file: {}/LOCK: No locks available", Unavailable),
            (
                "IO error: lock hold by current process, acquire time 1 acquiring thread 2: {}/LOCK: No locks available",
                AlreadyOpen,
            ),
            ("IO error: While open a file for appending: {}/000007.sst: Permission denied", Unavailable),
            ("IO error: While open a file for appending: {}/000007.sst: Too many open files", Unavailable),
            (
                "IO error: No space left on device: While appending to file: {}/000004.log: No space left on device",
                Full,
            ),
            ("IO error: While appending to file: {}/000004.log: Disk quota exceeded", Full),
            ("IO error: No such file or directory: While opendir: {}: No such file or directory", Unavailable),
            ("Corruption: block checksum mismatch: stored = 1 in {}/000007.sst offset 0 size 3", Corrupt),
            ("Invalid argument: {}: does not exist (create_if_missing is false)", Unavailable),
            ("Invalid argument: Column families not opened: vertices, {}", Invalid),
            ("Not implemented: Not supported operation in read only mode.", ReadOnly),
        ];
        for (message, kind) in cases {
            for path in paths {
                let message = message.replace("{}", path);
                assert_eq!(class(&message), kind, "{message}");
            }
        }
    }
}
