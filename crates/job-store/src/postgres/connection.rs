//! One connection: the settings of its session, its prepared statements, its calls.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::future::join;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Row, Statement, types::ToSql};

use super::{failure::Failed, schema::quoted, wait::wait};
use crate::Durability;

/// Every statement here finds its rows by an index, in a table of any size; a plan is made once. Without a word of ours
/// the first plan, of tables that are empty yet, might read the whole of them, and most of a small call's time would go
/// into planning.
const PLANS: &str = "SET plan_cache_mode TO force_generic_plan; SET jit TO off; SET enable_seqscan TO off; \
    SET enable_hashjoin TO off; SET enable_mergejoin TO off; SET enable_bitmapscan TO off";

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) struct Connection {
    client: Client,
    driver: AbortHandle,
    /// By their text, which is part of this library.
    statements: HashMap<&'static str, Statement>,
    /// What a commit waits for now.
    durability: Durability,
    /// The `synchronous_commit` of [`Durability::Synced`].
    synced: String,
}

impl Connection {
    pub(super) fn start(
        client: Client,
        driver: AbortHandle,
        schema: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Self, Failed> {
        let durability = Durability::Synced;
        let mut started = Self { client, driver, statements: HashMap::new(), durability, synced: String::new() };
        let session = format!(
            "SET search_path TO {}; SET statement_timeout TO {}",
            quoted(schema),
            timeout.as_millis().clamp(1, i32::MAX as u128)
        );
        started.batch(&session, deadline)?;
        match started.batch(PLANS, deadline) {
            Err(failed) if failed.is_lost() => return Err(failed),
            Err(_) => tracing::debug!("the database plans as it likes"),
            Ok(()) => {}
        }
        // What the server was set up for, which may be more than one disk; but never less.
        let rows =
            started.query(Durability::Synced, "SELECT current_setting('synchronous_commit')", &[], deadline)?;
        let level: Option<String> = rows.first().and_then(|row| row.try_get(0).ok());
        started.synced = level.filter(|level| level != "off").unwrap_or_else(|| "on".to_owned());
        let synced = started.set(Durability::Synced);
        started.batch(&synced, deadline)?;
        Ok(started)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    /// Runs statements that take no parameters, for their effect.
    pub(super) fn batch(&self, sql: &str, deadline: Instant) -> Result<(), Failed> {
        wait(self.client.batch_execute(sql), deadline).ok_or(Failed::Late)?.map_err(Failed::Database)
    }

    /// Runs one statement, which is a transaction of its own.
    pub(super) fn query(
        &mut self,
        durability: Durability,
        sql: &'static str,
        parameters: Parameters<'_>,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failed> {
        let statement = self.prepared(sql, deadline)?;
        let query = self.client.query(&statement, parameters);
        if self.durability == durability {
            return wait(query, deadline).ok_or(Failed::Late)?.map_err(Failed::Database);
        }
        let set = self.set(durability);
        // One way to the server and back for both.
        let (set, rows) = wait(join(self.client.batch_execute(&set), query), deadline).ok_or(Failed::Late)?;
        set.map_err(Failed::Database)?;
        self.durability = durability;
        rows.map_err(Failed::Database)
    }

    /// What a commit waits for from here on.
    pub(super) fn endure(&mut self, durability: Durability, deadline: Instant) -> Result<(), Failed> {
        if self.durability != durability {
            self.batch(&self.set(durability), deadline)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn prepared(&mut self, sql: &'static str, deadline: Instant) -> Result<Statement, Failed> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = wait(self.client.prepare(sql), deadline).ok_or(Failed::Late)?;
        let statement = prepared.map_err(Failed::Database)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    fn set(&self, durability: Durability) -> String {
        let level = match durability {
            Durability::Buffered => "off",
            Durability::Synced => &self.synced,
        };
        format!("SET synchronous_commit TO {level}")
    }
}

impl Drop for Connection {
    /// Closes the socket at once, whatever is still to come: behind a broken network that may be nothing, for ever.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
