//! The program itself, in processes of its own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use job_runner::{
    Durability, Engine, JobContext, JobRecord, JobSpec, Parameters, Timestamp,
    store::{JobStore, RocksOptions, RocksStore},
};
use serde_json::{Value, json};

use crate::serve::Server;

fn job_demo(store: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_job-demo"))
        .args(["--graph", "movies", "--wordnet", "/nowhere", "--store"])
        .arg(store)
        .args(arguments)
        .output()
        .unwrap()
}

/// The standard output of a command that must succeed.
fn told(store: &Path, arguments: &[&str]) -> String {
    let output = job_demo(store, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The standard error of a command that must fail, which says nothing else.
fn refused(store: &Path, code: i32, arguments: &[&str]) -> String {
    let output = job_demo(store, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Stores a job that the program would refuse, as another host of the store can.
fn unchecked(store: &Path, algorithm: &str, parameters: &str) -> String {
    let store = Arc::new(RocksStore::open(store, RocksOptions::default()).unwrap());
    let engine = Engine::builder(store).algorithm(algorithm, |_: &mut JobContext| Ok(())).manual().open().unwrap();
    let parameters = Parameters::from_text(parameters.to_owned()).unwrap();
    engine
        .submit(JobSpec::algorithm(algorithm).with_graph("movies").with_raw_parameters(parameters))
        .unwrap()
        .id()
        .to_string()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const PER_VERTEX: &str = r#"{"statistics":false}"#;

const YOUNG: &str = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;

#[test]
fn a_job_outlives_the_process_that_took_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let id = told(store, &["submit", "vertex_filter", "--parameters", YOUNG]);
    let id = id.trim_end();
    let other = json(&told(store, &["--json", "submit", "kcore"]))["jobId"].as_str().unwrap().to_owned();

    assert_eq!(told(store, &["--json", "status", id]), r#"{"status":"waiting"}"#);
    let list = told(store, &["--json", "list"]);
    let entries: Vec<Value> = list.lines().map(json).collect();
    assert_eq!((&entries[0]["jobId"], &entries[1]["jobId"]), (&json!(other), &json!(id)));
    assert_eq!((&entries[1]["kind"], &entries[1]["status"]), (&json!("vertex_filter"), &json!("waiting")));

    assert_eq!(told(store, &["cancel", &other]), format!("job {other} is cancelled\n"));
    let ran: Vec<Value> = told(store, &["--json", "run", "--pending"]).lines().map(json).collect();
    assert_eq!(ran.len(), 1);
    assert_eq!(
        (&ran[0]["jobId"], &ran[0]["outcome"], &ran[0]["rows"]),
        (&json!(id), &json!("succeeded"), &json!(19))
    );

    let page = json(&told(store, &["--json", "status", id, "--offset", "0", "--limit", "2"]));
    let outputs = &page["data"]["outputs"];
    assert_eq!(page["status"], "complete");
    assert_eq!(
        (&outputs["vertices"][0]["id"], &outputs["vertices"][1]["id"]),
        (&json!("Sarah"), &json!("Sidney"))
    );
    assert_eq!((&outputs["data_return_size"], &outputs["data_total_size"]), (&json!(2), &json!(19)));

    let table = told(store, &["list"]);
    assert!(table.contains("succeeded") && table.contains("cancelled"), "{table}");
    assert_eq!(told(store, &["run", "--pending"]), "nothing to do\n");
}

#[test]
fn a_list_is_filtered_by_owner_label_state_and_work() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let submit = |arguments: &[&str]| {
        let told = told(store, &[&["--json", "submit", "kcore"], arguments].concat());
        json(&told)["jobId"].as_str().unwrap().to_owned()
    };
    let plain = submit(&[]);
    let sarah = submit(&["--owner", "Sarah", "--label", "nightly,team=search"]);
    let nightly = submit(&["--label", "nightly"]);
    told(store, &["cancel", &nightly]);
    for (arguments, expected) in [
        (&[][..], vec![&nightly, &sarah, &plain]),
        (&["--owner", "Sarah"], vec![&sarah]),
        (&["--label", "nightly"], vec![&nightly, &sarah]),
        (&["--label", "nightly", "--state", "cancelled"], vec![&nightly]),
        (&["--state", "waiting,failed"], vec![&sarah, &plain]),
        (&["--work", "kcore", "--limit", "1", "--offset", "1"], vec![&sarah]),
        (&["--work", "vertex_filter"], vec![]),
        (&["--owner", "Sidney"], vec![]),
    ] {
        let list = told(store, &[&["--json", "list"], arguments].concat());
        let ids: Vec<String> = list.lines().map(|line| json(line)["jobId"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{arguments:?}");
    }
    assert_eq!(told(store, &["list", "--owner", "Sidney"]), "no such jobs\n");
}

#[test]
fn each_kind_of_mistake_has_an_exit_code_and_no_number_of_the_system() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let id = told(store, &["submit", "kcore"]);
    let id = id.trim_end();
    let other = "018bcfe5-6800-7000-8000-000000000000";
    for (code, arguments) in [
        (2, &["cancel", "not an id"][..]),
        (2, &["list", "--limit", "none"]),
        (2, &["--no-such-option"]),
        (3, &["cancel", other]),
        (3, &["inspect", other]),
        (3, &["status", other]),
        (4, &["submit", "k_hop"]),
    ] {
        assert_eq!(job_demo(store, arguments).status.code(), Some(code), "{arguments:?}");
    }
    told(store, &["cancel", id]);
    for (code, arguments) in [(4, ["cancel", id]), (5, ["status", id])] {
        refused(store, code, &arguments);
    }
    let busy = Arc::new(RocksStore::open(store, RocksOptions::default()).unwrap());
    refused(store, 6, &["submit", "kcore"]);
    drop(busy);
    let file = store.join("file");
    std::fs::write(&file, "").unwrap();
    for (code, arguments) in [(6, &["submit", "kcore"][..]), (3, &["list"]), (3, &["list", "--json"])] {
        let told = refused(&file, code, arguments);
        assert!(!told.contains("os error"), "{told}");
    }
    let help = told(store, &["--help"]);
    assert!(help.contains("Exit codes:"), "{help}");
}

/// Parameters that one client sent are shown to others that list the jobs.
#[test]
fn texts_of_jobs_do_nothing_to_a_terminal_and_a_job_is_one_line_for_machines() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let hostile = "{\n \"\\u001b[2J\u{202e}\\n\u{9b}31m\":\r\n \"\u{7f}\u{2028}\"\n}";
    let id = unchecked(store, "kcore", hostile);
    assert_eq!(job_demo(store, &["run", "--pending"]).status.code(), Some(5), "the parameter is unknown");
    let is_hostile =
        |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{2028}".contains(c));

    let table = told(store, &["list"]);
    assert_eq!(table.lines().count(), 3, "{table:?}");
    assert!(table.contains(r"\u001b[2J\u202e\n\u009b31m") && !is_hostile(&table), "{table:?}");
    let failed = refused(store, 5, &["status", id.trim_end()]);
    assert!(failed.contains(r"\u001b[2J") && failed.lines().count() == 1 && !is_hostile(&failed), "{failed:?}");

    told(store, &["submit", "kcore"]);
    for arguments in [&["--json", "list"][..], &["--json", "inspect"]] {
        let lines = told(store, arguments);
        let jobs = lines.lines().filter(|line| json(line)["jobId"].is_string()).count();
        assert_eq!((jobs, is_hostile(&lines)), (2, false), "{lines:?}");
    }
    let listed = json(told(store, &["--json", "list"]).lines().last().unwrap());
    assert_eq!(listed["parameters"], json(hostile), "and means what was sent");
}

#[test]
fn one_of_everything_runs_and_shows_its_pages() {
    let directory = tempfile::tempdir().unwrap();
    let shown = told(directory.path(), &["run"]);
    assert!(shown.starts_with("movies: 160 vertices, 1,456 edges, loaded in "), "{shown}");
    for part in ["\nvertex_filter: ", "\nedge_filter: ", "\npagerank: ", "莎拉"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let table = told(directory.path(), &["list"]);
    assert_eq!(table.matches("succeeded").count(), 20, "{table}");
    let lines = told(directory.path(), &["--json", "list", "--limit", "3", "--offset", "1"]);
    assert_eq!(lines.lines().count(), 3);
}

/// The commands that `run` suggests.
fn commands_of(shown: &str) -> Vec<&str> {
    let pages =
        shown.lines().filter_map(|line| line.split_once(": ").filter(|(_, command)| command.contains(" status ")));
    let next = shown.split("\nNext:\n").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("  "));
    pages.map(|(_, command)| command).chain(next.filter(|line| !line.starts_with(' '))).collect()
}

#[test]
fn every_command_that_a_run_tells_of_can_be_typed_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("my store");
    let shown = told(&store, &["run"]);
    let commands = commands_of(&shown);
    assert!(commands.len() >= 9, "{shown}");
    let bash = |line: &str| Command::new("bash").args(["-euc", line]).output().unwrap();
    for command in commands.iter().filter(|command| !command.contains(" serve")) {
        let output = bash(command);
        assert!(output.status.success(), "{command}: {output:?}");
    }
    // A server of the store has the jobs of the run.
    let serve = commands.iter().find(|command| command.contains(" serve")).unwrap();
    assert!(shown.contains("http://127.0.0.1:8080/"), "{shown}");
    let server = Server::of(Command::new("bash").args(["-euc", &format!("exec {serve} --listen 127.0.0.1:0")]));
    let page = server.get("/operator/jobs");
    assert_eq!(page.matches(r#""state":"succeeded""#).count(), 20, "{page}");
}

#[test]
fn a_run_that_another_program_starts_tells_what_that_one_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
    command
        .args(["run", "--graph", "movies"])
        .env("JOB_DEMO_CALLED", "cargo xtask demo")
        .env("JOB_DEMO_STORE", &store);
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let commands = commands_of(&shown);
    assert!(commands.iter().all(|command| command.starts_with("cargo xtask demo ")), "{commands:?}");
    assert!(commands.contains(&"cargo xtask demo serve --graph movies"), "{commands:?}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(!shown.contains("--store"), "{shown}");
}

#[test]
fn a_list_is_picked_by_state_work_and_graph_and_has_20_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    told(store, &["run"]);
    told(store, &["run"]);
    let waiting = told(store, &["submit", "kcore"]);
    for (count, options) in [
        (20, &[][..]),
        (3, &["--limit", "3"]),
        (1, &["--offset", "40"]),
        (41, &["--limit", "100"]),
        (3, &["--work", "kcore"]),
        (1, &["--work", "kcore", "--state", "waiting"]),
        (41, &["--state", "waiting,succeeded", "--limit", "100"]),
        (0, &["--state", "failed", "--state", "cancelled"]),
    ] {
        let lines = told(store, &[&["list", "--json"], options].concat());
        assert_eq!(lines.lines().count(), count, "{options:?}");
    }
    assert_eq!(told(store, &["list", "--state", "failed"]), "no such jobs\n");
    // The other helpers of this file pass `--graph`.
    let of = |graph: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
        let output = command.args(["list", "--json", "--graph", graph, "--store"]).arg(store).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!((of("movies"), of("wordnet")), (20, 0));

    let table = told(store, &["list"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.ends_with("\n21 more: --offset 20 goes on\n") && table.contains("SUBMITTED"), "{table}");
    let short = table.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(short.len() >= 8 && waiting.trim_end().ends_with(short), "{table}");
}

#[test]
fn the_end_of_an_id_is_taken_wherever_an_id_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let ids = [told(store, &["submit", "kcore"]), told(store, &["submit", "pagerank"])];
    let [first, second] = ids.each_ref().map(|id| &id.trim_end()[28..]);
    assert_eq!(told(store, &["--json", "status", first]), r#"{"status":"waiting"}"#);
    assert_eq!(told(store, &["cancel", second]), format!("job {} is cancelled\n", ids[1].trim_end()));
    assert!(told(store, &["inspect", first]).starts_with(ids[0].trim_end()));
    for (code, command) in [(3, "status"), (3, "cancel"), (3, "inspect")] {
        refused(store, code, &[command, "00000000"]);
    }
    // A store in which two ids have the same end.
    let store = directory.path().join("other");
    let same = ["018bcfe5-6800-7000-8000-0123456789ab", "018bcfe5-6801-7000-8000-0123456789ab"];
    let rocks = RocksStore::open(&store, RocksOptions::default()).unwrap();
    for id in same {
        let record = JobRecord::waiting(
            id.parse().unwrap(),
            JobSpec::algorithm("kcore").with_graph("movies"),
            Timestamp::default(),
        );
        rocks.insert(&[record], Durability::Buffered).unwrap();
    }
    drop(rocks);
    for command in ["status", "cancel", "inspect"] {
        let told = refused(&store, 2, &[command, "456789ab"]);
        assert!(same.iter().all(|id| told.contains(id)), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let table = told(&store, &["list"]);
    assert!(table.contains("\n1-7000-8000-0123456789ab  kcore"), "{table}");
}

#[test]
fn a_list_that_is_watched_tells_of_what_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let id = told(store, &["submit", "kcore"]);
    let mut watcher = Command::new(env!("CARGO_BIN_EXE_job-demo"))
        .args(["list", "--json", "--watch", "--store"])
        .arg(store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines().map(|line| json(&line.unwrap()));
    let first = lines.next().unwrap();
    assert_eq!((&first["jobId"], &first["status"]), (&json!(id.trim_end()), &json!("waiting")));
    told(store, &["cancel", id.trim_end()]);
    let next = lines.next().unwrap();
    assert_eq!((&next["jobId"], &next["outcome"]), (&json!(id.trim_end()), &json!("cancelled")));
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

#[test]
fn a_job_that_is_waited_for_says_how_it_ended_and_shows_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let done = told(store, &["submit", "vertex_filter", "--parameters", YOUNG, "--wait"]);
    let (id, end) = done.split_once('\n').unwrap();
    assert!(end.starts_with(&format!("job {id} succeeded after 0.")) && end.ends_with(" s, 19 rows\n"), "{end}");
    let line = json(&told(store, &["submit", "--wait", "--json", "triangle_count", "--parameters", PER_VERTEX]));
    assert_eq!((&line["outcome"], &line["rows"]), (&json!("succeeded"), &json!(160)));

    let rows = told(store, &["rows", id, "--limit", "100"]);
    assert_eq!((rows.lines().count(), &json(rows.lines().next().unwrap())["id"]), (19, &json!("Sarah")));
    let part = job_demo(store, &["rows", &id[28..], "--offset", "1", "--limit", "2"]);
    assert_eq!(String::from_utf8(part.stdout).unwrap().lines().count(), 2);
    let hint = String::from_utf8(part.stderr).unwrap();
    assert_eq!(hint, "2 of 19 rows: --offset 3 goes on, `export` has all\n");

    let failed = job_demo(
        store,
        &["submit", "sssp", "--parameters", r#"{"source":"Sarah","weight":"Datetime"}"#, "--wait"],
    );
    assert_eq!(failed.status.code(), Some(5), "{failed:?}");
    let id = String::from_utf8(failed.stdout).unwrap();
    let told_why = String::from_utf8(failed.stderr).unwrap();
    assert!(told_why.starts_with(&format!("job-demo: job {} failed after ", id.trim_end())), "{told_why}");
    for command in ["rows", "export", "status"] {
        assert_eq!(refused(store, 5, &[command, id.trim_end()]).lines().count(), 1);
    }
    let waiting = told(store, &["submit", "kcore"]);
    for (command, when) in [("rows", "it runs"), ("export", "it has succeeded")] {
        let told = refused(store, 4, &[command, waiting.trim_end()]);
        assert!(told.contains(&format!("is waiting: it has rows when {when}")), "{told}");
        refused(store, 3, &[command, "018bcfe5-6800-7000-8000-000000000000"]);
        refused(store, 2, &[command, "not an id"]);
    }
}

#[test]
fn a_retry_is_the_same_request_as_a_new_job() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let marks = ["--owner", "Sarah", "--label", "nightly,team=search"];
    let first = told(store, &[&["submit", "vertex_filter", "--parameters", YOUNG], &marks[..]].concat());
    told(store, &["cancel", first.trim_end()]);
    let again = told(store, &["retry", &first.trim_end()[28..], "--wait"]);
    let (again, end) = again.split_once('\n').unwrap();
    assert!(again != first.trim_end() && end.contains("succeeded"), "{again} {end}");
    let jobs: Vec<Value> = told(store, &["list", "--json"]).lines().map(json).collect();
    assert_eq!((&jobs[0]["jobId"], jobs.len()), (&json!(again), 2));
    for field in ["kind", "graph", "parameters", "owner", "labels"] {
        assert!(!jobs[0][field].is_null(), "{field}");
        assert_eq!(jobs[0][field], jobs[1][field]);
    }
    // `retry` refuses a request that cannot be run, as `submit` does.
    let broken = unchecked(store, "kcore", r#"{"k":"many"}"#);
    assert!(refused(store, 4, &["retry", &broken]).contains("parameter k is \"many\""));
    refused(store, 3, &["retry", "018bcfe5-6800-7000-8000-000000000000"]);
}

#[test]
fn an_export_goes_to_standard_output_or_to_a_new_file_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let (store, here) = (directory.path().join("store"), directory.path().join("here"));
    std::fs::create_dir(&here).unwrap();
    let id = told(&store, &["submit", "--wait", "triangle_count", "--parameters", PER_VERTEX]);
    let id = id.lines().next().unwrap();
    let export = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
        command.current_dir(&here).arg("--store").arg(&store).args(["export", id]).args(options).output().unwrap()
    };
    let lines = String::from_utf8(export(&[]).stdout).unwrap();
    assert_eq!((lines.lines().count(), lines.lines().next()), (160, Some(r#"{"Sarah":3}"#)));
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0, "nothing is made in the working directory");
    assert!(export(&["--output", "a.csv"]).status.success());
    let csv = std::fs::read_to_string(here.join("a.csv")).unwrap();
    assert!(csv.starts_with("# triangle_count: 480\n# runtime: ") && csv.ends_with('\n'), "{csv}");
    assert!(csv.contains("\n# vertex_triangles:\nSarah,3\n"), "{csv}");
    let again = export(&["-o", "a.csv", "--format", "jsonl"]);
    assert_eq!(again.status.code(), Some(1));
    let told = String::from_utf8(again.stderr).unwrap();
    assert_eq!(told, "job-demo: a.csv exists already: name another file, or remove it\n");
    let told = String::from_utf8(export(&["-o", "no/such/file"]).stderr).unwrap();
    assert_eq!(told, "job-demo: no/such/file cannot be written: No such file or directory\n");
    assert_eq!(std::fs::read_to_string(here.join("a.csv")).unwrap(), csv);
}

/// The program's output on a terminal of 80 columns.
fn seen(store: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    const TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    sys.stdout.buffer.write(piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))";
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_job-demo"), "--graph", "movies", "--wordnet", "/nowhere"]);
    for name in ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").envs(environment.iter().copied());
    let output = command.arg("--store").arg(store).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn states_and_logs_have_colours_on_a_terminal_only_and_not_where_that_is_unwanted() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    told(store, &["submit", "--wait", "kcore"]);
    let painted = "\u{1b}[32msucceeded\u{1b}[0m";
    assert!(seen(store, &["list"], &[]).contains(painted));
    assert!(seen(store, &["inspect"], &[]).contains(painted));
    for environment in [[("NO_COLOR", "1"), ("RUST_LOG", "info")], [("TERM", "dumb"), ("RUST_LOG", "info")]] {
        let plain = seen(store, &["list"], &environment);
        assert!(plain.contains("succeeded") && !plain.contains('\u{1b}'), "{plain:?}");
        let logs = seen(store, &["submit", "--wait", "kcore"], &environment);
        assert!(logs.contains("INFO") && !logs.contains("\u{1b}[32m"), "{logs:?}");
    }
    let logs = seen(store, &["submit", "--wait", "kcore"], &[("RUST_LOG", "info")]);
    assert!(logs.contains("\u{1b}[32m INFO"), "{logs:?}");
    let file = job_demo(store, &["list"]).stdout;
    assert!(!String::from_utf8(file).unwrap().contains('\u{1b}'));
    let logged = Command::new(env!("CARGO_BIN_EXE_job-demo"))
        .args(["--graph", "movies", "submit", "--wait", "kcore", "--store"])
        .arg(store)
        .env("RUST_LOG", "info")
        .output()
        .unwrap();
    let logged = String::from_utf8(logged.stderr).unwrap();
    assert!(logged.contains("INFO") && !logged.contains('\u{1b}'), "{logged:?}");
}

#[test]
fn completions_are_a_script_of_the_shell() {
    let script = told(Path::new("/nowhere"), &["completions", "bash"]);
    assert!(script.contains("retry") && script.contains("--state"), "{script}");
    let checked = Command::new("bash").args(["-nc", &script]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(told(Path::new("/nowhere"), &["completions", shell]).contains("retry"), "{shell}");
    }
}

#[test]
fn inspect_shows_what_is_there_and_compares_every_checksum() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    let id = told(store, &["submit", "vertex_filter", "--parameters", YOUNG]);
    told(store, &["submit", "kcore"]);
    told(store, &["run", "--pending"]);

    let shown = told(store, &["inspect"]);
    assert!(
        shown.contains("2 jobs, 2 results in 2 segments") && shown.ends_with("every checksum is right\n"),
        "{shown}"
    );
    let lines: Vec<Value> = told(store, &["--json", "inspect"]).lines().map(json).collect();
    assert_eq!((&lines[2]["jobs"], &lines[2]["findings"]), (&json!(2), &json!([])));
    let segment = json(&told(store, &["--json", "inspect", id.trim_end()]));
    assert_eq!((&segment["rows"], &segment["rowsOfBlocks"]), (&json!(19), &json!([19])));
    // RocksDB packs by itself, so a block has its rows, where each starts, and a footer.
    let bytes = segment["bytes"].as_u64().unwrap();
    assert_eq!(segment["storedBytes"], json!(bytes + 4 * 19 + 13));
    assert!(lines[2]["storedBytes"].as_u64() > lines[2]["bytes"].as_u64(), "{}", lines[2]);
}

#[test]
fn what_cannot_run_is_refused_before_it_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path();
    told(store, &["submit", "kcore"]);
    for (work, parameters, sentence) in [
        ("vertex_filter", r#"{"nonsense":1}"#, "nonsense is unknown: "),
        ("vertex_filter", "{}", "Bad Request, parameter labels and vertexFilters cannot all be null"),
        ("edge_filter", r#"{"labels":["user"]}"#, "labels[0] is \"user\": it must be one of friends, rate"),
        ("k_hop", "{}", "parameter source is missing: "),
        ("k_hop", r#"{"source":"Sarah"}"#, "parameter k is missing: "),
        ("sssp", r#"{"source":"nobody"}"#, "parameter source is \"nobody\": "),
        ("sssp", r#"{"source":"Sarah","weight":"length"}"#, "parameter weight is \"length\": "),
        ("label_propagation", r#"{"initial":"colour"}"#, "parameter initial is \"colour\": "),
        ("kcore", r#"{"K":3}"#, "parameter K is unknown: "),
    ] {
        let told = refused(store, 4, &["submit", work, "--parameters", parameters]);
        assert!(told.starts_with(&format!("job-demo: {sentence}")), "{work} {parameters}: {told}");
    }
    assert_eq!(told(store, &["--json", "list"]).lines().count(), 1, "and nothing of it is stored");
}

#[test]
fn errors_are_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("none");
    let missing = refused(&store, 3, &["list"]);
    assert!(missing.starts_with("job-demo: there is no job store at "), "{missing}");
    let missing = refused(&store, 3, &["inspect"]);
    assert!(missing.starts_with("job-demo: there is no job store at "), "{missing}");

    let store = directory.path();
    unchecked(store, "kcore", r#"{"k":"many"}"#);
    let unknown = refused(store, 3, &["status", "9440a7eb"]);
    assert_eq!(unknown, "job-demo: can not find job, jobId is  9440a7eb (GES.8301)\n");
    let range = refused(store, 2, &["status", "9440a7eb", "--limit", "0"]);
    assert_eq!(range, "job-demo: parameter limit is 0: it must be a whole number from 1 to 100000\n");
    let work = refused(store, 2, &["submit", "page_rank"]);
    assert!(work.starts_with("job-demo: work \"page_rank\" is unknown: it must be vertex_filter, "), "{work}");
    let parameters = refused(store, 2, &["submit", "kcore", "--parameters", "{"]);
    assert!(parameters.starts_with("job-demo: --parameters is not JSON: "), "{parameters}");

    let failed = job_demo(store, &["--json", "run", "--pending"]);
    assert_eq!(failed.status.code(), Some(5));
    let id = json(&String::from_utf8(failed.stdout).unwrap())["jobId"].as_str().unwrap().to_owned();
    let reason = refused(store, 5, &["status", &id]);
    assert!(reason.contains("parameter k is \"many\": it must be a whole number"), "{reason}");
}

#[test]
fn a_place_that_this_build_cannot_use_is_refused_with_the_feature_that_can() {
    let lacks = if cfg!(feature = "objects") {
        return;
    } else if cfg!(feature = "postgres") {
        "blocks in objects"
    } else {
        "PostgreSQL"
    };
    for command in [&["list"][..], &["submit", "kcore"], &["serve"]] {
        let told =
            refused(Path::new("postgres:postgres://u:secret@127.0.0.1:1/d,blocks=file:///nowhere"), 2, command);
        assert!(told.contains(&format!("was built without {lacks}")), "{told}");
        assert!(told.contains("`--features objects`") && !told.contains("secret"), "{told}");
    }
}
