//! One connection, with the settings of its session, its prepared statements and its calls.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt, TryStreamExt,
    future::{self, join, join3},
};
use tokio::{runtime::Handle, task::AbortHandle};
use tokio_postgres::{
    Client, Row, SimpleQueryMessage, Statement,
    types::{ToSql, Type},
};

use super::{
    PostgresOptions,
    blocks::Sent,
    failure::Failed,
    session::{self, Span},
    wait::{self, wait},
};
use crate::Durability;

/// The target of the log of statements. A connection logs each statement when it first runs it, with its settings.
const STATEMENTS: &str = "job_store::postgres::statements";

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) struct Connection {
    client: Arc<Client>,
    driver: AbortHandle,
    /// The prepared statements by their text, which is part of this library.
    statements: HashMap<&'static str, Known>,
    /// The present durability of commits.
    durability: Durability,
    /// The `synchronous_commit` of [`Durability::Synced`].
    synced: String,
    session: Session,
    /// Whether a transaction of several statements is open.
    is_within: bool,
}

/// The owner of the session in which the statements run.
pub(super) enum Session {
    /// The connection has a session of its own, which is set up once.
    Own,
    /// A pooler lends a session for each transaction. The text is the settings with which a transaction begins.
    Lent(String),
}

/// The state of a statement on the connection.
enum Known {
    Prepared(Statement),
    /// No statement stays prepared in a lent session. These are the types of its parameters.
    Typed(Vec<Type>),
}

