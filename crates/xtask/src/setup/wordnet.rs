//! The files of WordNet 3.0, the graph of the demo.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Outcome, arguments::WordNet};

use super::{cargo_config, debian, say};

/// Where the Debian package puts the files; job-demo looks there by itself.
const INSTALLED: &str = "/usr/share/wordnet";
const PACKAGE: &str = "wordnet-base";
const FILES: [&str; 4] = ["data.noun", "data.verb", "data.adj", "data.adv"];

/// Finds or installs WordNet; `None` if the caller wants none.
pub(super) fn find(cache: &Path, wanted: &WordNet) -> Outcome<Option<PathBuf>> {
    let unpacked = cache.join("wordnet");
    match wanted {
        WordNet::Nowhere => return Ok(None),
        WordNet::Directory(directory) => {
            let directory = std::path::absolute(directory)?;
            if let Some(file) = missing(&directory) {
                let directory = directory.display();
                return Err(format!("{directory} has no file {file}: --wordnet needs the directory with the data files of WordNet 3.0").into());
            }
            return Ok(Some(directory));
        }
        WordNet::Anywhere => {}
    }
    let known = env::var_os(cargo_config::WORDNET).map(PathBuf::from);
    let places = known.into_iter().chain([INSTALLED.into(), unpacked.join("usr/share/wordnet")]);
    let places: Vec<PathBuf> = places.collect();
    let there = || places.iter().find(|directory| missing(directory).is_none()).cloned();
    if let Some(directory) = there() {
        return Ok(Some(directory));
    }
    say("installing WordNet, the graph of the demo (10 MB)");
    let installed = if debian::is_root() {
        debian::install(&[PACKAGE.to_owned()])
    } else {
        debian::unpack(PACKAGE, &unpacked)
    };
    let reason = match (installed, there()) {
        (Ok(()), Some(directory)) => return Ok(Some(directory)),
        (Ok(()), None) => "the Debian package holds other files".to_owned(),
        (Err(error), _) => error.to_string(),
    };
    Err(format!(
        "WordNet could not be installed ({reason}): install Debian's (`sudo apt-get install wordnet-base`), give the directory of its data files with --wordnet DIR, or do without with --no-wordnet"
    ).into())
}

/// Whether job-demo uses this directory by default.
pub(super) fn is_default(directory: &Path) -> bool {
    directory == Path::new(INSTALLED)
}

/// The first data file that is missing or empty.
fn missing(directory: &Path) -> Option<&'static str> {
    FILES.into_iter().find(|file| !fs::metadata(directory.join(file)).is_ok_and(|file| file.len() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_files_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        for (file, next) in FILES.iter().zip(FILES.iter().skip(1).map(Some).chain([None])) {
            fs::write(directory.path().join(file), "x").unwrap();
            assert_eq!(missing(directory.path()).as_ref(), next);
        }
    }

    #[test]
    fn a_directory_without_them_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = WordNet::Directory(directory.path().to_owned());
        let error = find(Path::new("/nowhere"), &wanted).unwrap_err().to_string();
        assert!(error.contains("data.noun"), "{error}");
    }
}
