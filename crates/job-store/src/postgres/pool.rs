//! Connections: made when they are needed, kept for the next call, thrown away when they break.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use super::{
    Call, PostgresOptions,
    address::Address,
    connection::Connection,
    failure::Failed,
    wait::{self, wait},
};
use crate::ErrorKind;

pub(super) struct Pool {
    address: Address,
    schema: String,
    runtime: Handle,
    most: usize,
    timeout: Duration,
    held: Mutex<Held>,
    returned: Condvar,
}

#[derive(Default)]
struct Held {
    idle: Vec<Connection>,
    /// Idle or in use.
    open: usize,
}

impl Pool {
    pub(super) fn new(address: Address, options: &PostgresOptions, runtime: Handle) -> Self {
        Self {
            address,
            schema: options.schema.clone(),
            runtime,
            most: options.connections.max(1),
            timeout: options.timeout,
            held: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        wait::deadline(self.timeout)
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
        let mut held = self.held.lock();
        if outcome.as_ref().is_err_and(Failed::is_lost) {
            // What one call finds lost the others will.
            held.open -= 1 + held.idle.len();
            held.idle.clear();
            drop(held);
            drop(connection);
            self.returned.notify_all();
        } else {
            held.idle.push(connection);
            drop(held);
            self.returned.notify_one();
        }
        outcome
    }

    fn take(&self, call: Call, deadline: Instant) -> Result<Connection, Failed> {
        let mut held = self.held.lock();
        loop {
            // The last used is the warmest, unless it would have to change its durability.
            let fitting = held.idle.iter().rposition(|one| one.durability() == call.durability);
            let found = fitting.map(|at| held.idle.remove(at)).or_else(|| held.idle.pop());
            match found {
                Some(connection) if connection.is_closed() => held.open -= 1,
                Some(connection) => return Ok(connection),
                None if held.open < self.most => break,
                None if self.returned.wait_until(&mut held, deadline).timed_out() => {
                    let detail = format!("all {} connections to the database are in use", self.most);
                    return Err(Failed::Store(call.failed(ErrorKind::Unavailable, detail)));
                }
                None => {}
            }
        }
        held.open += 1;
        drop(held);
        self.connect(call, deadline).inspect_err(|_| {
            self.held.lock().open -= 1;
            self.returned.notify_one();
        })
    }

    fn connect(&self, call: Call, deadline: Instant) -> Result<Connection, Failed> {
        let address = self.address.clone();
        // Sockets belong to the runtime, so connecting happens there.
        let connecting = self.runtime.spawn(async move { address.connect().await });
        let abort = connecting.abort_handle();
        let Some(connected) = wait(connecting, deadline) else {
            abort.abort();
            return Err(Failed::Late);
        };
        let stopped = |_| Failed::Store(call.failed(ErrorKind::Unavailable, "the store is closing"));
        let (client, mut messages) = connected.map_err(stopped)?.map_err(Failed::Database)?;
        let driver = self.runtime.spawn(async move {
            // An error reaches the calls that are under way.
            while let Some(Ok(_)) = messages.next().await {}
        });
        Connection::start(client, driver.abort_handle(), &self.schema, self.timeout, deadline)
    }
}
