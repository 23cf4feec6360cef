//! How claimants hear of each other's changes: a connection of its own that listens and tells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};
use uuid::Uuid;

use super::{Inner, schema::quoted};

/// At least so long between two notices of one claimant: each is a commit that all others of the database wait for.
const BETWEEN: Duration = Duration::from_millis(20);
/// How long after a lost connection the next is tried.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Notices {
    events: Mutex<Events>,
    happened: Condvar,
    /// Something is to be told.
    outgoing: Notify,
}

/// What has happened, counted.
#[derive(Default)]
struct Events {
    heard: u64,
    woken: u64,
    /// What the last wait has answered.
    seen_heard: u64,
    seen_woken: u64,
}

impl Notices {
    /// Tells the others, soon and without waiting for it.
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
    /// Starts to listen and to tell, until the store closes.
    pub(super) fn listen(&self, config: Config) {
        let Some(runtime) = &self.runtime else { return };
        let notices = Arc::clone(&self.notices);
        let (channel, claimant) = (self.options.schema.clone(), self.claimant);
        runtime.spawn(async move {
            loop {
                let unsupported =
                    exchange(&config, &notices, &channel, claimant).await.err().as_ref().is_some_and(is_refusal);
                if unsupported {
                    tracing::info!("the database has no LISTEN and NOTIFY: changes of others are found by asking");
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
        });
    }
}

/// Listens and tells over one connection until it is lost.
async fn exchange(
    config: &Config,
    notices: &Notices,
    channel: &str,
    me: Uuid,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut socket) = config.connect(NoTls).await?;
    let mut messages = stream::poll_fn(move |context| socket.poll_message(context));
    let me = me.to_string();
    let listen = async {
        while let Some(message) = messages.next().await {
            match message? {
                AsyncMessage::Notification(notice) if notice.payload() != me => notices.hear(),
                _ => {}
            }
        }
        Ok(())
    };
    let tell = async {
        client.batch_execute(&format!("LISTEN {}", quoted(channel))).await?;
        // Whatever was told before is missed.
        notices.hear();
        tell(&client, notices, channel, &me).await
    };
    tokio::select! {
        lost = listen => lost,
        lost = tell => lost,
    }
}

async fn tell(client: &Client, notices: &Notices, channel: &str, me: &str) -> Result<(), tokio_postgres::Error> {
    let statement = client.prepare("SELECT pg_notify($1, $2)").await?;
    loop {
        notices.outgoing.notified().await;
        client.query(&statement, &[&channel, &me]).await?;
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Whether the database does not know the statement.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("0A") || state.code().starts_with("42"))
}
