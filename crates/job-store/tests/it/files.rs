//! A directory in which a store dies and is damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use job_store::{Store, conformance::Death};
use parking_lot::Mutex;
use tempfile::TempDir;

/// The directory of a store. After a death, the copy that it left is the directory.
pub struct Place {
    now: Mutex<TempDir>,
}

impl Default for Place {
    fn default() -> Self {
        Self { now: Mutex::new(tempfile::tempdir().unwrap()) }
    }
}

impl Place {
    pub fn path(&self) -> PathBuf {
        self.now.lock().path().to_owned()
    }

    /// The present files of the open store are what a killed process leaves. The power is never cut here.
    pub fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
        if death != Death::Process {
            return false;
        }
        let left = tempfile::tempdir().unwrap();
        copy(&self.path(), left.path());
        drop(store);
        *self.now.lock() = left;
        true
    }

    /// Flips a bit in the middle of these bytes, in every file with this ending that has them.
    pub fn damage(&self, ending: &str, bytes: &[u8]) -> bool {
        files(&self.path()).iter().filter(|path| path.to_string_lossy().ends_with(ending)).fold(
            false,
            |any, path| {
                let mut file = fs::read(path).unwrap();
                let places: Vec<_> = file
                    .windows(bytes.len())
                    .enumerate()
                    .filter(|(_, window)| *window == bytes)
                    .map(|(at, _)| at)
                    .collect();
                for at in &places {
                    file[at + bytes.len() / 2] ^= 1;
                }
                if !places.is_empty() {
                    fs::write(path, file).unwrap();
                }
                any || !places.is_empty()
            },
        )
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
