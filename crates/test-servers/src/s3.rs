//! An S3 server: SeaweedFS, in one process.

use std::{
    env,
    fs::{self, File},
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    directory::{self, Directory},
    skip,
};

/// The environment variable with the program, if it is not where `cargo xtask test` puts it.
const PROGRAM: &str = "JOB_ENGINE_SEAWEEDFS";
const BUCKET: &str = "tests";
const KEY: &str = "engine";
const SECRET: &str = "not-a-secret";
/// The rights of users.
const USERS: &str = r#"{"identities":[{"name":"tests","credentials":[{"accessKey":"engine","secretKey":"not-a-secret"}],
"actions":["Admin","Read","Write","List"]}]}"#;

/// A bucket in the S3 server that all test processes of one run share. The server starts before the first test
/// that needs it, and ends soon after the last one.
#[derive(Debug)]
pub struct S3 {
    _directory: Directory,
    endpoint: String,
}

impl S3 {
    /// `None` where SeaweedFS is not installed, with a line that says so.
    ///
    /// # Errors
    /// When SeaweedFS is installed and does not start.
    pub fn open() -> io::Result<Option<Self>> {
        let Some(program) = program() else {
            skip("SeaweedFS, an S3 server, is not installed (`cargo xtask test` does it)");
            return Ok(None);
        };
        let user = fs::metadata("/proc/self").map_or(0, |process| std::os::unix::fs::MetadataExt::uid(&process));
        let path = env::temp_dir().join(format!("job-engine-tests-s3-{user}"));
        let (directory, endpoint) = Directory::join(&path, answers, |path| {
            let data = path.join("data");
            directory::remove(&data)?;
            let server = Server::start(&program, &data)?;
            Directory::watch(path, &server.stop(&data))?;
            Ok(format!("http://127.0.0.1:{}", server.ports.s3))
        })?;
        Ok(Some(Self { _directory: directory, endpoint }))
    }

    /// A URL that no other test of this run has.
    #[must_use]
    pub fn url() -> String {
        format!("s3://{BUCKET}/{}", directory::unique_name())
    }

    /// The settings that a URL of S3 does not hold, by the names of environment variables.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let settings = [
            ("AWS_ENDPOINT", self.endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// A server that is starting. Its process keeps running when this value is dropped.
struct Server {
    child: Child,
    ports: Ports,
}

/// The ports of the server's parts, two for each part.
#[derive(Clone, Copy)]
struct Ports {
    master: u16,
    volume: u16,
    filer: u16,
    s3: u16,
    inner: [u16; 4],
}

impl Ports {
    /// Ports that were free a moment ago.
    fn find() -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut free = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            listeners.push(listener);
            Ok::<u16, io::Error>(port)
        };
        let [master, volume, filer, s3] = [free()?, free()?, free()?, free()?];
        Ok(Self { master, volume, filer, s3, inner: [free()?, free()?, free()?, free()?] })
    }
}

impl Server {
    /// Another process may take a port before the server does. Then the next try uses other ports.
    fn start(program: &Path, data: &Path) -> io::Result<Self> {
        const TRIES: usize = 5;
        fs::create_dir_all(data)?;
        fs::write(data.join("users.json"), USERS)?;
        let mut last = String::new();
        for _ in 0..TRIES {
            let ports = Ports::find()?;
            let child = command(program, data, ports)?.spawn()?;
            let mut server = Self { child, ports };
            if server.waits_until_ready()? {
                return Ok(server);
            }
            last = fs::read_to_string(data.join("log"))?;
        }
        let end: Vec<&str> = last.lines().rev().take(5).collect();
        Err(io::Error::other(format!("SeaweedFS does not start: {}", end.join(" / "))))
    }

    /// The command kills the server, since an orderly stop takes long. It first checks that the process id still
    /// belongs to the server.
    fn stop(&self, data: &Path) -> Command {
        const STOP: &str = r#"[ "$(readlink "/proc/$1/cwd")" = "$2" ] && kill -KILL "$1""#;
        let mut stop = Command::new("sh");
        stop.args(["-c", STOP, "stop", &self.child.id().to_string()]).arg(data);
        stop
    }

    /// Waits until the server is ready. `false` if the server has ended.
    fn waits_until_ready(&mut self) -> io::Result<bool> {
        const AGAIN: Duration = Duration::from_millis(50);
        // The parts of the server start one after the other, and find each other. The server is ready when it has
        // room for an object and a bucket.
        let steps = [
            (self.ports.master, "GET /dir/assign".to_owned(), "\"fid\""),
            (self.ports.filer, format!("POST /buckets/{BUCKET}/"), "201"),
            (self.ports.s3, "GET /".to_owned(), "403"),
        ];
        for (port, request, expected) in steps {
            while !ask(port, &request).is_ok_and(|answer| answer.contains(expected)) {
                if self.child.try_wait()?.is_some() {
                    return Ok(false);
                }
                thread::sleep(AGAIN);
            }
        }
        Ok(true)
    }
}

fn command(program: &Path, data: &Path, ports: Ports) -> io::Result<Command> {
    let log = File::create(data.join("log"))?;
    let mut command = Command::new(program);
    command.args(["-logtostderr=true", "-v=-1", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    // The option turns its telemetry off.
    command.args(["-master.telemetry=false", "-master.volumeSizeLimitMB=256", "-volume.max=100", "-filer", "-s3"]);
    command.args(["-volume.preStopSeconds=0", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    let [master, volume, filer, s3] = ports.inner;
    for (name, port) in [
        ("master.port", ports.master),
        ("master.port.grpc", master),
        ("volume.port", ports.volume),
        ("volume.port.grpc", volume),
        ("filer.port", ports.filer),
        ("filer.port.grpc", filer),
        ("s3.port", ports.s3),
        ("s3.port.grpc", s3),
    ] {
        command.arg(format!("-{name}={port}"));
    }
    for (name, file) in
        [("dir", ""), ("s3.config", "users.json"), ("filer.localSocket", "filer"), ("s3.localSocket", "s3")]
    {
        command.arg(format!("-{name}={}", data.join(file).display()));
    }
    // A signal to the tests, or the end of their output, does not reach the server.
    command.process_group(0).current_dir(data).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Whether an S3 server listens there.
fn answers(endpoint: &str) -> bool {
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.is_some_and(|port| ask(port, "GET /").is_ok_and(|answer| answer.contains("403")))
}

/// The whole answer to a request without a body.
fn ask(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The program of the variable, or else the one in the cache that all clones of a user share.
fn program() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = variable(PROGRAM) {
        return Some(named);
    }
    let users = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = variable("JOB_ENGINE_CACHE").or_else(|| Some(users()?.join("job-engine")))?;
    Some(cache.join("seaweedfs/bin/weed")).filter(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_server_is_one() {
        let Some(one) = S3::open().unwrap() else { return };
        let other = S3::open().unwrap().unwrap();
        assert_eq!(one.settings(), other.settings());
        assert_ne!(S3::url(), S3::url());
    }
}
