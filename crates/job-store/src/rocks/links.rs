//! Second names for files, on file systems with hard links.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// Whether this file can have a second name in its directory (a hard link).
pub(super) fn are_possible(file: &Path) -> bool {
    let second = file.with_extension("link");
    let linked = fs::hard_link(file, &second).is_ok();
    let _ = fs::remove_file(second);
    linked
}

/// Gives a file a second name. Without links it makes a whole, synced copy. An existing second file is left as it
/// is.
pub(super) fn link_or_copy(file: &Path, second: &Path) -> io::Result<()> {
    match fs::hard_link(file, second) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) if second.try_exists()? => Ok(()),
        Err(_) => copy(file, second),
    }
}

fn copy(file: &Path, second: &Path) -> io::Result<()> {
    let part = second.with_extension("part");
    fs::copy(file, &part)?;
    File::open(&part)?.sync_all()?;
    fs::rename(part, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_and_takes_no_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let [file, second] = ["7.log", "8.log"].map(|name| directory.path().join(name));
        fs::write(&file, b"rows").unwrap();
        copy(&file, &second).unwrap();
        fs::write(&file, b"cut").unwrap();
        link_or_copy(&file, &second).unwrap();
        assert_eq!(fs::read(&second).unwrap(), b"rows");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(are_possible(&file));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
