//! The program as a server, with requests over a socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

/// A server process, which ends with the test.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(store: &Path) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--exports"];
        Self::of(command(store).args(serve).arg(store.join("exports")))
    }

    /// The server that this command starts.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        Self { child, address }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A client that has sent a part of a request, and has got a part of the answer.
    fn client(&self, sent: &str, comes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut came = vec![0; comes.len()];
        stream.read_exact(&mut came).unwrap();
        assert_eq!(String::from_utf8(came).unwrap(), comes);
        stream
    }

    pub(crate) fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended. It is killed if it did not end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let (done, is_done) = mpsc::channel::<()>();
        let guard = thread::spawn(move || {
            if is_done.recv_timeout(Duration::from_mins(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                Command::new("kill").args(["-KILL", &pid]).status().unwrap();
            }
        });
        let status = self.child.wait().unwrap();
        drop(done);
        guard.join().unwrap();
        status
    }

    /// The status and the body of an answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.send(method, &format!("/ges/v1.0/demo/graphs/movies{path}"), body)
    }

    /// Asks for a path.
    pub(crate) fn get(&self, path: &str) -> String {
        let (code, body) = self.send("GET", path, "");
        assert_eq!(code, 200, "{body}");
        body
    }

    /// The status and the body of an answer to JSON.
    pub(crate) fn post(&self, path: &str, json: &str) -> (u16, String) {
        self.send("POST", path, json)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.send_with("Accept: */*", method, path, body)
    }

    /// The status and the body of an answer to a request with this field in its head.
    pub(crate) fn send_with(&self, field: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\n{field}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
    command.args(["--graph", "movies", "--wordnet", "/nowhere", "--store"]).arg(store);
    command
}

/// A request whose head announces a body that does not come.
const HALF_A_BODY: &str = "POST /ges/v1.0/demo/graphs/movies/vertices/action?action_id=query HTTP/1.1\r\n\
                           Host: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";

#[test]
fn clients_that_send_half_a_request_do_not_hold_up_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let _clients = [
        server.client("", ""),
        server.client("GET / HT", ""),
        server.client(HALF_A_BODY, "HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    server.terminate();
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let _client = server.client(HALF_A_BODY, "HTTP/1.1 100 Continue\r\n\r\n");
    server.terminate();
    // The server has ended when it accepts no connection.
    while TcpStream::connect(&server.address).is_ok() {}
    server.terminate();
    assert_eq!(server.end().signal(), Some(15));
}

#[test]
fn a_page_of_another_site_can_submit_nothing_and_a_name_of_its_own_does_not_help() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.args(["serve", "--listen", "127.0.0.1:0", "--host", "jobs.example.com"]);
    let server = Server::of(command.args(["--origin", "https://console.example.com"]));
    let address = server.address.clone();
    for (host, field, expected) in [
        (address.as_str(), "Origin: http://evil.example", "403"),
        (address.as_str(), "Sec-Fetch-Site: cross-site", "403"),
        ("evil.example", "Origin: http://evil.example", "403"),
        (address.as_str(), "Origin: https://console.example.com", "200"),
        ("jobs.example.com", "Origin: https://jobs.example.com", "200"),
        (address.as_str(), "Accept: */*", "200"),
    ] {
        let request = format!(
            "POST /ges/v1.0/demo/graphs/movies/vertices/action?action_id=query HTTP/1.1\r\nHost: {host}\r\n\
             {field}\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n{{\"labels\":[\"user\"]}}"
        );
        server.client(&request, &format!("HTTP/1.1 {expected}"));
    }
}

