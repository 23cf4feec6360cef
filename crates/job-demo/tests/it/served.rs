//! Commands on a store that a server has open.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::serve::{Server, command};

const ADDRESS: &str = "job-demo.address";

fn run(store: &Path, arguments: &[&str]) -> Output {
    command(store).args(arguments).output().unwrap()
}

fn told(store: &Path, arguments: &[&str]) -> String {
    let output = run(store, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(store: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(store, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The jobs of a list without their times, which a server gives in milliseconds.
fn jobs(list: &str) -> Vec<Value> {
    let jobs = list.lines().map(|line| serde_json::from_str(line).unwrap());
    let without_times = |mut job: Value| {
        for field in ["submitTime", "startTime", "endTime"] {
            assert!(job.as_object_mut().unwrap().remove(field).is_some());
        }
        job
    };
    jobs.map(without_times).collect()
}

const YOUNG: &str = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;

#[test]
fn every_command_goes_to_the_server_that_has_the_store_and_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let server = Server::start(store);
    let marks = ["--owner", "Sarah", "--label", "nightly"];
    let done = told(store, &[&["submit", "--wait", "vertex_filter", "--parameters", YOUNG], &marks[..]].concat());
    let (id, end) = done.split_once('\n').unwrap();
    assert!(end.contains(" succeeded after 0.") && end.ends_with(", 19 rows\n"), "{end}");
    let short = &id[28..];
    let failing = r#"{"source":"Sarah","weight":"Datetime"}"#;
    let failed = run(store, &["submit", "--wait", "sssp", "--parameters", failing]);
    assert_eq!(failed.status.code(), Some(5), "{failed:?}");
    let again = told(store, &["retry", short, "--wait"]);
    let failed = String::from_utf8(failed.stdout).unwrap();
    let failed = failed.trim_end();

    // The commands answer through the server as they answer from the store after the server has ended.
    let questions: [&[&str]; 8] = [
        &["list", "--json"],
        &["list", "--json", "--state", "failed"],
        &["status", "--json", id, "--limit", "2"],
        &["status", short, "--limit", "2"],
        &["rows", short, "--limit", "100"],
        &["export", short],
        &["export", short, "--format", "csv"],
        &["list", "--work", "k_hop"],
    ];
    let mistakes: [(i32, &[&str]); 12] = [
        (2, &["cancel", "not an id"]),
        (2, &["list", "--limit", "none"]),
        (3, &["status", "00000000"]),
        (3, &["cancel", "00000000"]),
        (3, &["cancel", "018bcfe5-6800-7000-8000-000000000000"]),
        (3, &["rows", "018bcfe5-6800-7000-8000-000000000000"]),
        (3, &["retry", "018bcfe5-6800-7000-8000-000000000000"]),
        (4, &["cancel", id]),
        (4, &["submit", "k_hop"]),
        (4, &["submit", "vertex_filter", "--parameters", r#"{"nonsense":1}"#]),
        (5, &["status", failed]),
        (5, &["rows", failed]),
    ];
    let ask = |arguments: &&[&str]| told(store, arguments);
    let before: Vec<String> = questions.iter().map(ask).collect();
    let refusals: Vec<String> =
        mistakes.iter().map(|(code, arguments)| refused(store, *code, arguments)).collect();
    server.terminate();
    assert!(server.end().success());
    assert!(!store.join(ADDRESS).exists(), "the file goes with the server");
    for (question, answer) in questions.iter().zip(before) {
        let own = told(store, question);
        if question.starts_with(&["list", "--json"]) {
            assert_eq!(jobs(&answer), jobs(&own), "{question:?}");
        } else {
            assert_eq!(answer, own, "{question:?}");
        }
    }
    for ((code, arguments), refusal) in mistakes.iter().zip(refusals) {
        assert_eq!(refusal, refused(store, *code, arguments), "{arguments:?}");
    }
    assert!(again.contains(" succeeded"), "{again}");
}

#[test]
fn a_server_that_was_killed_leaves_a_file_that_nobody_believes() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let first = Server::start(store);
    told(store, &["submit", "kcore", "--wait"]);
    // The server is killed.
    drop(first);
    let left = fs::read(store.join(ADDRESS)).unwrap();
    told(store, &["submit", "kcore"]);
    assert_eq!(jobs(&told(store, &["list", "--json"])).len(), 2);

    // A server of another store has the port of the file.
    let other_directory = tempfile::tempdir().unwrap();
    let other = Server::start(other_directory.path());
    let mut address: Value = serde_json::from_slice(&left).unwrap();
    address["url"] = json!(format!("http://{}", other.address()));
    address["pid"] = json!(other.pid());
    fs::write(store.join(ADDRESS), address.to_string()).unwrap();
    told(store, &["submit", "kcore"]);
    assert_eq!(jobs(&told(store, &["list", "--json"])).len(), 3);
    assert_eq!(told(other_directory.path(), &["list"]), "no jobs\n");

    let second = Server::start(store);
    told(store, &["submit", "kcore", "--wait"]);
    second.terminate();
    assert!(second.end().success());
    assert!(!store.join(ADDRESS).exists());
}

#[test]
fn what_needs_the_store_for_itself_names_the_server_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let server = Server::start(store);
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["run"]] {
        let told = refused(store, 6, arguments);
        let (url, pid) = (format!("http://{}", server.address()), format!("process {}", server.pid()));
        assert!(told.contains(&url) && told.contains(&pid) && told.lines().count() == 1, "{told}");
    }
    assert!(told(store, &["inspect"]).ends_with("every checksum is right\n"));
}

#[test]
fn a_server_that_does_not_answer_is_named_with_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &server.pid().to_string()]).status().unwrap().success());
    };
    signal("-STOP");
    let told = refused(directory.path(), 6, &["list"]);
    assert!(told.contains(&format!("by process {}, which does not answer", server.pid())), "{told}");
    signal("-CONT");
}

