//! The failures of a call to the database, and the [`StoreError`] of each.

use std::{error::Error, io};

use tokio_postgres::error::{Severity, SqlState};

use super::Call;
use crate::{ErrorKind, StoreError};

/// The reason why a statement failed.
pub(super) enum Failed {
    Database(tokio_postgres::Error),
    /// The deadline came before the answer. It is unknown whether the statement has run.
    Late,
    /// Several servers answered, and none of them takes writes.
    Standby,
    Store(StoreError),
}

impl Failed {
    fn state(&self) -> Option<&SqlState> {
        if let Self::Database(error) = self { error.code() } else { None }
    }

    /// Whether the connection cannot be used any more.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Late | Self::Standby => true,
            Self::Store(_) => false,
            Self::Database(error) => match error.as_db_error() {
                None => true,
                Some(said) => {
                    let ended = matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
                    // The server shuts down, has crashed or starts up, or is a former primary that takes no writes
                    // any more.
                    ended
                        || said.code().code().starts_with("57P")
                        || *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION
                }
            },
        }
    }

    pub(super) const fn is_late(&self) -> bool {
        matches!(self, Self::Late)
    }

    /// Whether the server has no room for one more connection. The end of another connection makes room.
    pub(super) fn is_shortage(&self) -> bool {
        self.state().is_some_and(|state| state.code().starts_with("53"))
    }

    /// Whether the server rolled the statement back because of a conflict with others, so that it is run again.
    pub(super) fn is_collision(&self) -> bool {
        let collisions =
            [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
        self.state().is_some_and(|state| collisions.contains(state))
    }

    /// Whether the statement rolled itself back, because of a taken key or a count that is wrong.
    pub(super) fn is_refused(&self) -> bool {
        [SqlState::UNIQUE_VIOLATION, SqlState::DIVISION_BY_ZERO].iter().any(|state| self.state() == Some(state))
    }

    /// Whether a result was refused because its rows are missing.
    pub(super) fn lacks_rows(&self) -> bool {
        self.state() == Some(&SqlState::INVALID_ARGUMENT_FOR_LOG)
    }

    /// The failure as an error of this call, in one sentence. Neither the driver nor the server repeats a
    /// password.
    pub(super) fn on(self, call: Call) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Late => call.failed(ErrorKind::Unavailable, "the database did not answer in time"),
            Self::Standby => call.failed(
                ErrorKind::Unavailable,
                "the database is a standby, which takes no writes, on every host that answers",
            ),
            Self::Database(error) if is_tls_refused(&error) => {
                let detail =
                    format!("the database cannot be spoken to by TLS, as its URL asks: {}", cause(&error));
                call.failed(call.misfit(), detail).because(error)
            }
            Self::Database(error) => {
                let kind = error.code().map_or(ErrorKind::Unavailable, |state| kind_of(state.code(), call));
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

    /// The class of an error about a password, a right, a certificate or a table. When a store opens, its user has
    /// to change something. In an open store all of that was right before. So its schema is being changed, and no
    /// job is to blame.
    pub(super) const fn misfit(self) -> ErrorKind {
        if self.opens { ErrorKind::Invalid } else { ErrorKind::Unavailable }
    }
}

/// Whether the server has no TLS, or TLS with a certificate that is not accepted. `false` if the network broke
/// meanwhile.
fn is_tls_refused(error: &tokio_postgres::Error) -> bool {
    // The driver shows this failure only in its text.
    let in_handshake = error.to_string().starts_with("error performing TLS handshake");
    let broken = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    in_handshake && broken.is_none_or(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// The innermost cause. The outer errors only introduce it.
fn cause(error: &tokio_postgres::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The class of an error of the database, by the class of its code. Pure.
fn kind_of(code: &str, call: Call) -> ErrorKind {
    let is = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
    match code {
        "53100" => ErrorKind::Full,
        "XX001" | "XX002" => ErrorKind::Corrupt,
        // A value of the call is too long, too large or out of range. Trying again does not help.
        _ if is(&["22", "23", "54"]) => ErrorKind::Invalid,
        // A wrong password, an unknown database, a missing right, or a statement that the server does not know.
        _ if is(&["28", "3D", "3F", "42", "0A"]) => call.misfit(),
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_or_a_shortage_of_the_database_may_be_tried_again() {
        let (open, opens) = (Call::new("claim jobs"), Call::opening("open the store"));
        // Connection, memory, time-out, lock, conflict, standby, damaged disk.
        for code in [
            "08000", "08006", "08P01", "53000", "53200", "53300", "53400", "57014", "57P01", "57P02", "57P03",
            "57P05", "55P03", "55006", "40001", "40P01", "25006", "25P03", "58030", "XX000", "72000",
        ] {
            assert_eq!(kind_of(code, open), ErrorKind::Unavailable, "{code}");
            assert_eq!(kind_of(code, opens), ErrorKind::Unavailable, "{code}");
        }
        assert_eq!(kind_of("53100", open), ErrorKind::Full);
        // A password that is being changed, a right that is being given, tables that are being restored.
        for code in ["28P01", "28000", "3D000", "3F000", "42501", "42P01"] {
            assert_eq!(kind_of(code, open), ErrorKind::Unavailable, "{code}");
            assert_eq!(kind_of(code, opens), ErrorKind::Invalid, "{code}");
        }
        for code in ["22001", "22003", "22021", "23502", "54000"] {
            assert_eq!(kind_of(code, open), ErrorKind::Invalid, "{code}");
        }
        assert_eq!(kind_of("XX001", open), ErrorKind::Corrupt);
    }
}
