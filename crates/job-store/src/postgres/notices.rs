//! Notices between claimants: a connection of its own listens for them and sends them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use parking_lot::{Condvar, Mutex};
use tokio::{sync::Notify, time::timeout};
use tokio_postgres::{AsyncMessage, Client};

use super::{
    Inner,
    address::Address,
    failure::Failed,
    schema::quoted,
    session::{self, Span},
    wait,
};

/// The least time between two notices of one claimant. Each is a commit that all others of the database wait for.
const BETWEEN: Duration = Duration::from_millis(20);
/// The pause before a lost connection is replaced.
const RETRY: Duration = Duration::from_secs(1);
/// After this time without a message the connection is tested. Nothing else would show that it is dead: a listener
/// sends nothing, and a machine between may keep the socket open.
const SILENCE: Duration = Duration::from_secs(10);
/// The comment marks the sessions that listen.
const TELL: &str = "SELECT pg_notify($1, $2) /* job-engine listens */";
const ASK: &str = "SELECT 1 /* job-engine listens */";
/// Ends listening sessions that have read nothing for `$1` milliseconds. A stopped engine keeps its session in the
/// middle of a delivery, with a snapshot, so dead rows are not removed. `tcp_user_timeout` ends it as well, but
/// neither through a Unix socket nor through a pooler that reads for it. A live session asks more often than that.
const END_STOPPED: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND state = 'idle' AND wait_event = 'ClientWrite'
        AND query LIKE '%/* job-engine listens */%' AND state_change < clock_timestamp() - $1::bigint * interval '1 ms'";

#[derive(Default)]
pub(super) struct Notices {
    events: Mutex<Events>,
    happened: Condvar,
    /// Signals that a notice is to be sent.
    outgoing: Notify,
}

/// Counts of notices so far.
#[derive(Default)]
struct Events {
    heard: u64,
    woken: u64,
    /// The value of `heard` at the last answered wait.
    seen_heard: u64,
    seen_woken: u64,
}

impl Notices {
    /// Has a notice sent to the other claimants, and does not wait until it is sent.
    pub(super) fn changed(&self) {
        self.outgoing.notify_one();
    }

    pub(super) fn wake(&self) {
        self.events.lock().woken += 1;
        self.happened.notify_all();
    }

    fn hear(&self) {
        self.events.lock().heard += 1;
        self.happened.notify_all();
    }

    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut events = self.events.lock();
        let before = (events.seen_heard, events.seen_woken);
        while (events.heard, events.woken) == before {
            match deadline {
                Some(deadline) if self.happened.wait_until(&mut events, deadline).timed_out() => break,
                Some(_) => {}
                None => self.happened.wait(&mut events),
            }
        }
        events.seen_heard = events.heard;
        events.seen_woken = events.woken;
        events.heard != before.0
    }
}

impl Inner {
    /// Starts the connection that listens and sends, until the store closes.
    pub(super) fn listen(&self, address: Address) {
        let notices = Arc::clone(&self.notices);
        let exchange = Exchange {
            address,
            channel: self.options.schema.clone(),
            schema: self.options.schema.clone(),
            me: self.claimant.to_string(),
            timeout: self.options.timeout,
        };
        self.runtime.handle().spawn(async move {
            loop {
                if exchange.run(&notices).await.err().as_ref().is_some_and(is_refusal) {
                    tracing::info!("the database has no LISTEN and NOTIFY: changes of others are found by asking");
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
        });
    }
}

/// The connection that listens for notices and sends them.
struct Exchange {
    address: Address,
    channel: String,
    schema: String,
    /// The name of this claimant.
    me: String,
    /// The longest time for an answer of the database. After it the connection counts as lost.
    timeout: Duration,
}

impl Exchange {
    /// Listens and sends over one connection until it is lost.
    async fn run(&self, notices: &Notices) -> Result<(), tokio_postgres::Error> {
        let (client, mut messages) = match self.address.connect(wait::deadline(self.timeout)).await {
            Ok(connected) => connected,
            Err(Failed::Database(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let listen = async {
            while let Some(message) = messages.next().await {
                match message? {
                    AsyncMessage::Notification(notice) if notice.payload() != self.me => notices.hear(),
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::select! {
            lost = listen => lost,
            lost = self.tell(&client, notices) => lost,
        }
    }

    /// Sends notices. Returns when an answer does not come in time.
    async fn tell(&self, client: &Client, notices: &Notices) -> Result<(), tokio_postgres::Error> {
        let start = async {
            client.batch_execute(&session::needed(&self.schema, self.timeout, Span::Session)).await?;
            if let Err(error) = client.batch_execute(&session::guards(self.timeout, Span::Session)).await {
                tracing::debug!(%error, "the database has settings of its own");
            }
            client.batch_execute(&format!("LISTEN {}", quoted(&self.channel))).await?;
            // Notices before this moment were missed, so the engine has to look for changes.
            notices.hear();
            client.prepare(TELL).await
        };
        let Ok(statement) = timeout(self.timeout, start).await else { return Ok(()) };
        let (statement, mut looked) = (statement?, Instant::now());
        loop {
            let is_to_tell = timeout(self.silence(), notices.outgoing.notified()).await.is_ok();
            let ask = async {
                if is_to_tell {
                    client.query(&statement, &[&self.channel, &self.me]).await?;
                }
                if looked.elapsed() >= self.silence() {
                    self.end_stopped(client).await?;
                    looked = Instant::now();
                }
                Ok::<_, tokio_postgres::Error>(())
            };
            match timeout(self.timeout, ask).await {
                Ok(answer) => answer?,
                Err(_) => return Ok(()),
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    fn silence(&self) -> Duration {
        SILENCE.min(self.timeout)
    }

    /// Ends the sessions of stopped engines, and shows that this session is alive.
    async fn end_stopped(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        // The other sessions ask as often as this one, and may be late.
        let patience = i64::try_from((self.silence() * 3).as_millis()).unwrap_or(i64::MAX);
        match client.query(END_STOPPED, &[&patience]).await {
            Ok(ended) if !ended.is_empty() => {
                tracing::warn!(sessions = ended.len(), "ended sessions of engines that take nothing any more");
            }
            // The view or the right to it may be missing.
            Err(error) if error.is_closed() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        client.batch_execute(ASK).await
    }
}

/// Whether the database does not support the statement.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("0A") || state.code().starts_with("42"))
}