#[test]
fn a_server_is_asked_by_its_url_from_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (url, nowhere) = (format!("http://{}", server.address()), Path::new("/nowhere"));
    let id = told(nowhere, &["--server", &url, "submit", "kcore", "--wait"]);
    assert!(told(nowhere, &["list", "--server", &url]).contains("kcore"));
    assert_eq!(
        told(nowhere, &["--server", &url, "rows", id.lines().next().unwrap(), "--limit", "200"]).lines().count(),
        160
    );
    for command in ["run", "inspect", "serve", "worker"] {
        assert!(refused(nowhere, 2, &["--server", &url, command]).contains("leave out --server"));
    }
    refused(nowhere, 2, &["--server", "https://127.0.0.1:1", "list"]);
    server.terminate();
    assert!(server.end().success());
    let told = refused(nowhere, 6, &["--server", &url, "list"]);
    assert!(told.contains(&format!("the server at {url} cannot be reached: Connection refused\n")), "{told}");
}

/// A server with a graph on which jobs run long enough to be seen.
fn busy(store: &Path) -> Server {
    let mut command = command(store);
    Server::of(command.args(["serve", "--listen", "127.0.0.1:0", "--synthetic", "200000"]))
}

#[test]
fn rows_of_a_job_that_a_server_runs_are_read_before_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let server = busy(store);
    let everything = r#"{"labels":["knows"]}"#;
    let submit = ["submit", "edge_filter", "--graph", "synthetic", "--parameters", everything];
    // A job may end before the test asks for it, so not each job is seen running.
    let seen_running = (0..50).any(|_| {
        let id = told(store, &submit);
        loop {
            let rows = run(store, &["rows", id.trim_end(), "--limit", "1"]);
            let hint = String::from_utf8(rows.stderr).unwrap();
            match rows.status.code() {
                Some(0) if hint.contains(" rows so far: --offset 1 goes on") => {
                    assert!(rows.stdout.starts_with(b"{\"index\":\"0\",\"source\":\"v1\",\"label\":\"knows\""));
                    return true;
                }
                Some(0) if hint.contains("no rows so far") => {}
                Some(0) => {
                    assert!(hint.starts_with("1 of 399,998 rows: "), "{hint}");
                    return false;
                }
                code => assert_eq!(code, Some(4), "{hint}"),
            }
        }
    });
    assert!(seen_running, "none of 50 jobs was seen while it ran");
    server.terminate();
    assert!(server.end().success());
}

#[test]
fn a_job_that_runs_shows_its_progress_and_is_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let server = busy(store);
    let endless = r#"{"convergence":1e-300,"max_iterations":2000}"#;
    let id = told(store, &["submit", "pagerank", "--graph", "synthetic", "--parameters", endless]);
    let id = id.trim_end();
    let state = || told(store, &["list", "--graph", "synthetic"]).lines().nth(1).unwrap().to_owned();
    while !state().contains("% ") {
        assert!(state().contains(" waiting ") || state().contains(" running "), "{}", state());
    }
    let early = refused(store, 4, &["rows", id]);
    assert!(early.contains(&format!("job {id} is running: it has stored no rows yet")), "{early}");
    let cancelled = told(store, &["cancel", id]);
    assert!(cancelled.starts_with(&format!("job {id} is cancel")), "{cancelled}");
    while !state().contains(" cancelled ") {}
    refused(store, 5, &["status", id]);
    server.terminate();
    assert!(server.end().success());
}
