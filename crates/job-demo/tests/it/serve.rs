//! The program as a server, asked over a socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A server of its own; it dies with the test.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(store: &Path) -> Self {
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

    /// The status and the body of an answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} /ges/v1.0/demo/graphs/movies{path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
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

fn command(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-demo"));
    command.args(["--graph", "movies", "--wordnet", "/nowhere", "--store"]).arg(store);
    command
}

#[test]
fn what_is_served_is_what_the_command_line_prints() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (code, refused) = server.ask("POST", "/vertices/action?action_id=query", r#"{"labels":["usr"]}"#);
    assert_eq!(code, 400);
    assert!(refused.contains("GES.8201"), "{refused}");
    let (code, refused) =
        server.ask("POST", "/action?action_id=execute-algorithm", r#"{"algorithmName":"louvain"}"#);
    assert_eq!(code, 400);
    assert!(refused.contains("GES.8402"), "{refused}");

    let young = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;
    let (code, acknowledged) = server.ask("POST", "/vertices/action?action_id=query", young);
    assert_eq!(code, 200);
    let acknowledged: Value = serde_json::from_str(&acknowledged).unwrap();
    let id = acknowledged["jobId"].as_str().unwrap();
    let (code, page) = server.ask("GET", &format!("/jobs/{id}/status?offset=1&limit=2&wait=60"), "");
    assert_eq!(code, 200, "{page}");

    // The store survives the death of the server.
    drop(server);
    let printed = command(directory.path())
        .args(["--json", "status", id, "--offset", "1", "--limit", "2"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), page);
}
