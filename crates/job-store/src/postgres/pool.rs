//! The connections of a store. A call makes or reuses one, and a broken one is closed.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use parking_lot::{Condvar, Mutex};
use tokio::{runtime::Handle, task::AbortHandle};
use tokio_postgres::{Client, SimpleQueryMessage, types::ToSql};

use super::{
    Call, PostgresOptions,
    address::Address,
    blocks::Sent,
    connection::Connection,
    failure::Failed,
    runtime::unanswered,
    wait::{self, wait},
};
use crate::ErrorKind;

/// A connection that is unused for this time is closed, unless it is the only one. Servers and roles have a
/// bounded number of connections, and other engines may wait for one.
const REST: Duration = Duration::from_secs(30);
/// The first and the longest pause after a server refuses a connection for want of room. The pause doubles each
/// time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

pub(super) struct Pool {
    address: Address,
    options: PostgresOptions,
    runtime: Handle,
    most: usize,
    held: Mutex<Held>,
    returned: Condvar,
}

#[derive(Default)]
struct Held {
    /// Idle connections, the last used at the end.
    idle: Vec<Idle>,
    /// The number of connections, idle or in use.
    open: usize,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(address: Address, options: &PostgresOptions, runtime: Handle) -> Self {
        Self {
            address,
            options: options.clone(),
            runtime,
            most: options.connections.max(1),
            held: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        wait::deadline(self.options.timeout)
    }

    /// Lends a connection to `body`: one that is idle, a new one, or the next that is given back.
    pub(super) fn with<T>(
        &self,
        call: Call,
        deadline: Instant,
        body: impl FnOnce(&mut Connection) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let mut connection = self.take(call, deadline)?;
        let outcome = body(&mut connection);
        self.put_back(connection, outcome.as_ref().is_err_and(Failed::is_lost));
        outcome
    }

    /// Sends a statement on an idle connection, which is then idle again. `None` if there is none on which the statement was
    /// run before.
    pub(super) fn send(
        &self,
        sql: &str,
        parameters: impl FnOnce() -> Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> Option<Sent> {
        let connection = self.held.lock().idle.pop()?.connection;
        let sent = connection.send(&self.runtime, sql, parameters);
        self.put_back(connection, false);
        sent
    }

    /// Ends the use of a connection, which may be lost.
    fn put_back(&self, connection: Connection, is_lost: bool) {
        let mut held = self.held.lock();
        if is_lost {
            // If one connection is lost, the idle ones are probably lost too.
            held.open -= 1 + held.idle.len();
            held.idle.clear();
            drop(held);
            drop(connection);
            self.returned.notify_all();
        } else {
            let rested = held.give_back(connection, Instant::now());
            drop(held);
            drop(rested);
            self.returned.notify_one();
        }
    }

    /// Takes an idle connection or opens one. If the server has no room, waits for the next that becomes free, in
    /// this process or in another.
    fn take(&self, call: Call, deadline: Instant) -> Result<Connection, Failed> {
        let mut pause = PAUSES.0;
        let mut shortage = None;
        loop {
            if let Some(connection) = self.place(call, deadline)? {
                return Ok(connection);
            }
            let refused = match self.connect(call, deadline) {
                Ok(connection) => return Ok(connection),
                Err(refused) => refused,
            };
            let mut held = self.held.lock();
            held.open -= 1;
            if !refused.is_shortage() || Instant::now() >= deadline {
                drop(held);
                self.returned.notify_one();
                // The shortage is a better reason than the time-out that ended the wait for it.
                return Err(if refused.is_late() { shortage.unwrap_or(refused) } else { refused });
            }
            shortage = Some(refused);
            if held.idle.is_empty() {
                let _ = self.returned.wait_until(&mut held, deadline.min(wait::deadline(pause)));
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    /// An idle connection. `None` if the caller may open one more, which already counts as open.
    fn place(&self, call: Call, deadline: Instant) -> Result<Option<Connection>, Failed> {
        let mut held = self.held.lock();
        loop {
            // The connection that was used last has the warmest caches. A connection with the wanted durability is
            // better still.
            let fitting = held.idle.iter().rposition(|idle| idle.connection.durability() == call.durability);
            let found = fitting.map(|at| held.idle.remove(at)).or_else(|| held.idle.pop());
            match found {
                Some(idle) if idle.connection.is_closed() => held.open -= 1,
                Some(idle) => return Ok(Some(idle.connection)),
                None if held.open < self.most => {
                    held.open += 1;
                    return Ok(None);
                }
                None if self.returned.wait_until(&mut held, deadline).timed_out() => {
                    let detail = format!("all {} connections to the database are in use", self.most);
                    return Err(Failed::Store(call.failed(ErrorKind::Unavailable, detail)));
                }
                None => {}
            }
        }
    }

    fn connect(&self, call: Call, deadline: Instant) -> Result<Connection, Failed> {
        let (client, driver) = self.dial(call, deadline)?;
        Connection::start(client, driver, &self.options, deadline)
    }

    fn dial(&self, call: Call, deadline: Instant) -> Result<(Client, AbortHandle), Failed> {
        let address = self.address.clone();
        // Sockets belong to the runtime, so a task of the runtime connects.
        let connecting = self.runtime.spawn(async move { address.connect(deadline).await });
        let abort = connecting.abort_handle();
        let Some(connected) = wait(connecting, deadline) else {
            abort.abort();
            return Err(Failed::Late);
        };
        let ended = |ended| Failed::Store(call.failed(ErrorKind::Unavailable, unanswered(&ended)));
        let (client, mut messages) = connected.map_err(ended)??;
        let driver = self.runtime.spawn(async move {
            // An error of the connection reaches the running calls by themselves.
            while let Some(Ok(_)) = messages.next().await {}
        });
        Ok((client, driver.abort_handle()))
    }

    /// Whether a pooler lends a session for each transaction. Two connections with sessions of their own never
    /// have the same session, and neither changes its own. The check comes before any setting of a session.
    pub(super) fn is_lent(&self, call: Call, deadline: Instant) -> bool {
        const ROUNDS: usize = 3;
        let Ok(one) = self.dial(call, deadline) else { return false };
        // If the server has no room for two connections, the first call reports it.
        let other = self.dial(call, deadline);
        let mut seen = [HashSet::new(), HashSet::new()];
        let both = [Some(&one), other.as_ref().ok()];
        for _ in 0..ROUNDS {
            for (connection, seen) in both.into_iter().zip(&mut seen) {
                seen.extend(connection.and_then(|(client, _)| session_of(client, deadline)));
            }
        }
        for (_, driver) in [Some(one), other.ok()].into_iter().flatten() {
            driver.abort();
        }
        let [one, other] = seen;
        one.len() > 1 || other.len() > 1 || !one.is_disjoint(&other)
    }
}

/// The process of the server that answers on a connection at the moment.
fn session_of(client: &Client, deadline: Instant) -> Option<String> {
    let answer = wait(client.simple_query("SELECT pg_backend_pid()"), deadline)?.ok()?;
    answer.iter().find_map(|said| match said {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

impl Held {
    /// Keeps a connection for the next call. Returns one that was unused for too long, to be closed.
    fn give_back(&mut self, connection: Connection, now: Instant) -> Option<Connection> {
        self.idle.push(Idle { connection, since: now });
        let rested = self.idle.first().is_some_and(|first| now.saturating_duration_since(first.since) > REST);
        rested.then(|| {
            self.open -= 1;
            self.idle.remove(0).connection
        })
    }
}
