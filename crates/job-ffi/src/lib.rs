//! The C interface of the job engine. `include/job.h` is generated from these sources.
//!
//! A host in C, C++ or another language links `libjob`, registers its handlers as functions, opens an engine, and
//! submits jobs as JSON. Rows and pages are bytes of JSON.
//!
//! # Calls
//!
//! * Every call returns a status: [`JOB_OK`] or the class of an error. [`job_last_error`] has the sentence.
//! * Any thread may make any call. Calls about one list of rows wait for each other; other calls do not.
//! * A panic of the library is a status ([`JOB_ERROR_PANIC`]). A function of the host must throw no exception
//!   through the library, since that ends the process.
//! * When memory is used up, the process ends, as it does in Rust.
//!
//! # Handles
//!
//! Builders, engines, contexts and lists have handles, which are numbers. A number that is no valid handle is an
//! error ([`JOB_ERROR_HANDLE`]): 0, a handle that was freed, or the handle of another kind of object. A job has no
//! handle. It has an id, which never changes.
//!
//! # Memory
//!
//! * Texts that the host passes in have an explicit length and need no byte 0 at their end. They are UTF-8. The
//!   library keeps a copy of what it needs, so the host may free them after the call.
//! * Results are written into a buffer of the host. A buffer that is too small gives [`JOB_ERROR_BUFFER`] and the
//!   needed size. With a buffer of 0 bytes, a call only returns the size.
//! * Bytes that a callback gets are valid until the callback returns.
//! * `user_data` belongs to the host. `destroy` is called once, after the last use of `user_data`, on any thread.
//!
//! # Threads, signals, processes
//!
//! * **Threads.** An engine starts threads of its own. They inherit the signal mask of the thread that opens it. Handlers
//!   and callbacks run on them.
//! * **Signals.** The library installs no signal handler and blocks no signal. No call is safe inside a signal
//!   handler.
//! * **fork.** In a process that was forked while an engine was open, calls about engines and builders return
//!   [`JOB_ERROR_FORKED`]. The threads stay in the parent. The child has to start another program or end with
//!   `_exit`. It keeps the store locked until then.
//! * **exit.** Free engines before `main` returns. Otherwise their threads run while static objects of the host
//!   are destroyed. No job is lost: the next open runs the unfinished jobs again.
//! * **dlclose.** The shared library stays in memory after `dlclose`. The host may unload its own code once
//!   [`job_engine_free`] has returned [`JOB_OK`]: no handler runs and no callback comes after that. After
//!   [`JOB_ERROR_RUNNING`] a handler still runs in the host's code.
//!
//! # Versions
//!
//! [`job_abi_version`] is 1. It changes when a call or a struct changes. New calls and statuses may be added
//! without a change of the version. A struct never grows: a larger one gets another name.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `rocksdb`, `redb`, on by default | these stores |
//! | `postgres`, `tls` | a PostgreSQL that several engines share, and encrypted connections to it |

mod context;
mod described;
mod engine;
mod error;
mod handler;
mod host;
mod jobs;
mod memory;
mod options;
mod pages;
mod place;
mod request;
mod rows;
mod scan;
mod status;
mod table;

pub use crate::{
    context::{
        job_context_acquire_threads, job_context_attempt, job_context_check_stopped, job_context_fail,
        job_context_id, job_context_load_checkpoint, job_context_release_threads, job_context_report_memory,
        job_context_retry, job_context_rows, job_context_save_checkpoint, job_context_set_output,
        job_context_set_progress, job_context_spec,
    },
    described::{job_explain, job_list},
    engine::{
        JOB_ABI_VERSION, JobBuilder, JobEngine, job_abi_version, job_builder_free, job_builder_handler,
        job_builder_new, job_engine_free, job_engine_health, job_engine_open, job_engine_shutdown,
        job_engine_stats,
    },
    error::job_last_error,
    handler::{JobContext, JobHandler},
    host::JobDestroy,
    jobs::{
        JOB_FOREVER, JobCompleted, JobId, job_cancel, job_id_parse, job_id_text, job_on_complete, job_pin,
        job_remove, job_state, job_submit, job_submit_many, job_wait,
    },
    pages::{JobPage, JobPiece, job_page, job_page_pieces, job_status_payload, job_status_pieces},
    rows::{JobRows, job_rows_close, job_rows_push, job_rows_push_many, job_rows_push_unchecked},
    scan::{JobScan, job_context_scan},
    status::{
        JOB_ERROR_ARGUMENT, JOB_ERROR_BUDGET, JOB_ERROR_BUFFER, JOB_ERROR_BUSY, JOB_ERROR_CALLBACK,
        JOB_ERROR_CANNOT_WAIT, JOB_ERROR_CLOSED, JOB_ERROR_COMPLETE, JOB_ERROR_CONFLICT, JOB_ERROR_FAILED,
        JOB_ERROR_FORKED, JOB_ERROR_HANDLE, JOB_ERROR_LOCKED, JOB_ERROR_NOT_FOUND, JOB_ERROR_PANIC,
        JOB_ERROR_RUNNING, JOB_ERROR_STOPPED, JOB_ERROR_STORE, JOB_ERROR_TIMEOUT, JOB_ERROR_TRANSIENT,
        JOB_ERROR_UNAVAILABLE, JOB_ERROR_UNSUPPORTED, JOB_OK, JOB_STATE_CANCELLED, JOB_STATE_CANCELLING,
        JOB_STATE_FAILED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, JOB_STATE_WAITING, JobStateCode, JobStatus,
    },
};
