//! The commands of README.md work when they are pasted.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::serve::Server;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

/// The lines to paste of each `console` block under this heading, or of all blocks.
fn blocks(heading: Option<&str>) -> Vec<Vec<String>> {
    let text = readme();
    let section = match heading {
        Some(heading) => text.split("\n## ").find(|section| section.starts_with(heading)).unwrap(),
        None => &text,
    };
    let blocks = section.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(pasted).collect()).collect()
}

fn pasted(line: &str) -> String {
    line.strip_prefix("$ ").unwrap_or_else(|| panic!("{line:?} has no prompt")).to_owned()
}

fn bash(arguments: &[&str], script: &str) -> Output {
    Command::new("bash").args(arguments).args(["-c", script]).output().unwrap()
}

/// What the lines print; each must succeed, and use no variable that no line has set.
fn run(lines: &[String]) -> String {
    let script = lines.join("\n");
    let output = bash(&["-eu", "-o", "pipefail"], &script);
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_line_of_a_shell_block_in_the_readme_is_a_command() {
    let blocks = blocks(None);
    assert!(blocks.len() >= 4, "only {} blocks were found", blocks.len());
    for line in blocks.iter().flatten() {
        let checked = bash(&["-n"], line);
        assert!(checked.status.success(), "{line}\n{}", String::from_utf8_lossy(&checked.stderr));
        // The program is not on the path of whoever has just built it.
        assert!(!line.starts_with("job-demo"), "{line}");
    }
}

#[test]
fn the_lines_over_http_in_the_readme_work_when_they_are_pasted() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
    command.args(["--graph", "movies", "--wordnet", "/nowhere", "--store"]).arg(directory.path().join("store"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--exports"]).arg(directory.path().join("exports"));
    let server = Server::of(&mut command);
    let block = blocks(Some("Over HTTP")).remove(0);
    let here = |line: &String| line.replace("127.0.0.1:8080", server.address()).replace("/wordnet", "/movies");
    let told = run(&block.iter().map(here).collect::<Vec<_>>());
    assert!(told.contains(r#""data_return_size":2"#), "{told}");
    assert!(told.contains(r#""status":"complete""#), "{told}");
}

#[test]
fn the_exit_codes_in_the_readme_are_those_of_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_job-demo")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let codes = help.split("Exit codes:\n").nth(1).unwrap().lines();
    let codes: Vec<(&str, &str)> = codes.map(|line| line.trim().split_once("  ").unwrap()).collect();
    assert_eq!(codes.len(), 7, "{help}");
    for (code, meaning) in codes {
        assert!(readme().contains(&format!("\n| {code} | {meaning} |\n")), "{code}: {meaning}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn the_lines_for_several_machines_in_the_readme_work_when_they_are_pasted() {
    use std::process::Child;

    use test_servers::Postgres;

    struct Worker(Child);

    impl Drop for Worker {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    let Some(database) = Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = |line: &String| {
        let line = line.replace("target/release/job-demo", env!("CARGO_BIN_EXE_job-demo"));
        let mut command = Command::new("bash");
        command.args(["-euc", &format!("exec {}", line.replace("0.0.0.0:8080", "127.0.0.1:0"))]);
        command.env("db", database.url()).current_dir(directory.path());
        command
    };
    let block = blocks(Some("On several machines")).remove(0);
    let front = Server::of(&mut program(&block[0]));
    let _worker = Worker(program(&block[1]).spawn().unwrap());
    let here = |line: &String| line.replace("front:8080", front.address());
    let told = run(&block[2..].iter().map(here).collect::<Vec<_>>());
    assert!(told.contains(r#""data_return_size":2"#), "{told}");
    assert!(told.contains(r#""status":"complete""#), "{told}");
}
