//! What goes wrong between a call and the database, as a [`StoreError`].

use std::{error::Error, io};

use tokio_postgres::error::SqlState;

use super::Call;
use crate::{ErrorKind, StoreError};

/// Why a statement did not run.
pub(super) enum Failed {
    Database(tokio_postgres::Error),
    /// The deadline came first; whether the statement runs is not known.
    Late,
    Store(StoreError),
}

impl Failed {
    fn state(&self) -> Option<&SqlState> {
        if let Self::Database(error) = self { error.code() } else { None }
    }

    /// Whether the connection is of no more use.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Store(_) => false,
            Self::Database(error) => match error.code() {
                None => true,
                // Shut down, crashed, starting up; or a former primary that takes no writes any more.
                Some(state) => state.code().starts_with("57P") || *state == SqlState::READ_ONLY_SQL_TRANSACTION,
            },
        }
    }

    /// Whether the server undid the statement because of others beside it: then it is simply run again.
    pub(super) fn is_collision(&self) -> bool {
        let collisions = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        self.state().is_some_and(|state| collisions.contains(state))
    }

    /// Whether the statement undid itself, because of a key that is taken or a sum that is not what it has to be.
    pub(super) fn is_refused(&self) -> bool {
        [SqlState::UNIQUE_VIOLATION, SqlState::DIVISION_BY_ZERO].iter().any(|state| self.state() == Some(state))
    }

    /// In one sentence. Neither the driver nor the server repeats a password.
    pub(super) fn on(self, call: Call) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Late => call.failed(ErrorKind::Unavailable, "the database did not answer in time"),
            Self::Database(error) if is_tls_refused(&error) => {
                let detail =
                    format!("the database cannot be spoken to by TLS, as its URL asks: {}", cause(&error));
                call.failed(ErrorKind::Invalid, detail).because(error)
            }
            Self::Database(error) => {
                let kind = error.code().map_or(ErrorKind::Unavailable, kind_of);
                let detail = error.as_db_error().map_or_else(
                    || {
                        format!(
                            "the connection to the database failed ({}); the next call makes a new one",
                            cause(&error)
                        )
                    },
                    |said| format!("the database says: {} ({})", said.message(), said.code().code()),
                );
                call.failed(kind, detail).because(error)
            }
        }
    }
}

impl Call {
    pub(super) fn failed(self, kind: ErrorKind, detail: impl Into<String>) -> StoreError {
        let failed = StoreError::new(kind, self.operation, detail);
        self.job.map_or(failed.clone(), |job| failed.on(job))
    }

    pub(super) fn corrupt(self, detail: &impl ToString) -> StoreError {
        self.failed(ErrorKind::Corrupt, detail.to_string())
    }
}

/// Whether the server has no TLS or none that is accepted; not when the network broke meanwhile.
fn is_tls_refused(error: &tokio_postgres::Error) -> bool {
    // The driver says it in no other way.
    let in_handshake = error.to_string().starts_with("error performing TLS handshake");
    let broken = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    in_handshake && broken.is_none_or(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// The innermost reason, which the outer ones only introduce.
fn cause(error: &tokio_postgres::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn kind_of(state: &SqlState) -> ErrorKind {
    match state.code() {
        "53100" => ErrorKind::Full,
        "XX001" | "XX002" => ErrorKind::Corrupt,
        // A wrong password, no such database, no right to use it: the caller has to change something.
        code if ["28", "3D", "3F", "42"].iter().any(|class| code.starts_with(class)) => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}