#[test]
fn what_is_served_is_what_the_command_line_prints() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (code, refused) = server.ask("POST", "/vertices/action?action_id=query", r#"{"labels":["usr"]}"#);
    assert_eq!(code, 400);
    assert!(refused.contains("GES.8201"), "{refused}");
    let (code, refused) =
        server.ask("POST", "/action?action_id=execute-algorithm", r#"{"algorithmName":"node2vec"}"#);
    assert_eq!(code, 400);
    assert!(refused.contains("GES.8402"), "{refused}");

    for (body, field) in [
        (r#"{"algorithmName":"k_hop"}"#, "parameter source is missing"),
        (r#"{"algorithmName":"kcore","parameters":{"K":3}}"#, "parameter K is unknown"),
    ] {
        let (code, refused) = server.ask("POST", "/action?action_id=execute-algorithm", body);
        assert_eq!(code, 400);
        assert!(refused.contains("GES.8402") && refused.contains(field), "{refused}");
    }

    let young = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;
    let (code, acknowledged) = server.ask("POST", "/vertices/action?action_id=query", young);
    assert_eq!(code, 200);
    let acknowledged: Value = serde_json::from_str(&acknowledged).unwrap();
    let id = acknowledged["jobId"].as_str().unwrap();
    let (code, page) = server.ask("GET", &format!("/jobs/{id}/status?offset=1&limit=2&wait=50"), "");
    assert_eq!(code, 200, "{page}");

    // The store survives the death of the server.
    drop(server);
    let printed = command(directory.path())
        .args(["--json", "status", id, "--offset", "1", "--limit", "2"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), page);
}

#[test]
fn a_server_writes_its_log_as_json_and_serves_its_metrics() {
    let directory = tempfile::tempdir().unwrap();
    let (store, log) = (directory.path().join("store"), directory.path().join("log"));
    let mut serve = command(&store);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--log", "json"]).env_remove("RUST_LOG");
    let server = Server::of(serve.stderr(std::fs::File::create(&log).unwrap()));
    let (code, told) =
        server.ask("POST", "/action?action_id=execute-algorithm", r#"{"algorithmName":"triangle_count"}"#);
    let told: Value = serde_json::from_str(&told).unwrap();
    let id = told["jobId"].as_str().unwrap();
    assert_eq!(code, 200);
    assert_eq!(server.ask("GET", &format!("/jobs/{id}/status?wait=30"), "").0, 200);
    let metrics = server.get("/metrics");
    for line in ["jobs_submitted_total 1", "# TYPE job_waited_seconds histogram"] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    let is_declared = |kind: &Value| {
        kind["parameters"].is_array() || kind["kind"].as_str().is_some_and(|kind| kind.starts_with("action:"))
    };
    let kinds: Value = serde_json::from_str(&server.ask("GET", "/kinds", "").1).unwrap();
    assert!(kinds["kinds"].as_array().unwrap().iter().all(is_declared), "{kinds}");
    server.terminate();
    assert_eq!(server.end().code(), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = lines.iter().find(|line| line["message"] == "job ended").unwrap();
    assert_eq!((&ended["level"], &ended["job"]), (&"INFO".into(), &id.into()));
}

/// By default an unknown parameter is refused.
#[test]
fn a_server_ignores_unknown_parameters_if_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--unknown-parameters", "ignore"];
    let server = Server::of(command(directory.path()).args(serve));
    let body = r#"{"algorithmName":"label_propagation","parameters":{"coveragence":0.2,"resultFormat":"csv"}}"#;
    let (code, acknowledged) = server.ask("POST", "/action?action_id=execute-algorithm", body);
    assert_eq!(code, 200, "{acknowledged}");
    let acknowledged: Value = serde_json::from_str(&acknowledged).unwrap();
    let id = acknowledged["jobId"].as_str().unwrap();
    assert_eq!(server.ask("GET", &format!("/jobs/{id}/status?wait=30&limit=1"), "").0, 200);
    let (_, explained) = server.ask("GET", &format!("/jobs/{id}/explain"), "");
    assert!(explained.contains(r#""ignored":["resultFormat"]"#), "{explained}");
    // The command line shows what the job runs with.
    let listed = command(directory.path()).args(["--json", "list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("label_propagation"), "{listed}");
    let filter = r#"{"labels":["user"],"resultFormat":"csv"}"#;
    assert_eq!(server.ask("POST", "/vertices/action?action_id=query", filter).0, 200);
    drop(server);
    let strict = Server::start(directory.path());
    assert_eq!(strict.ask("POST", "/vertices/action?action_id=query", filter).0, 400);
    assert_eq!(strict.ask("POST", "/action?action_id=execute-algorithm", body).0, 400);
}
