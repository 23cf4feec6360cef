//! PostgreSQL servers.

use std::{
    env,
    fs::{self, Permissions},
    io::{self, Read, Seek, Write},
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    directory::{self, Directory},
    skip,
};

/// The environment variable with the directory of PostgreSQL's programs.
const PROGRAMS: &str = "JOB_ENGINE_POSTGRES";

const MISSING: &str = "PostgreSQL is not installed (`sudo apt-get install postgresql`)";

/// The settings of every test server: many connections, small memory, no addresses but the loopback.
const SETTINGS: &str =
    "-c listen_addresses=127.0.0.1 -c max_connections=400 -c shared_buffers=64MB -c max_wal_size=256MB";

/// A database in the server that all test processes of one run share. The server starts before the first test that
/// needs it, and ends soon after the last one. It never syncs, so a power cut would damage it.
#[derive(Debug)]
pub struct Shared {
    _directory: Directory,
    programs: PathBuf,
    url: String,
}

impl Shared {
    /// `None` where PostgreSQL is not installed, with a line that says so.
    ///
    /// # Errors
    /// When PostgreSQL is installed and does not start.
    pub fn open() -> io::Result<Option<Self>> {
        let Some(programs) = programs() else {
            skip(MISSING);
            return Ok(None);
        };
        let user = User::of_server();
        let path = env::temp_dir().join(format!("job-engine-tests-postgres-{}", user.name()));
        let (directory, url) = Directory::join(&path, answers, |path| {
            let data = path.join("data");
            directory::remove(&data)?;
            let cluster = Cluster { programs: programs.clone(), user, data };
            cluster.init()?;
            let port = cluster.start_somewhere("-F -c full_page_writes=off")?;
            Directory::watch(path, &cluster.stop())?;
            Ok(url(port))
        })?;
        Ok(Some(Self { _directory: directory, programs, url }))
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements without a store. Returns their output.
    ///
    /// # Errors
    /// When one of the statements fails.
    pub fn sql(&self, statements: &str) -> io::Result<String> {
        sql(&self.programs, &self.url, statements)
    }

    /// As [`sql`](Self::sql), by way of a pooler.
    ///
    /// # Errors
    /// When one of the statements fails.
    pub fn sql_at(&self, url: &str, statements: &str) -> io::Result<String> {
        sql(&self.programs, url, statements)
    }

    /// The tables and rows of one schema, as statements: `pg_dump`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dump(&self, schema: &str) -> io::Result<String> {
        dump(&self.programs, &self.url, &["--inserts", "--no-owner", "-n", schema])
    }

    /// Runs a [`dump`](Self::dump).
    ///
    /// # Errors
    /// When a statement fails.
    pub fn restore(&self, dump: &str) -> io::Result<()> {
        restore(&self.programs, &self.url, dump)
    }

    /// A name for a schema that no other test of this run has.
    #[must_use]
    pub fn schema() -> String {
        format!("test_{}", directory::unique_name())
    }
}

/// A server for one test, which may kill it and start it again. The server syncs as PostgreSQL does by default.
/// Dropping the value stops the server.
#[derive(Debug)]
pub struct Postgres {
    cluster: Cluster,
    port: u16,
    _directory: Directory,
    _temporary: tempfile::TempDir,
}

impl Postgres {
    /// `None` where PostgreSQL is not installed, with a line that says so.
    ///
    /// # Errors
    /// When PostgreSQL is installed and does not start.
    pub fn start() -> io::Result<Option<Self>> {
        let Some(programs) = programs() else {
            skip(MISSING);
            return Ok(None);
        };
        let temporary = tempfile::tempdir()?;
        let user = User::of_server();
        if let Some((uid, gid)) = user.0 {
            chown(temporary.path(), Some(uid), Some(gid))?;
        }
        let cluster = Cluster { programs, user, data: temporary.path().join("data") };
        let mut port = 0;
        let (directory, _) = Directory::join(temporary.path(), answers, |path| {
            cluster.init()?;
            port = cluster.start_somewhere("")?;
            Directory::watch(path, &cluster.stop())?;
            Ok(url(port))
        })?;
        Ok(Some(Self { cluster, port, _directory: directory, _temporary: temporary }))
    }

