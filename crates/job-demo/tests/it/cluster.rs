//! The program as several processes on one database: a front end that runs nothing, and a worker that answers no
//! requests.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use test_servers::Postgres;

use crate::serve::Server;

fn job_demo(server: &Postgres) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
    command.args(["--graph", "movies", "--wordnet", "/nowhere", "--store", &format!("postgres:{}", server.url())]);
    command
}

fn worker(server: &Postgres) -> Child {
    let mut worker = job_demo(server).args(["worker", "--workers", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "jobs run, 1 at a time; Ctrl-C stops\n");
    worker
}

#[test]
fn a_job_is_submitted_to_a_front_end_and_run_by_a_worker() {
    let Some(database) = Postgres::start().unwrap() else { return };
    let front = Server::of(job_demo(&database).args(["serve", "--workers", "0", "--listen", "127.0.0.1:0"]));
    let body = r#"{"algorithmName":"kcore","parameters":{"k":3}}"#;
    let (code, acknowledged) = front.ask("POST", "/action?action_id=execute-algorithm", body);
    assert_eq!(code, 200, "{acknowledged}");
    let acknowledged: Value = serde_json::from_str(&acknowledged).unwrap();
    let status = format!("/jobs/{}/status?limit=3", acknowledged["jobId"].as_str().unwrap());
    assert_eq!(front.ask("GET", &status, ""), (200, r#"{"status":"waiting"}"#.to_owned()));

    let mut worker = worker(&database);
    let (code, page) = front.ask("GET", &format!("{status}&wait=50"), "");
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((code, &page["status"]), (200, &json!("complete")), "{page}");
    assert_eq!(page["data"]["outputs"]["data_return_size"], 3, "{page}");

    let told = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(worker.wait().unwrap().success(), "a worker ends in order when it is told to");
    let listed = job_demo(&database).args(["--json", "list"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed["jobId"], &listed["outcome"]), (&acknowledged["jobId"], &json!("succeeded")));
}

#[test]
fn without_workers_and_without_a_shared_store_nothing_is_served() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [["serve", "--workers", "0"].as_slice(), &["worker"]] {
        let refused = Command::new(env!("CARGO_BIN_EXE_job-demo"))
            .args(["--graph", "movies", "--store"])
            .arg(directory.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--store postgres:URL"), "{refused:?}");
    }
}

/// The standard error of a failed `list`.
#[cfg(feature = "objects")]
fn refused(store: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_job-demo")).args(["--store", store, "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[cfg(feature = "objects")]
#[test]
fn large_results_of_a_database_go_where_the_store_says() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let blocks = directory.path().join("blocks");
    let store = format!("postgres:{},blocks=file://{}", server.url(), blocks.display());
    let ran = Command::new(env!("CARGO_BIN_EXE_job-demo"))
        .args(["--json", "--graph", "movies", "--wordnet", "/nowhere", "--store", &store, "run"])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    // Results of the small graph stay in the database.
    assert!(blocks.is_dir());

    let told = refused(&format!("postgres:{},blocks=nowhere", server.url()));
    assert!(told.contains("the URL of the objects"), "{told}");
    let told = refused(&format!("postgres:{},blocks=s4://bucket", server.url()));
    assert!(told.contains("s4://bucket cannot be used"), "{told}");
}
