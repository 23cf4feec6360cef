//! Runs other programs, and makes each failure one sentence.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Runs a program that shows its own output.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command)).into()) }
}

/// Runs a program quietly. `what` is printed if it takes longer than `moment`.
pub(crate) fn run_quietly(command: &mut Command, moment: Duration, what: &str) -> Outcome {
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let start = Instant::now();
    while child.try_wait()?.is_none() && start.elapsed() < moment {
        thread::sleep(Duration::from_millis(10));
    }
    if child.try_wait()?.is_none() {
        eprintln!("{what}");
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command)).into()) }
}

/// Runs a program quietly and returns its standard output. The error of a failed one ends with its last lines.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{}` failed: {}", line(command), last_words(&output)).into())
}

/// Runs a program quietly, with its output in the file `log`, and returns that output. The error of a failed one
/// names the file and ends with its last lines. A program that takes longer than `hang` is ended.
pub(crate) fn logged(command: &mut Command, log: &Path, hang: Duration) -> Outcome<String> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status.to_string().replace("exit status: 0", ""),
            None if start.elapsed() > hang => {
                child.kill()?;
                child.wait()?;
                break format!("it did not end in {} s", hang.as_secs());
            }
            None => thread::sleep(Duration::from_millis(100)),
        }
    };
    let told = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    if status.is_empty() {
        return Ok(told);
    }
    let lines: Vec<&str> = told.lines().collect();
    let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n");
    Err(format!("`{}` failed ({status}), see {}:\n{last}", line(command), log.display()).into())
}

pub(crate) fn not_started(command: &Command, error: &io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no program `{program}`: install it, or put it on the PATH"),
        _ => format!("`{program}` does not start ({error})"),
    }
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())
}

/// The command as a person types it, without the directory of the program.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_ran_and_its_last_words() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo one >&2; echo two >&2; exit 3"]);
        let error = output(&mut command).unwrap_err().to_string();
        assert!(error.starts_with("`sh -c"), "{error}");
        assert!(error.ends_with("failed: two"), "{error}");
    }

    #[test]
    fn a_program_with_a_log_is_told_of_with_it_and_ended_when_it_hangs() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let shell = |script| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            command
        };
        assert_eq!(logged(&mut shell("echo one; echo two >&2"), &log, Duration::MAX).unwrap(), "one\ntwo\n");
        let error = logged(&mut shell("echo one; exit 3"), &log, Duration::MAX).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("one"), "{error}");
        let error = logged(&mut shell("exec sleep 1000"), &log, Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("did not end in 0 s"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = output(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.starts_with("there is no program `no-such-program`: install it"), "{error}");
    }
}
