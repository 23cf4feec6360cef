//! The directory of a server, and its end after its last user.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};

/// Stops a server once no test has held the lock of its users for a while. Tests that run one after the other
/// leave gaps. A killed test removes nothing. `$1` is the directory, the rest is the command that stops the
/// server. The script holds both locks while it stops the server, so that no other process starts or uses the
/// server meanwhile.
const WATCH: &str = r#"
directory=$1; shift
idle=0
while [ -e "$directory/running" ] || [ "$idle" = 0 ]; do
    sleep 5
    if flock -n "$directory/users" true; then idle=$((idle + 1)); else idle=1; fi
    [ "$idle" -gt 3 ] || continue
    flock -n "$directory/start" flock -n "$directory/users" sh -c '
        directory=$1; shift
        "$@"
        rm -rf "$directory/data" "$directory/running"
    ' watch "$directory" "$@"
done"#;

/// A directory with two locks. The process that starts or stops the server holds `start`, and all users of the
/// server share `users`. The system releases both when a process dies.
#[derive(Debug)]
pub(crate) struct Directory {
    _users: File,
}

impl Directory {
    /// Joins the users of the server in this directory. `start` is called if none `answers`. The file with its
    /// address is not enough, since it outlives a machine that was switched off.
    pub(crate) fn join(
        path: &Path,
        answers: impl FnOnce(&str) -> bool,
        start: impl FnOnce(&Path) -> io::Result<String>,
    ) -> io::Result<(Self, String)> {
        fs::create_dir_all(path)?;
        let starting = File::create(path.join("start"))?;
        starting.lock()?;
        let users = File::create(path.join("users"))?;
        users.lock_shared()?;
        let directory = Self { _users: users };
        let running = path.join("running");
        if let Some(address) = fs::read_to_string(&running).ok().filter(|address| answers(address)) {
            return Ok((directory, address));
        }
        let address = start(path)?;
        fs::write(running, &address)?;
        Ok((directory, address))
    }

    /// Starts a process that runs `stop` when all users have gone.
    pub(crate) fn watch(path: &Path, stop: &Command) -> io::Result<()> {
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch"]).arg(path).arg(stop.get_program()).args(stop.get_args());
        // A signal to the tests, or the end of their output, does not reach the process that watches.
        watch.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        watch.spawn().map(drop)
    }
}

/// A name that no other test of this run has.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    format!("{}_{now}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Removes a directory with its contents. A missing directory is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_died_without_a_word_is_started_anew() {
        let temporary = tempfile::tempdir().unwrap();
        let start = |address: &'static str| move |_: &Path| Ok(address.to_owned());
        let join =
            |answers: bool, address| Directory::join(temporary.path(), |_| answers, start(address)).unwrap().1;
        assert_eq!(join(true, "first"), "first");
        assert_eq!(join(true, "second"), "first");
        assert_eq!(join(false, "third"), "third");
        assert_eq!(join(true, "fourth"), "third");
    }
}
