//! The commands of README.md work when they are pasted.

use std::{fs, path::Path, process::Command};

use crate::serve::Server;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

/// The lines to paste: each `sh` block under this heading, or all of them.
fn blocks(heading: Option<&str>) -> Vec<String> {
    let text = readme();
    let section = match heading {
        Some(heading) => text.split("\n## ").find(|section| section.starts_with(heading)).unwrap(),
        None => &text,
    };
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A shell in which `cargo xtask demo` is the program of this test, on a store of its own.
fn shell(directory: &Path, script: &str) -> Command {
    const CARGO: &str = "cargo() { [ \"$1 $2\" = \"xtask demo\" ] && shift 2 && \"$DEMO\" \"$@\"; }\n";
    let mut bash = Command::new("bash");
    // Each line must succeed, and use no variable that no line has set.
    bash.args(["-eu", "-o", "pipefail", "-c", &format!("{CARGO}{script}")]).current_dir(directory);
    bash.env("DEMO", env!("CARGO_BIN_EXE_job-demo")).env("JOB_DEMO_STORE", directory.join("store"));
    bash
}

/// The output of the lines.
fn run(directory: &Path, script: &str) -> String {
    let output = shell(directory, script).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_shell_block_in_the_readme_can_be_pasted() {
    let blocks = blocks(None);
    assert!(blocks.len() >= 8, "only {} blocks were found", blocks.len());
    for block in &blocks {
        let checked = Command::new("bash").args(["-nc", block]).output().unwrap();
        assert!(checked.status.success(), "{block}\n{}", String::from_utf8_lossy(&checked.stderr));
        for line in block.lines() {
            // A reader pastes the line, and the program is in no directory of `PATH`.
            assert!(!line.starts_with('$') && !line.starts_with("job-demo"), "{line}");
        }
    }
    assert!(!readme().contains("```console"), "what is shown as a session cannot be pasted");
}

#[test]
fn no_block_in_the_readme_is_wider_than_a_terminal() {
    for block in readme().split("```").skip(1).step_by(2) {
        let wide = block.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
    }
}

#[test]
fn the_lines_over_http_in_the_readme_work_when_they_are_pasted() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let see = blocks(Some("See it run"));
    let serve = see[0].trim_end().replace("2000000", "500000");
    let serve = serve.replace("cargo xtask demo", "exec \"$DEMO\"");
    let server = Server::of(&mut shell(directory, &format!("{serve} --listen 127.0.0.1:0")));
    let told = run(directory, &see[1]);
    assert!(told.contains(" running ") || told.contains(" waiting "), "{told}");
    assert!(told.contains(" is cancel"), "{told}");

    let lines = blocks(Some("Over HTTP"))[..2].concat();
    let told = run(directory, &lines.replace("127.0.0.1:8080", server.address()));
    let (rows, long) = told.split_once(r#""status":"complete"}"#).unwrap();
    assert!(rows.contains(r#""data_return_size":2"#), "{rows}");
    let is_unfinished =
        [r#"{"status":"running"}"#, r#"{"status":"waiting"}"#].iter().any(|state| long.starts_with(state));
    assert!(is_unfinished && long.contains("}{}{") && long.contains("cancelled"), "{long}");
    for part in [r#""k_hop_neighbors":"#, r#""result":"failed"}"#, "HTTP/1.1 202 ", r#""code":"unknown_job"}"#] {
        assert!(long.contains(part), "{part}: {long}");
    }
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

/// A worker process, which ends with the test.
#[cfg(feature = "postgres")]
struct Worker(std::process::Child);

#[cfg(feature = "postgres")]
impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The blocks for several machines, with the program of this test and this database.
#[cfg(feature = "postgres")]
fn for_several_machines(database: &str) -> Vec<String> {
    let here = |block: String| {
        let block =
            block.replace("target/release/job-demo", "exec \"$DEMO\"").replace("0.0.0.0:8080", "127.0.0.1:0");
        block.replace("postgres://user:password@host/database", database)
    };
    blocks(Some("On several machines")).into_iter().map(here).collect()
}

#[cfg(feature = "postgres")]
#[test]
fn the_lines_for_several_machines_in_the_readme_work_when_they_are_pasted() {
    let Some(database) = test_servers::Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let blocks = for_several_machines(&database.url());
    let db = blocks[1].lines().next().unwrap();
    let front = Server::of(&mut shell(directory.path(), &blocks[1]));
    let _worker = Worker(shell(directory.path(), &format!("{db}\n{}", blocks[2])).spawn().unwrap());
    let told = run(directory.path(), &blocks[3].replace("front:8080", front.address()));
    assert!(told.contains(r#""data_return_size":2"#), "{told}");
    assert!(told.contains(r#""status":"complete""#), "{told}");
}

#[cfg(feature = "s3")]
#[test]
fn the_lines_for_large_results_in_s3_in_the_readme_work_when_they_are_pasted() {
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };

    use test_servers::{Postgres, S3};

    let (Some(database), Some(s3)) = (Postgres::start().unwrap(), S3::open().unwrap()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let blocks = for_several_machines(&database.url());
    let db = blocks[1].lines().next().unwrap();
    let settings = s3.settings();
    let own = |word: &str| {
        let setting = settings.iter().find(|(name, _)| word.starts_with(&format!("{name}=")));
        setting.map_or_else(|| word.to_owned(), |(name, value)| format!("{name}='{value}'"))
    };
    let lines = blocks[4].replace("s3://graph-jobs/blocks", &S3::url());
    let lines: Vec<String> =
        lines.lines().map(|line| line.split(' ').map(own).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines.join("\n").matches('\'').count(), 2 * settings.len(), "{lines:?}");
    let mut worker = shell(directory.path(), &format!("{db}\n{}", lines.join("\n")));
    let mut worker = Worker(worker.stdout(Stdio::piped()).spawn().unwrap());
    let mut told = String::new();
    BufReader::new(worker.0.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("jobs run, "), "{told}");
}