    /// The URL of the server. A restart does not change it.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Creates a database in the server, and returns its URL.
    ///
    /// # Errors
    /// When the server has a database of that name.
    pub fn database(&self, name: &str) -> io::Result<String> {
        sql(&self.cluster.programs, &self.url(), &format!("CREATE DATABASE {name}"))?;
        let server = self.url();
        Ok(format!("{}/{name}", server.trim_end_matches("/postgres")))
    }

    /// The port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements without a store. Returns their output.
    ///
    /// # Errors
    /// When one of the statements fails.
    pub fn sql(&self, statements: &str) -> io::Result<String> {
        sql(&self.cluster.programs, &self.url(), statements)
    }

    /// All tables and rows of its first database at one moment, as statements: `pg_dump`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dump(&self) -> io::Result<String> {
        dump(&self.cluster.programs, &self.url(), &[])
    }

    /// Runs a [`dump`](Self::dump) in the database at `url`.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn restore(&self, url: &str, dump: &str) -> io::Result<()> {
        restore(&self.cluster.programs, url, dump)
    }

    /// As [`sql`](Self::sql), in the database at `url`.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn sql_at(&self, url: &str, statements: &str) -> io::Result<String> {
        sql(&self.cluster.programs, url, statements)
    }

    /// A session at its Unix socket, which reads statements.
    #[must_use]
    pub fn psql(&self) -> Command {
        let mut psql = Command::new(self.cluster.programs.join("psql"));
        let (directory, port) = (self.cluster.data.display().to_string(), self.port.to_string());
        psql.args(["-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres", "-h", &directory, "-p", &port]);
        psql
    }

    /// Starts the server again with this certificate and its key (PEM), so that it speaks TLS with clients that
    /// ask for it.
    ///
    /// # Errors
    /// When the certificate or key cannot be written, or the server does not start.
    pub fn encrypt(&self, certificate: &str, key: &str) -> io::Result<()> {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.cluster.data.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            if let Some((uid, gid)) = self.cluster.user.0 {
                chown(&path, Some(uid), Some(gid))?;
            }
        }
        self.sql("ALTER SYSTEM SET ssl = on")?;
        self.stop()?;
        self.start_again()
    }

    /// Makes the server a standby, which can be read and takes no writes.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn demote(&self) -> io::Result<()> {
        self.stop()?;
        let path = self.cluster.data.join("standby.signal");
        fs::write(&path, "")?;
        if let Some((uid, gid)) = self.cluster.user.0 {
            chown(&path, Some(uid), Some(gid))?;
        }
        self.start_again()
    }

    /// Kills the server without warning, as `kill -9` does.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn kill(&self) -> io::Result<()> {
        let file = fs::read_to_string(self.cluster.data.join("postmaster.pid"))?;
        let pid = file.lines().next().unwrap_or_default();
        run(Command::new("kill").args(["-KILL", pid])).map(drop)
    }

    /// Stops the server in order. Every connection ends at once.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn stop(&self) -> io::Result<()> {
        let mut stop = self.cluster.command("pg_ctl");
        run(stop.arg("-D").arg(&self.cluster.data).args(["-w", "-m", "fast", "stop"])).map(drop)
    }

    /// Starts a killed or stopped server again on the same port. The server recovers the writes that it had
    /// acknowledged.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn start_again(&self) -> io::Result<()> {
        // The other processes of a killed server take a moment to end.
        const TRIES: usize = 100;
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = self.cluster.start(self.port, "");
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = run(&mut self.cluster.stop());
    }
}

fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

/// Whether something listens where [`url`] points.
fn answers(url: &str) -> bool {
    let address = url.strip_prefix("postgres://postgres@").and_then(|rest| rest.strip_suffix("/postgres"));
    address.is_some_and(|address| TcpStream::connect(address).is_ok())
}

fn sql(programs: &Path, url: &str, statements: &str) -> io::Result<String> {
    let mut psql = Command::new(programs.join("psql"));
    run(psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statements]))
}

fn dump(programs: &Path, url: &str, arguments: &[&str]) -> io::Result<String> {
    run(Command::new(programs.join("pg_dump")).args(arguments).args(["-d", url]))
}

fn restore(programs: &Path, url: &str, dump: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(dump.as_bytes())?;
    let mut psql = Command::new(programs.join("psql"));
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f"]).arg(file.path());
    run(&mut psql).map(drop)
}

/// The programs and the data of one server.
#[derive(Debug)]
struct Cluster {
    programs: PathBuf,
    user: User,
    data: PathBuf,
}

