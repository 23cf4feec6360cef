//! Other programs, run so that a failure is one sentence.

use std::process::{Command, Output, Stdio};

use crate::Outcome;

/// Runs a program that shows its own output.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command)).into()) }
}

/// Runs a program quietly and returns its standard output; when it fails, the error ends with its last words.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{}` failed: {}", line(command), last_words(&output)).into())
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("`{program}` does not start ({error}): install it, or put it on the PATH")
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())
}

/// The command as one would type it, without the directories of the program.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
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
    fn a_program_that_is_missing_is_named() {
        let error = output(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.starts_with("`no-such-program` does not start"), "{error}");
    }
}
