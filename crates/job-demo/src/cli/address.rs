//! [`Address`]: the address of a store's server, in a file in the directory of the store.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of the file with the server's address. It lies in the directory of the store, which ignores files of
/// other names than its own.
const FILE: &str = "job-demo.address";

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) pid: u32,
    /// A word that only this server answers with: ports and process ids are used again.
    pub(super) instance: String,
    /// The server takes what changes files from those who know it: those who may read the address.
    #[serde(default)]
    pub(super) key: String,
}

impl Address {
    /// The address of this process.
    pub(super) fn own(listens: SocketAddr) -> Self {
        // A server on all addresses is reached on the loopback one.
        let ip = match listens.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let url = format!("http://{}", SocketAddr::new(ip, listens.port()));
        let [instance, key] = [(); 2].map(|()| Uuid::new_v4().to_string());
        Self { url, pid: process::id(), instance, key }
    }

    /// The content of the file; `None` if it does not exist or is incomplete.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(FILE)).ok()?).ok()
    }

    /// Writes the file, which only the user may read. Dropping the returned value removes it.
    pub(super) fn publish(self, directory: &Path) -> io::Result<Published> {
        let draft = directory.join(format!("{FILE}.{}", self.pid));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        serde_json::to_writer(&mut file, &self)?;
        file.flush()?;
        // The rename ensures that no process reads a part of it.
        fs::rename(&draft, directory.join(FILE))?;
        Ok(Published { address: self, directory: directory.to_owned() })
    }
}

/// The file while the server runs.
#[derive(Debug)]
pub(super) struct Published {
    address: Address,
    directory: PathBuf,
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another server may have taken over.
        if Address::read(&self.directory).as_ref() == Some(&self.address) {
            let _ = fs::remove_file(self.directory.join(FILE));
        }
    }
}

/// The answer to a request at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The server answered with this word.
    Instance(String),
    /// Nothing listens there.
    Nobody,
    /// A program listens there and does not answer in time.
    Silence,
}

/// The state of the server at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The server answers.
    Serves,
    /// The server has ended without removing its file.
    Stale,
    /// The server does not answer: it is stopped, or has too much to do.
    Hangs,
}

/// Decides about an address after a request to it. The process is looked for only without an answer. The server
/// may be in a container of its own, and another process here may have its id.
pub(super) fn judge(address: &Address, heard: &Heard, is_alive: bool) -> Standing {
    match heard {
        Heard::Instance(instance) if *instance == address.instance => Standing::Serves,
        Heard::Silence if is_alive => Standing::Hangs,
        Heard::Instance(_) | Heard::Nobody | Heard::Silence => Standing::Stale,
    }
}

/// Whether there is a process of this number.
pub(super) fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn address() -> Address {
        Address { url: "http://127.0.0.1:1".to_owned(), pid: 7, instance: "a".to_owned(), key: "k".to_owned() }
    }

    #[test]
    fn a_server_is_known_by_its_word_and_by_nothing_else() {
        let instance = |word: &str| Heard::Instance(word.to_owned());
        for (heard, is_alive, expected) in [
            (instance("a"), true, Standing::Serves),
            // The server's process id is of another container.
            (instance("a"), false, Standing::Serves),
            // Another program has the server's port, even if some process has the server's process id.
            (instance("b"), true, Standing::Stale),
            (instance(""), true, Standing::Stale),
            (instance("b"), false, Standing::Stale),
            (Heard::Nobody, true, Standing::Stale),
            (Heard::Nobody, false, Standing::Stale),
            (Heard::Silence, true, Standing::Hangs),
            (Heard::Silence, false, Standing::Stale),
        ] {
            assert_eq!(judge(&address(), &heard, is_alive), expected, "{heard:?} {is_alive}");
        }
        assert!(is_alive(process::id()) && !is_alive(u32::MAX));
    }

    #[test]
    fn the_file_is_the_users_alone_and_goes_with_its_server_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        assert_eq!(Address::read(directory.path()), None);
        let first = address().publish(directory.path()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let other = Address { instance: "b".to_owned(), ..address() };
        let second = other.clone().publish(directory.path()).unwrap();
        drop(first);
        assert_eq!(Address::read(directory.path()), Some(other));
        drop(second);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        fs::write(&file, "{\"url\":\"http").unwrap();
        assert_eq!(Address::read(directory.path()), None);
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        for (listens, url) in [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.1:80", "http://192.0.2.1:80"),
        ] {
            assert_eq!(Address::own(listens.parse().unwrap()).url, url);
        }
    }
}