impl Cluster {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        self.user.become_by(&mut command);
        command
    }

    fn init(&self) -> io::Result<()> {
        fs::create_dir_all(&self.data)?;
        if let Some((uid, gid)) = self.user.0 {
            chown(&self.data, Some(uid), Some(gid))?;
        }
        let mut init = self.command("initdb");
        let locale = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"];
        run(init.arg("-D").arg(&self.data).args(locale)).map(drop)
    }

    /// Another process may take the port before the server does. Then the next try uses another port.
    fn start_somewhere(&self, settings: &str) -> io::Result<u16> {
        const TRIES: usize = 5;
        let mut outcome = Err(io::Error::other("no port is free"));
        for _ in 0..TRIES {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            outcome = self.start(port, settings).map(|()| port);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Returns when the server accepts connections.
    fn start(&self, port: u16, settings: &str) -> io::Result<()> {
        let data = self.data.display();
        let options = format!("{SETTINGS} {settings} -p {port} -k {data}");
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(&self.data).arg("-l").arg(self.data.join("log")).args(["-w", "-t", "120", "-o"]);
        run(start.arg(options).arg("start")).map(drop)
    }

    /// The command that stops the server at once, when its data is no longer needed.
    fn stop(&self) -> Command {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(&self.data).args(["-m", "immediate", "stop"]);
        match self.user.0 {
            // The process that watches cannot change its user in the way of this process.
            Some((uid, gid)) => {
                let mut other = Command::new("setpriv");
                other.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
                other.arg(stop.get_program()).args(stop.get_args());
                other
            }
            None => stop,
        }
    }
}

/// The user that runs the server: this process's own, unless that is root, whom PostgreSQL refuses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User(Option<(u32, u32)>);

impl User {
    /// The numbers of the user and its group, where this process may run commands as that user.
    pub(crate) const fn numbers(self) -> Option<(u32, u32)> {
        self.0
    }

    pub(crate) fn of_server() -> Self {
        const NOBODY: u32 = 65_534;
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        Self(is_root.then(|| {
            let number = |flag| {
                let output = Command::new("id").args([flag, "postgres"]).stderr(Stdio::null()).output().ok()?;
                String::from_utf8(output.stdout).ok()?.trim().parse().ok()
            };
            (number("-u").unwrap_or(NOBODY), number("-g").unwrap_or(NOBODY))
        }))
    }

    fn name(self) -> String {
        let own = fs::metadata("/proc/self").map_or(0, |process| process.uid());
        self.0.map_or(own, |(uid, _)| uid).to_string()
    }

    fn become_by(self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
    }
}

/// The directory of PostgreSQL's programs: the one that is named, else the newest of Debian's.
fn programs() -> Option<PathBuf> {
    if let Some(named) = env::var_os(PROGRAMS).filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let (_, directory) = newest.filter(|(_, path)| path.join("bin/initdb").is_file()).max()?;
    Some(directory.join("bin"))
}

/// Runs a command to its end and returns its output. If the command fails, the error ends with that output.
fn run(command: &mut Command) -> io::Result<String> {
    // The output goes to a file and not to a pipe, since a server that outlives the command would keep the pipe
    // open.
    let mut words = tempfile::tempfile()?;
    command.current_dir(Path::new("/")).stdin(Stdio::null()).stdout(words.try_clone()?).stderr(words.try_clone()?);
    let status = command.status()?;
    let mut said = String::new();
    words.rewind()?;
    words.read_to_string(&mut said)?;
    let said = said.trim();
    if status.success() {
        return Ok(said.to_owned());
    }
    let program = command.get_program().to_string_lossy();
    Err(io::Error::other(format!("{program} failed ({status}): {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_killed_starts_again_where_it_was() {
        let Some(server) = Postgres::start().unwrap() else { return };
        let url = server.url();
        server.kill().unwrap();
        server.start_again().unwrap();
        assert_eq!(server.url(), url);
        server.stop().unwrap();
        assert!(server.kill().is_err());
    }

    #[test]
    fn the_shared_server_is_one() {
        let Some(one) = Shared::open().unwrap() else { return };
        let other = Shared::open().unwrap().unwrap();
        assert_eq!(one.url(), other.url());
        assert_ne!(Shared::schema(), Shared::schema());
    }
}
