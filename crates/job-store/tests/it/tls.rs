//! TLS to the database.

use std::{fs, path::Path, time::Duration};

use job_store::{ErrorKind, PostgresOptions, PostgresStore, SharedStore, Store, StoreError};
use test_servers::Postgres;

/// A self-signed certificate, and its key.
struct Certificate {
    pem: String,
    key: String,
}

impl Certificate {
    fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        Self { pem: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn file(&self, path: &Path) -> String {
        fs::write(path, &self.pem).unwrap();
        path.display().to_string()
    }
}

fn open(server: &Postgres, settings: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&format!("{}?{settings}", server.url()), PostgresOptions::default())
}

fn refused(server: &Postgres, settings: &str) -> String {
    let error = open(server, settings).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    error.to_string()
}

/// How many connections of stores are encrypted, and how many are not.
fn connections(server: &Postgres) -> (usize, usize) {
    let count = |of: &str| {
        let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'job-engine' AND ";
        server.sql(&format!("{sql} {of}")).unwrap().trim().parse().unwrap()
    };
    (count("ssl"), count("NOT ssl"))
}

#[test]
fn tls_is_spoken_to_a_server_whose_certificate_is_accepted_and_to_no_other() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let own = Certificate::of("127.0.0.1");
    let roots = own.file(&directory.path().join("own.pem"));
    let why = refused(&server, &format!("sslmode=require&sslrootcert={roots}"));
    assert!(why.contains("does not support TLS"), "{why}");

    server.encrypt(&own.pem, &own.key).unwrap();
    for mode in ["sslmode=require&", "sslmode=verify-ca&", "sslmode=verify-full&", ""] {
        let store = open(&server, &format!("{mode}sslrootcert={roots}")).unwrap();
        assert_eq!(store.unfinished().unwrap(), []);
        // The store listens on a connection of its own.
        assert!(store.wait(Duration::from_mins(1)).unwrap());
        let (encrypted, plain) = connections(&server);
        assert!(encrypted >= 2 && plain == 0, "{mode}: {encrypted} and {plain}");
        drop(store);
    }

    let stranger = Certificate::of("127.0.0.1").file(&directory.path().join("stranger.pem"));
    let why = refused(&server, &format!("sslrootcert={stranger}"));
    assert!(why.contains("certificate"), "{why}");
    let why = refused(&server, "sslmode=require");
    assert!(why.contains("certificate"), "the roots of the system: {why}");
    let why = refused(&server, "sslrootcert=/none/ca.pem");
    assert!(why.contains("/none/ca.pem"), "{why}");

    // The server has the certificate of another host.
    let other = Certificate::of("db.example");
    server.encrypt(&other.pem, &other.key).unwrap();
    let roots = other.file(&directory.path().join("other.pem"));
    let why = refused(&server, &format!("sslmode=verify-full&sslrootcert={roots}"));
    assert!(why.contains("not valid for name"), "{why}");
    assert_eq!(connections(&server), (0, 0));
}
