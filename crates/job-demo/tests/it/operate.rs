//! Backups and copies of stores, as commands.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::serve::{Server, command};

const YOUNG: &str = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;
const KNOWS: &str = r#"{"labels":["knows"]}"#;

fn run(store: &Path, arguments: &[&str]) -> Output {
    command(store).args(arguments).output().unwrap()
}

fn told(store: &Path, arguments: &[&str]) -> String {
    let output = run(store, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(store: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(store, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The jobs of a store and all rows of those that succeeded.
fn content(store: &Path) -> (String, Vec<String>) {
    let list = told(store, &["list", "--json"]);
    let jobs = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let done = jobs.filter(|job| job["outcome"] == json!("succeeded"));
    let rows = done.map(|job| told(store, &["export", job["jobId"].as_str().unwrap()])).collect();
    (list, rows)
}

#[test]
fn a_served_store_is_backed_up_by_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (store, first, second) = (path("store"), path("first"), path("second"));
    refused(&store, 3, &["backup", "--to", text(&first)]);
    let server = Server::start(&store);
    told(&store, &["submit", "kcore", "--wait"]);
    assert!(told(&store, &["backup", "--to", text(&first)]).ends_with(&format!("is in {}\n", first.display())));
    told(&store, &["submit", "vertex_filter", "--parameters", YOUNG, "--wait"]);
    let again = refused(&store, 4, &["backup", "--to", text(&first)]);
    assert!(again.contains("there is something at"), "{again}");
    let url = format!("http://{}", server.address());
    told(&store, &["backup", "--server", &url, "--to", text(&second)]);
    // The network gives no access to the files of the server.
    let elsewhere = refused(Path::new("/nowhere"), 4, &["backup", "--server", &url, "--to", text(&path("third"))]);
    assert!(elsewhere.contains("on the same machine"), "{elsewhere}");
    let request = json!({ "to": path("third"), "key": "" }).to_string();
    let (code, answer) = server.post("/backup", &request);
    assert_eq!((code, path("third").exists()), (403, false), "{answer}");
    server.terminate();
    assert!(server.end().success());

    assert_eq!(told(&first, &["list", "--json"]).lines().count(), 1);
    assert_eq!(content(&second), content(&store));
    // Without a server the command makes it.
    told(&store, &["backup", "--to", text(&path("third"))]);
    fs::remove_dir_all(&store).unwrap();
    assert_eq!(content(&path("third")), content(&second));
    assert!(told(&path("third"), &["inspect"]).ends_with("every checksum is right\n"));
}

#[test]
fn jobs_are_copied_into_another_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (from, to) = (path("from"), path("to"));
    let copy = ["copy", "--from", text(&from), "--to", text(&to)];
    let none = path("none");
    refused(&none, 3, &copy);
    told(&from, &["submit", "kcore", "--wait"]);
    told(&from, &["submit", "vertex_filter", "--parameters", YOUNG, "--wait", "--owner", "Sarah"]);
    told(&from, &["submit", "pagerank"]);
    let done = told(&none, &copy);
    assert!(
        done.starts_with("3 jobs with ") && done.ends_with(&format!(" are now in {}\n", to.display())),
        "{done}"
    );
    assert_eq!(content(&to), content(&from));
    let again: Value = serde_json::from_str(&told(&none, &[&copy[..], &["--json"]].concat())).unwrap();
    assert_eq!(again, json!({ "jobs": 0, "rows": 0, "bytes": 0, "present": 3, "leftOut": 0 }));
    // The one that waits runs there, and is another one from then on.
    told(&to, &["run", "--pending"]);
    let output = run(&none, &copy);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("has ended in the target"), "{output:?}");
    let own = path("own");
    told(&none, &["copy", "--from", text(&from), "--to", text(&own), "--owner", "Sarah"]);
    assert_eq!(told(&own, &["list", "--json"]).lines().count(), 1);
    let same = refused(&none, 2, &["copy", "--from", text(&from), "--to", &format!("{}/../from", to.display())]);
    assert!(same.contains("the same store"), "{same}");
    refused(&none, 2, &["copy", "--from", text(&from)]);
}

#[test]
fn a_served_store_is_copied_with_a_word_of_warning_and_never_copied_into() {
    let directory = tempfile::tempdir().unwrap();
    let (store, to) = (directory.path().join("store"), directory.path().join("to"));
    let server = Server::start(&store);
    told(&store, &["submit", "kcore", "--wait"]);
    let output = run(&to, &["copy", "--from", text(&store), "--to", text(&to)]);
    assert!(output.status.success(), "{output:?}");
    let warned = String::from_utf8(output.stderr).unwrap();
    assert!(warned.contains(&format!("by process {}: jobs go on there", server.pid())), "{warned}");
    let refused = refused(&to, 6, &["copy", "--from", text(&to), "--to", text(&store)]);
    assert!(refused.contains(&format!("by process {}", server.pid())), "{refused}");
    server.terminate();
    assert!(server.end().success());
    assert_eq!(content(&to), content(&store));
}

/// At several moments, told by how many files there are.
#[test]
fn a_copy_that_was_killed_is_made_whole_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (from, to) = (path("from"), path("to"));
    for _ in 0..4 {
        let graph = ["--graph", "synthetic", "--synthetic", "60000"];
        told(&from, &[&["submit", "edge_filter", "--parameters", KNOWS, "--wait"][..], &graph].concat());
        told(&from, &["submit", "kcore"]);
    }
    let copy = ["copy", "--from", text(&from), "--to", text(&to)];
    let files = || fs::read_dir(&to).map_or(0, Iterator::count);
    for more in [1, 2, 4, 6] {
        let wanted = files() + more;
        let mut child = command(&to).args(copy).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && files() < wanted {
            std::thread::yield_now();
        }
        let _ = Command::new("kill").args(["-KILL", &child.id().to_string()]).output().unwrap();
        child.wait().unwrap();
    }
    told(&to, &copy);
    assert_eq!(content(&to), content(&from));
    assert!(told(&to, &["inspect"]).ends_with("every checksum is right\n"));
}

#[cfg(feature = "postgres")]
#[test]
fn jobs_are_copied_into_a_database_and_back() {
    let Some(database) = test_servers::Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (from, back, url) = (path("from"), path("back"), format!("postgres:{}", database.url()));
    told(&from, &["submit", "kcore", "--wait"]);
    told(&from, &["submit", "pagerank"]);
    told(&from, &["copy", "--from", text(&from), "--to", &url]);
    let unavailable = refused(Path::new(&url), 4, &["backup", "--to", text(&path("backup"))]);
    assert!(unavailable.contains("pg_dump"), "{unavailable}");
    told(&from, &["copy", "--from", &url, "--to", text(&back)]);
    assert_eq!(content(&back), content(&from));
}
