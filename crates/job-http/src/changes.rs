//! [`Changes`]: the engine's changes of jobs, for async code.

use std::{
    sync::{Arc, Weak},
    thread,
};

use job_runner::{Engine, JobId};
use tokio::sync::broadcast;

/// How many changes wait for a slow task; one that is slower looks at its job again.
const CAPACITY: usize = 1_024;

/// Tells any number of tasks which job has changed. One thread listens to the engine and ends with it.
#[derive(Debug)]
pub(crate) struct Changes(broadcast::Sender<JobId>);

impl Changes {
    pub(crate) fn of(engine: &Engine) -> Arc<Self> {
        let changes = Arc::new(Self(broadcast::Sender::new(CAPACITY)));
        let listener = Arc::downgrade(&changes);
        let watch = engine.watch();
        let started = thread::Builder::new().name("job-http-changes".to_owned()).spawn(move || {
            for change in watch {
                let Some(changes) = Weak::upgrade(&listener) else { return };
                // Nobody may be listening.
                let _ = changes.0.send(change.id);
            }
        });
        if let Err(error) = started {
            tracing::error!(%error, "waiting requests learn of a job's end only when their time is over");
        }
        changes
    }

    /// From now on. Subscribe first, then look at the job: no change is lost between the two.
    pub(crate) fn subscribe(&self, job: JobId) -> OneJob {
        OneJob { changes: self.0.subscribe(), job }
    }
}

/// The changes of one job.
pub(crate) struct OneJob {
    changes: broadcast::Receiver<JobId>,
    job: JobId,
}

impl OneJob {
    /// Waits until the job may have changed; for ever if no further change can come.
    pub(crate) async fn next(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(job) if job == self.job => return,
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                Ok(_) => {}
            }
        }
    }
}
