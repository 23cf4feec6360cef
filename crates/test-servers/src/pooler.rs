//! A pooler between clients and a PostgreSQL server: PgBouncer.

use std::{
    fs::{self, Permissions},
    io,
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{postgres::User, skip};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A pooler that lends each session of a server for one transaction. It ends when this value is dropped, or with
/// the thread that made it.
#[derive(Debug)]
pub struct Pooler {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// Starts a pooler for the server on this loopback port, with this number of sessions for each user. `None` if
    /// PgBouncer is not installed, with a line that says so.
    ///
    /// # Errors
    /// When PgBouncer is installed and does not start.
    pub fn start(server: u16, sessions: usize) -> io::Result<Option<Self>> {
        if !Path::new(PROGRAM).is_file() {
            skip("PgBouncer is not installed (`sudo apt-get install pgbouncer`)");
            return Ok(None);
        }
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = directory.path().join("pgbouncer.ini");
        fs::write(&settings, ini(server, port, sessions))?;
        let mut command = Command::new("setpriv");
        // With this option, the pooler ends when the test is killed.
        command.args(["--pdeathsig", "KILL"]);
        if let Some((uid, gid)) = User::of_server().numbers() {
            chown(directory.path(), Some(uid), Some(gid))?;
            fs::set_permissions(&settings, Permissions::from_mode(0o644))?;
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
        }
        command.arg(PROGRAM).arg(&settings).current_dir("/");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut started = Self { child, port, _directory: directory };
        started.wait()?;
        Ok(Some(started))
    }

    /// The port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the pooler accepts connections.
    fn wait(&mut self) -> io::Result<()> {
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("pgbouncer ended at once ({status})")));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ini(server: u16, port: u16, sessions: usize) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 1000\n"
    )
}