impl Connection {
    pub(super) fn start(
        client: Client,
        driver: AbortHandle,
        options: &PostgresOptions,
        deadline: Instant,
    ) -> Result<Self, Failed> {
        let session = if options.pooled {
            Session::Lent(session::begin(&options.schema, options.timeout))
        } else {
            Session::Own
        };
        let (durability, statements) = (Durability::Synced, HashMap::new());
        let synced = "on".to_owned();
        let client = Arc::new(client);
        let mut started = Self { client, driver, statements, durability, synced, session, is_within: false };
        if !options.pooled {
            started.set_up(options, deadline)?;
        }
        // `Synced` uses the server's own setting, which may include standbys, but at least the disk of the server.
        let level = wait(started.client.simple_query("SHOW synchronous_commit"), deadline).ok_or(Failed::Late)?;
        let level = level.map_err(Failed::Database)?.iter().find_map(|said| match said {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        if let Some(level) = level.filter(|level| level != "off") {
            started.synced = level;
        }
        if !options.pooled {
            started.batch(&started.set(Durability::Synced), deadline)?;
        }
        Ok(started)
    }

    fn set_up(&self, options: &PostgresOptions, deadline: Instant) -> Result<(), Failed> {
        self.batch(&session::needed(&options.schema, options.timeout, Span::Session), deadline)?;
        let plans = session::plans(Span::Session);
        tracing::trace!(target: STATEMENTS, settings = plans, "set");
        for wish in [session::guards(options.timeout, Span::Session), plans] {
            match self.batch(&wish, deadline) {
                Err(failed) if failed.is_lost() => return Err(failed),
                Err(_) => tracing::debug!("the database has settings of its own"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    /// Runs statements without parameters. Their rows are ignored.
    pub(super) fn batch(&self, sql: &str, deadline: Instant) -> Result<(), Failed> {
        wait(self.client.batch_execute(sql), deadline).ok_or(Failed::Late)?.map_err(Failed::Database)
    }

    /// As [`batch`](Self::batch), without a deadline. `passing` is called now and then with the elapsed time.
    pub(super) fn batch_patiently(&self, sql: &str, passing: impl Fn(Duration)) -> Result<(), Failed> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let since = Instant::now();
        let mut batch = pin!(self.client.batch_execute(sql));
        loop {
            if let Some(done) = wait(batch.as_mut(), wait::deadline(PATIENCE)) {
                return done.map_err(Failed::Database);
            }
            passing(since.elapsed());
        }
    }

    /// Runs one statement. It is a transaction of its own unless one is open.
    pub(super) fn query(
        &mut self,
        durability: Durability,
        sql: &'static str,
        parameters: Parameters<'_>,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failed> {
        if let Session::Lent(begin) = &self.session {
            let begin =
                if self.is_within { String::new() } else { format!("{begin}; {}", self.set_local(durability)) };
            return self.query_lent(&begin, sql, parameters, deadline);
        }
        let statement = self.prepared(sql, deadline)?;
        let query = self.client.query(&statement, parameters);
        if self.is_within || self.durability == durability {
            return wait(query, deadline).ok_or(Failed::Late)?.map_err(Failed::Database);
        }
        let set = self.set(durability);
        // The setting and the statement are sent in one round trip.
        let (set, rows) = wait(join(self.client.batch_execute(&set), query), deadline).ok_or(Failed::Late)?;
        set.map_err(Failed::Database)?;
        self.durability = durability;
        rows.map_err(Failed::Database)
    }

    /// Sends a statement that was run here before. The answer is read from the socket by a task of `runtime`, so that the
    /// connection can be used meanwhile: it answers in order. `None` if the statement is not prepared.
    pub(super) fn send(
        &self,
        runtime: &Handle,
        sql: &str,
        parameters: impl FnOnce() -> Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> Option<Sent> {
        let Some(Known::Prepared(statement)) = self.statements.get(sql) else { return None };
        let (client, statement, parameters) = (Arc::clone(&self.client), statement.clone(), parameters());
        let mut answer =
            Box::pin(async move { client.query_raw(&statement, parameters).await?.try_collect().await });
        // The first poll sends it, before the next user of the connection sends anything.
        match (&mut answer).now_or_never() {
            Some(answer) => Some(runtime.spawn(future::ready(answer))),
            None => Some(runtime.spawn(answer)),
        }
    }

    /// Runs a statement in a transaction that begins with the text `begin`, or in the open one if that is empty.
    /// One round trip.
    fn query_lent(
        &mut self,
        begin: &str,
        sql: &'static str,
        parameters: Parameters<'_>,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failed> {
        let end = if begin.is_empty() { "" } else { "COMMIT" };
        let types = self.types(begin, sql, deadline)?;
        let values: Vec<_> = parameters.iter().copied().zip(types).collect();
        let client = &self.client;
        let transaction =
            join3(client.batch_execute(begin), client.query_typed(sql, &values), client.batch_execute(end));
        let (opened, rows, ended) = wait(transaction, deadline).ok_or(Failed::Late)?;
        opened.map_err(Failed::Database)?;
        let rows = rows.map_err(Failed::Database)?;
        ended.map_err(Failed::Database)?;
        Ok(rows)
    }

    /// The types of a statement's parameters, as the server infers them. The server prepares the statement for
    /// that, until the transaction ends.
    fn types(&mut self, begin: &str, sql: &'static str, deadline: Instant) -> Result<Vec<Type>, Failed> {
        if let Some(Known::Typed(types)) = self.statements.get(sql) {
            return Ok(types.clone());
        }
        let ask = async {
            self.client.batch_execute(begin).await?;
            let types = self.client.prepare(sql).await.map(|statement| statement.params().to_vec());
            if !begin.is_empty() {
                self.client.batch_execute("ROLLBACK").await?;
            }
            types
        };
        let types = wait(ask, deadline).ok_or(Failed::Late)?.map_err(Failed::Database)?;
        self.statements.insert(sql, Known::Typed(types.clone()));
        Ok(types)
    }

    /// Runs `body` as one transaction. It is rolled back if `body` fails or its answer is not `sound`.
    pub(super) fn transact<T>(
        &mut self,
        durability: Durability,
        deadline: Instant,
        sound: impl FnOnce(&T) -> bool,
        body: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let own = "BEGIN".to_owned();
        let begin = if let Session::Lent(begin) = &self.session { begin } else { &own };
        self.batch(&format!("{begin}; {}", self.set_local(durability)), deadline)?;
        self.is_within = true;
        let done = body(self);
        self.is_within = false;
        let keep = done.as_ref().is_ok_and(sound);
        self.batch(if keep { "COMMIT" } else { "ROLLBACK" }, deadline)?;
        done
    }

    fn prepared(&mut self, sql: &'static str, deadline: Instant) -> Result<Statement, Failed> {
        if let Some(Known::Prepared(statement)) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        tracing::trace!(target: STATEMENTS, sql, "prepared");
        let prepared = wait(self.client.prepare(sql), deadline).ok_or(Failed::Late)?;
        let statement = prepared.map_err(Failed::Database)?;
        self.statements.insert(sql, Known::Prepared(statement.clone()));
        Ok(statement)
    }

    fn set(&self, durability: Durability) -> String {
        format!("SET synchronous_commit TO {}", self.level(durability))
    }

    fn set_local(&self, durability: Durability) -> String {
        format!("SET LOCAL synchronous_commit TO {}", self.level(durability))
    }

    fn level(&self, durability: Durability) -> &str {
        match durability {
            Durability::Buffered => "off",
            Durability::Synced => &self.synced,
        }
    }
}

impl Drop for Connection {
    /// Closes the socket at once, without waiting for more data: on a broken network that wait may never end.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
