//! Handlers, which are functions of the host, and the context of each while it runs.

use std::{
    collections::HashMap,
    ffi::c_void,
    ptr,
    sync::{Arc, OnceLock},
};

use job_runner::{Handler, JobContext as Context, JobError, ThreadPermits};
use parking_lot::Mutex;

use crate::{
    error::{self, Failure, Outcome},
    host::UserData,
    rows::{self, JobRows},
    status::{
        JOB_ERROR_BUSY, JOB_ERROR_FAILED, JOB_ERROR_STOPPED, JOB_ERROR_TRANSIENT, JOB_ERROR_UNAVAILABLE, JOB_OK,
        JobStatus,
    },
    table::{Kind, Table},
};

/// The handle of the context of a running handler. It is valid on any thread, until the handler returns.
pub type JobContext = u64;

/// The function that does the work of one job. The engine calls it on its own threads, for several jobs at once.
/// It returns [`JOB_OK`], or the status of the call that failed. It must be repeatable: after a crash it is called
/// again for the same job.
pub type JobHandler =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, context: JobContext) -> JobStatus>;

/// A handler as the host registered it.
#[derive(Debug)]
pub(crate) struct HostHandler {
    pub(crate) run: unsafe extern "C-unwind" fn(*mut c_void, JobContext) -> JobStatus,
    pub(crate) user_data: UserData,
}

/// The handlers of an engine; a builder may open several.
#[derive(Debug, Clone)]
pub(crate) struct SharedHandler(pub(crate) Arc<HostHandler>);

impl Handler for SharedHandler {
    fn run(&self, context: &mut Context) -> Result<(), JobError> {
        let running = Running::begin(context)?;
        // SAFETY: the host gave the function for this data, which lives as long as `self`.
        let status = unsafe { (self.0.run)(self.0.user_data.get(), running.handle) };
        running.ended_with(status)
    }
}

static CONTEXTS: Table<Body> = Table::new(Kind::Context);

/// The data of a running handler, for the calls that it makes.
#[derive(Debug)]
pub(crate) struct Body {
    /// The context lives until this value is taken out of its table. Taking it out waits for all threads that read
    /// it.
    pub(crate) context: &'static Context,
    pub(crate) failures: Arc<Failures>,
    /// The request as JSON, made at the first call that asks for it.
    spec: OnceLock<String>,
    /// Lists that were opened. Some may be closed.
    lists: Mutex<Vec<JobRows>>,
    pub(crate) permits: Mutex<Vec<ThreadPermits>>,
}

impl Body {
    /// The request as JSON. The text stays at its address.
    pub(crate) fn spec(&self) -> Outcome<&str> {
        if let Some(text) = self.spec.get() {
            return Ok(text);
        }
        let text = serde_json::to_string(self.context.spec());
        let text = text.map_err(|error| Failure::argument(format!("the spec is no JSON: {error}")))?;
        Ok(self.spec.get_or_init(|| text))
    }

    /// Opens a list, which is closed with the body at the latest.
    pub(crate) fn open_list(&self, name: &str) -> Outcome<JobRows> {
        let writer = self.failures.of(self.context.rows(name))?;
        let list = rows::insert_writer(writer, &self.failures)?;
        self.lists.lock().push(list);
        Ok(list)
    }
}

/// Calls `body` with the body of this handle.
pub(crate) fn with<T>(context: JobContext, body: impl FnOnce(&Body) -> Outcome<T>) -> Outcome<T> {
    body(&*CONTEXTS.read(context)?)
}

/// Exists while a handler runs. Its drop makes the handles of the context and of the lists invalid.
struct Running {
    handle: JobContext,
    failures: Arc<Failures>,
}

impl Running {
    fn begin(context: &Context) -> Result<Self, JobError> {
        error::forget();
        let failures = Arc::<Failures>::default();
        // SAFETY: the value with this reference leaves its table before the borrow of the context ends. For `Running` is
        // dropped in the function that has the borrow. The drop waits for all threads that read the value.
        let context: &'static Context = unsafe { &*ptr::from_ref(context) };
        let body = Body {
            context,
            failures: Arc::clone(&failures),
            spec: OnceLock::new(),
            lists: Mutex::default(),
            permits: Mutex::default(),
        };
        let handle = CONTEXTS.insert(body).map_err(|failure| JobError::transient(failure.message))?;
        Ok(Self { handle, failures })
    }

    fn ended_with(&self, status: JobStatus) -> Result<(), JobError> {
        if status == JOB_OK { Ok(()) } else { Err(self.failures.error(status)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(body) = CONTEXTS.take(self.handle) {
            let Body { context, lists, permits, .. } = body;
            // The lists borrow the context, so they are dropped first.
            lists.into_inner().into_iter().for_each(rows::discard);
            drop(permits);
            let _: &Context = context;
        }
    }
}

/// The failures of the calls of one handler. The handler returns the status of one of them, and the job ends with
/// its error.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<JobStatus, JobError>>);

impl Failures {
    /// Keeps the error of a call.
    pub(crate) fn of<T>(&self, result: Result<T, JobError>) -> Outcome<T> {
        result.map_err(|error| self.keep(error))
    }

    #[cold]
    fn keep(&self, error: JobError) -> Failure {
        let failure = Failure::from(error.clone());
        self.0.lock().insert(failure.status, error);
        failure
    }

    /// Keeps the reason that the handler gives for the status it will return.
    pub(crate) fn give(&self, status: JobStatus, error: JobError) -> Failure {
        self.0.lock().insert(status, error.clone());
        Failure::ending(status, error)
    }

    /// The error for a status that a handler returned: that of the last call of this thread, or of another.
    pub(crate) fn error(&self, status: JobStatus) -> JobError {
        let reason = match error::last_of(status) {
            Some((_, Some(ending))) => return ending,
            Some((reason, None)) => reason,
            None => match self.0.lock().get(&status) {
                Some(error) => return error.clone(),
                None => format!("the handler returned the status {status} without a reason"),
            },
        };
        match status {
            JOB_ERROR_TRANSIENT | JOB_ERROR_UNAVAILABLE | JOB_ERROR_BUSY => JobError::transient(reason),
            _ => JobError::failed(reason),
        }
    }
}

/// Keeps a reason. Returns a failure with its status.
pub(crate) fn give_reason(context: JobContext, status: JobStatus, reason: &str) -> Outcome {
    with(context, |body| {
        let error = match status {
            JOB_ERROR_FAILED => JobError::failed(reason),
            _ => JobError::transient(reason),
        };
        Err(body.failures.give(status, error))
    })
}

/// Whether the body may go on.
pub(crate) fn check_stopped(body: &Body) -> Outcome {
    body.context.check_stopped().map_err(|error| body.failures.give(JOB_ERROR_STOPPED, error))
}
