//! Room on a disk.

use std::{path::Path, process::Command};

use crate::{Outcome, process};

/// Refuses to begin work for which the disk has too little room. `directory` exists; the variable `instead` names
/// another.
pub(super) fn has_room(directory: &Path, megabytes: u64, what: &str, instead: &str) -> Outcome {
    // If `df` fails, the work itself reports a full disk.
    let Ok(told) = process::output(Command::new("df").arg("-Pk").arg(directory).env("LC_ALL", "C")) else {
        return Ok(());
    };
    match free(&told) {
        Some(free) if free < megabytes => Err(format!(
            "{what} needs {megabytes} MB in {}, and {free} MB are free there: make room, or name a directory on another disk in {instead}",
            directory.display()
        )
        .into()),
        _ => Ok(()),
    }
}

/// Megabytes that `df -Pk` says are free.
fn free(told: &str) -> Option<u64> {
    let kibibytes: u64 = told.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_room_is_read_from_df() {
        let told = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 100 1 20480 1% /\n";
        assert_eq!(free(told), Some(20));
        assert_eq!(free("df: no such directory"), None);
    }

    #[test]
    fn a_disk_that_is_too_small_is_told_with_both_figures() {
        let directory = tempfile::tempdir().unwrap();
        has_room(directory.path(), 0, "nothing", "X").unwrap();
        let error = has_room(directory.path(), u64::MAX, "RocksDB", "JOB_ENGINE_CACHE").unwrap_err().to_string();
        assert!(error.starts_with("RocksDB needs") && error.contains("JOB_ENGINE_CACHE"), "{error}");
    }
}
