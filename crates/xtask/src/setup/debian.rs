//! Debian packages: installed by root, or unpacked into the cache by any user.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, process};

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Installs packages, as root; the package lists are fetched when they are missing or too old.
pub(crate) fn install(packages: &[String]) -> Outcome {
    let mut install = apt_get();
    install.args(["install", "-y", "--no-install-recommends"]).args(packages);
    if process::output(&mut install).is_err() {
        update()?;
        process::output(&mut install)?;
    }
    Ok(())
}

/// Installs a package where that is possible.
pub(crate) fn install_as_root(package: &str) -> Outcome {
    if is_root() { install(&[package.to_owned()]) } else { Err("only root can install it".into()) }
}

/// Fetches the package lists, as root.
pub(super) fn update() -> Outcome {
    process::output(apt_get().arg("update")).map(drop)
}

/// Downloads a package and unpacks it below `into`, without root. No script of it runs.
pub(super) fn unpack(package: &str, into: &Path) -> Outcome {
    let downloads = into.join("downloads");
    fs::create_dir_all(&downloads)?;
    process::output(apt_get().args(["download", package]).current_dir(&downloads))?;
    let file =
        newest_deb(&downloads, package).ok_or_else(|| format!("apt-get downloaded no package {package}"))?;
    process::output(Command::new("dpkg").arg("-x").arg(&file).arg(into))?;
    Ok(fs::remove_dir_all(&downloads)?)
}

/// The packages that this one needs, by name.
pub(super) fn dependencies(package: &str) -> Vec<String> {
    let list = process::output(Command::new("apt-cache").args(["depends", package]).env("LC_ALL", "C"));
    list.map(|list| parse_dependencies(&list)).unwrap_or_default()
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command
}

fn parse_dependencies(list: &str) -> Vec<String> {
    list.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect()
}

fn newest_deb(directory: &Path, package: &str) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_apt_cache() {
        let list = "libclang-dev\n  Depends: libclang-14-dev\n  Recommends: nothing\n    more\n";
        assert_eq!(parse_dependencies(list), ["libclang-14-dev"]);
    }
}
