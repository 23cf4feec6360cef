//! The tables: the first store that opens makes them and brings them up to date.

use std::time::{Duration, Instant};

use super::{Call, connection::Connection, failure::Failed, session, wait};
use crate::{Durability, ErrorKind, StoreError};

/// Each migration brings the tables to its own version, which is its place in this list, counted from 1. A
/// released one never changes.
const MIGRATIONS: [&str; 7] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
];

/// The version that this library makes: the number of [`MIGRATIONS`].
pub(super) const VERSION: i32 = 7;

/// Settings of PostgreSQL's own storage. A database with another storage refuses them, and works without them.
const TUNING: &str = include_str!("schema/tuning.sql");

/// Locked together with a hash of the schema's name, so that two stores do not migrate one schema at once.
const LOCK: i32 = 0x6a6f_6273;

/// Makes the schema and its tables, or brings them up to date. Refuses tables of a later version. The short
/// statements have a deadline. Those that take longer for larger tables have none.
pub(super) fn migrate(
    connection: &mut Connection,
    schema: &str,
    call: Call,
    deadline: Instant,
) -> Result<(), Failed> {
    if version(connection, call, deadline)? == MIGRATIONS.len() {
        return Ok(());
    }
    let patient = wait::deadline(Duration::MAX);
    connection.transact(
        Durability::Synced,
        patient,
        |()| true,
        |connection| {
            connection.batch("SET LOCAL statement_timeout TO 0", patient)?;
            migrate_locked(connection, schema, call)
        },
    )?;
    let tuned = connection.transact(
        Durability::Synced,
        patient,
        |()| true,
        |connection| {
            connection
                .batch_patiently(TUNING, |spent| tracing::info!(?spent, "setting up the storage of the tables"))
        },
    );
    if tuned.is_err() {
        tracing::debug!("the database keeps its own storage settings");
    }
    Ok(())
}

fn migrate_locked(connection: &mut Connection, schema: &str, call: Call) -> Result<(), Failed> {
    // The deadline of a short statement.
    let soon = || wait::deadline(Duration::from_mins(1));
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK}, hashtext({}))", literal(schema));
    connection
        .batch_patiently(&lock, |spent| tracing::info!(?spent, "waiting for another store that is migrating"))?;
    let known = "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1";
    // The schema is looked up first, because a user may have rights in it but none to make one.
    if connection.query(Durability::Synced, known, &[&schema], soon())?.is_empty() {
        connection.batch(&format!("CREATE SCHEMA {}", quoted(schema)), soon())?;
    }
    let done = version(connection, call, soon())?;
    // Statements about whole tables need the plans that the database would choose by itself.
    connection.batch(&session::plans_of_the_database(), soon())?;
    for (sql, number) in MIGRATIONS.iter().zip(1..).skip(done) {
        migrate_to(connection, sql, number)?;
        connection.query(
            Durability::Synced,
            "INSERT INTO schema_version (version) VALUES ($1)",
            &[&number],
            soon(),
        )?;
    }
    Ok(())
}

/// Logs its steps, because a migration takes minutes for millions of jobs.
fn migrate_to(connection: &Connection, sql: &str, version: i32) -> Result<(), Failed> {
    let steps: Vec<_> = sql.split(";\n").filter(|step| !step.trim().is_empty()).collect();
    for (step, at) in steps.iter().zip(1..) {
        connection.batch_patiently(step, |spent| {
            let of = steps.len();
            tracing::info!(
                version,
                step = at,
                of,
                ?spent,
                "migrating the tables; nothing is lost if this is ended"
            );
        })?;
    }
    tracing::info!(version, "migrated the tables");
    Ok(())
}

/// The version of the tables; 0 if there are none.
fn version(connection: &mut Connection, call: Call, deadline: Instant) -> Result<usize, Failed> {
    let table = "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_version'";
    if connection.query(Durability::Synced, table, &[], deadline)?.is_empty() {
        return Ok(0);
    }
    let rows = connection.query(Durability::Synced, FOUND, &[], deadline)?;
    let found: Option<i32> = rows.first().and_then(|row| row.get(0));
    let found = found.unwrap_or(0);
    if found > VERSION {
        let detail = format!("its tables have version {found}, this library knows up to {VERSION}");
        return Err(Failed::Store(call.failed(ErrorKind::Format, detail)));
    }
    Ok(usize::try_from(found).unwrap_or(0))
}

/// The version of the tables.
pub(super) const FOUND: &str = "SELECT max(version) FROM schema_version";

/// Refuses to go on with tables that a newer library has migrated since they were opened here.
///
/// # Errors
/// `Format`.
pub(super) fn check_unchanged(call: Call, found: Option<i32>) -> Result<(), StoreError> {
    match found {
        Some(found) if found > VERSION => {
            let detail = format!(
                "a newer version of this library has migrated the tables to version {found}, and this one knows up to \
                 {VERSION}: upgrade this engine"
            );
            Err(call.failed(ErrorKind::Format, detail))
        }
        _ => Ok(()),
    }
}

/// A text as a literal of SQL, for sessions that take backslashes as they are.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as a quoted identifier of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number_of_the_last_migration() {
        assert_eq!(usize::try_from(VERSION), Ok(MIGRATIONS.len()));
    }

    #[test]
    fn a_name_is_quoted_whatever_is_in_it() {
        assert_eq!(quoted("job_engine"), r#""job_engine""#);
        assert_eq!(quoted(r#"a"; DROP TABLE b; --"#), r#""a""; DROP TABLE b; --""#);
        assert_eq!(literal("it's"), "'it''s'");
    }
}
