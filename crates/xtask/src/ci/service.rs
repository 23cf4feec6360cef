//! A server of the workspace, started for a check and stopped after it.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{
    Outcome, process,
    workspace::{TEST_FEATURES, Workspace},
};

/// The address for programs to listen on. The system chooses the port, so checks of several clones do not meet.
pub(super) const ANY_PORT: &str = "127.0.0.1:0";

/// A running server. Dropping it ends the server and removes its directory.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    directory: PathBuf,
    /// The standard output of the server, kept open because a server may end when it cannot write.
    stdout: Option<BufReader<ChildStdout>>,
    /// The URL, such as `http://127.0.0.1:4567`.
    pub(super) url: String,
}

impl Service {
    /// Builds a program of the workspace, and starts it by its path below the target directory.
    pub(super) fn of<A: AsRef<OsStr>>(workspace: &Workspace, program: &str, arguments: &[A]) -> Outcome<Self> {
        build(workspace)?;
        Self::start(&workspace.target().join("release").join(program), arguments)
    }

    /// Starts `program` in an empty directory of its own, and waits until it prints its address in its first line.
    fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Outcome<Self> {
        let name = program.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let directory = std::env::temp_dir().join(format!("job-engine-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        let stdout = child.stdout.take().map(BufReader::new);
        let mut service = Self { child, directory, stdout, url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = &mut service.stdout {
            stdout.read_line(&mut line)?;
        }
        service.url = address(&line).ok_or_else(|| format!("{name} ended before it told its address"))?;
        Ok(service)
    }

    /// A directory that goes with the service, for the notes of the check that uses it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Errors are ignored: the server may have ended by itself, and a file in the temporary directory does no
        // harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Builds the programs that the checks start, together with the tests: alone they would have other features, and be
/// built a second time.
fn build(workspace: &Workspace) -> Outcome {
    let mut command = workspace.cargo();
    command.args(["build", "--quiet", "--release", "--workspace", "--features", TEST_FEATURES]);
    process::run(command.args(["--tests", "--bins", "--examples"]))
}

/// The first URL in a line, without its path.
fn address(line: &str) -> Option<String> {
    let host = line.split("http://").nth(1)?;
    let end = host.find(|letter: char| letter == '/' || letter.is_whitespace()).unwrap_or(host.len());
    host.get(..end).filter(|host| !host.is_empty()).map(|host| format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_a_server_says() {
        assert_eq!(address("http://127.0.0.1:81/ (page), /ges (API)"), Some("http://127.0.0.1:81".to_owned()));
        assert_eq!(address("page: http://[::1]:9/a and http://b"), Some("http://[::1]:9".to_owned()));
        assert_eq!(address("cannot listen"), None);
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error() {
        let error = Service::start(Path::new("/bin/true"), &[""; 0]).unwrap_err().to_string();
        assert_eq!(error, "true ended before it told its address");
    }
}
