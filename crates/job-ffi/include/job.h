/* The C interface of the job engine. `include/job.h` is generated from these sources.
 *
 * A host in C, C++ or another language links `libjob`, registers its handlers as functions, opens an engine, and
 * submits jobs as JSON. Rows and pages are bytes of JSON.
 *
 * # Calls
 *
 * * Every call returns a status: JOB_OK or the class of an error. job_last_error has the sentence.
 * * Any thread may make any call. Calls about one list of rows wait for each other; other calls do not.
 * * A panic of the library is a status (JOB_ERROR_PANIC). A function of the host must throw no exception
 *   through the library, since that ends the process.
 * * When memory is used up, the process ends, as it does in Rust.
 *
 * # Handles
 *
 * Builders, engines, contexts and lists have handles, which are numbers. A number that is no valid handle is an
 * error (JOB_ERROR_HANDLE): 0, a handle that was freed, or the handle of another kind of object. A job has no
 * handle. It has an id, which never changes.
 *
 * # Memory
 *
 * * Texts that the host passes in have an explicit length and need no byte 0 at their end. They are UTF-8. The
 *   library keeps a copy of what it needs, so the host may free them after the call.
 * * Results are written into a buffer of the host. A buffer that is too small gives JOB_ERROR_BUFFER and the
 *   needed size. With a buffer of 0 bytes, a call only returns the size.
 * * Bytes that a callback gets are valid until the callback returns.
 * * `user_data` belongs to the host. `destroy` is called once, after the last use of `user_data`, on any thread.
 *
 * # Threads, signals, processes
 *
 * * **Threads.** An engine starts threads of its own. They inherit the signal mask of the thread that opens it. Handlers
 *   and callbacks run on them.
 * * **Signals.** The library installs no signal handler and blocks no signal. No call is safe inside a signal
 *   handler.
 * * **fork.** In a process that was forked while an engine was open, calls about engines and builders return
 *   JOB_ERROR_FORKED. The threads stay in the parent. The child has to start another program or end with
 *   `_exit`. It keeps the store locked until then.
 * * **exit.** Free engines before `main` returns. Otherwise their threads run while static objects of the host
 *   are destroyed. No job is lost: the next open runs the unfinished jobs again.
 * * **dlclose.** The shared library stays in memory after `dlclose`. The host may unload its own code once
 *   job_engine_free has returned JOB_OK: no handler runs and no callback comes after that. After
 *   JOB_ERROR_RUNNING a handler still runs in the host's code.
 *
 * # Versions
 *
 * job_abi_version is 1. It changes when a call or a struct changes. New calls and statuses may be added
 * without a change of the version. A struct never grows: a larger one gets another name.
 *
 * # Features
 *
 * | feature | adds |
 * | --- | --- |
 * | `rocksdb`, `redb`, on by default | these stores |
 * | `postgres`, `tls` | a PostgreSQL that several engines share, and encrypted connections to it |
 */

#ifndef JOB_H
#define JOB_H

#include <stddef.h>
#include <stdint.h>

// The version of this interface.
#define JOB_ABI_VERSION 1

// Waits without a limit.
#define JOB_FOREVER UINT64_MAX

// The result of every call: JOB_OK, or the class of an error. job_last_error has
// the sentence. Later versions may add statuses, so a caller must treat an unknown one as an error.
typedef int32_t JobStatus;

// The handle of a builder, which collects the handlers of an engine.
typedef uint64_t JobBuilder;

// The handle of the context of a running handler. It is valid on any thread, until the handler returns.
typedef uint64_t JobContext;

// The function that does the work of one job. The engine calls it on its own threads, for several jobs at once.
// It returns JOB_OK, or the status of the call that failed. It must be repeatable: after a crash it is called
// again for the same job.
typedef JobStatus (*JobHandler)(void *user_data, JobContext context);

// The function that frees the data of a callback. It is called once, on any thread, after the last use of the
// data.
typedef void (*JobDestroy)(void *user_data);

// The handle of an open engine.
typedef uint64_t JobEngine;

// The handle of a list of rows that a handler writes. The list of job_context_rows
// is valid until job_rows_close or the return of the handler. The list of a scan is valid until the callback
// returns. Any thread may use a list; two calls at once wait for each other.
typedef uint64_t JobRows;

// The id of a job: 16 bytes that sort by the time of submission.
typedef struct JobId {
  // The bytes of a UUID of version 7, in the order of its text.
  uint8_t bytes[16];
} JobId;

// The function that scans one partition: the ids from `first` to before `end`. It appends its rows to `rows`. The
// engine calls it on several threads at once. It returns JOB_OK, or the status of the call that failed.
typedef JobStatus (*JobScan)(void *user_data,
                             JobContext context,
                             JobRows rows,
                             uint64_t first,
                             uint64_t end);

// The state of a job. Later versions may add states.
typedef int32_t JobStateCode;

// The function that is called once when a job ends, on a thread of the engine. Keep it short, and do not wait in
// it.
typedef void (*JobCompleted)(void *user_data, const struct JobId *job, JobStateCode state);

// The size of a page.
typedef struct JobPage {
  // Rows of the page.
  uint64_t rows;
  // Rows of the whole result; for a running job, the rows that can be read so far.
  uint64_t total;
  // 1 if the job has not succeeded, so that rows may follow or be missing; else 0.
  uint64_t partial;
} JobPage;

// The function that gets the bytes of a result piece by piece. The bytes are valid until it returns. It returns 0
// to get the next piece, and any other number to end the call.
typedef int32_t (*JobPiece)(void *user_data, const char *bytes, size_t length);

// The call has succeeded.
#define JOB_OK 0

// An argument cannot be used: it is NULL, not UTF-8, invalid JSON, or an invalid option.
#define JOB_ERROR_ARGUMENT 1

// A handle is not valid: it was freed, or it is the handle of another kind of object.
#define JOB_ERROR_HANDLE 2

// There is no such job, or no checkpoint.
#define JOB_ERROR_NOT_FOUND 3

// The job has ended, so it cannot be cancelled.
#define JOB_ERROR_COMPLETE 4

// Another request has this idempotency key, or another caller changed the job first.
#define JOB_ERROR_CONFLICT 5

// The queue is full. Nothing was stored; the same call may succeed later.
#define JOB_ERROR_BUSY 6

// The store does not answer, or the machine lacks a resource. The same call may succeed later.
#define JOB_ERROR_UNAVAILABLE 7

// The engine is shut down.
#define JOB_ERROR_CLOSED 8

// The job has not ended in the given time.
#define JOB_ERROR_TIMEOUT 9

// The job was asked to stop. The handler has to return this status.
#define JOB_ERROR_STOPPED 10

// A budget of the job is used up. The handler has to return this status.
#define JOB_ERROR_BUDGET 11

// The buffer is too small. The call has returned the needed size, and the content of the buffer is undefined.
#define JOB_ERROR_BUFFER 12

// The store cannot be used: it is damaged, of another version, or open for reading only.
#define JOB_ERROR_STORE 13

// Another process or another engine has the store.
#define JOB_ERROR_LOCKED 14

// This library was built without the feature that the call needs.
#define JOB_ERROR_UNSUPPORTED 15

// The process was forked from the one that has the engine.
#define JOB_ERROR_FORKED 16

// The wait would never end: the call is in a callback, or jobs would wait for each other.
#define JOB_ERROR_CANNOT_WAIT 17

// The engine is freed, and a handler has not stopped in time. The code of the handler must stay in memory.
#define JOB_ERROR_RUNNING 18

// For handlers: the job fails. job_context_fail gives the reason.
#define JOB_ERROR_FAILED 19

// For handlers: the job failed for now and runs again later. job_context_retry gives the
// reason.
#define JOB_ERROR_TRANSIENT 20

// A callback ended the call: it did not return 0.
#define JOB_ERROR_CALLBACK 21

// The call panicked, by a bug of the library or of a function of the host in Rust. The process goes on.
#define JOB_ERROR_PANIC 22

// The job is stored and has not started.
#define JOB_STATE_WAITING 0

// A worker runs the job.
#define JOB_STATE_RUNNING 1

// The job runs and was asked to stop.
#define JOB_STATE_CANCELLING 2

// The job has succeeded, and its whole result is stored.
#define JOB_STATE_SUCCEEDED 3

// The job has failed.
#define JOB_STATE_FAILED 4

// The job was cancelled.
#define JOB_STATE_CANCELLED 5

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The sentence of the last failed call of this thread: UTF-8, with a byte 0 at its end. It is valid until the
// next failed call of this thread, or the end of the thread. Empty if no call has failed. `length` may be NULL;
// it gets the number of bytes before the byte 0.
//
// # Safety
// `length` is NULL or may be written.
const char *job_last_error(size_t *length);

// The version of this interface in the library. A host compares it with JOB_ABI_VERSION of the header.
uint32_t job_abi_version(void);

// Makes a builder, which collects the handlers of an engine. Free it with job_builder_free, also after an
// engine was opened.
//
// # Safety
// `builder` may be written.
JobStatus job_builder_new(JobBuilder *builder);

// Registers the handler of a kind of jobs. `kind` is `vertex_filter`, `edge_filter`, the name of an algorithm, or
// `action:` and the name of an action of the host, such as `action:cypher`. A second handler of the same kind
// replaces the first. `destroy` frees `user_data` after the last use, also when this call fails; it may be NULL.
//
// # Safety
// `kind` has `length` bytes. `handler` may be called with `user_data` on any thread, by several at once, until
// `destroy` is called.
JobStatus job_builder_handler(JobBuilder builder,
                              const char *kind,
                              size_t length,
                              JobHandler handler,
                              void *user_data,
                              JobDestroy destroy);

// Frees a builder. Engines that it opened keep its handlers.
JobStatus job_builder_free(JobBuilder builder);

// Opens an engine on a store. Unfinished jobs of an earlier process run again. `options` is JSON:
//
// | key | value | default |
// | --- | --- | --- |
// | `store` | `"memory"`, `{"rocksdb": DIRECTORY}`, `{"redb": FILE}` or `{"postgres": URL}` | must be given |
// | `packing` | how rows are packed on the disk: `"none"`, `"lz4"`, or with `rocksdb` `"zstd"` and `"zstd:LEVEL"` | `"lz4"` |
// | `workers` | how many jobs run at once, 1 to 10,000 | the cores |
// | `front_end` | `true`: the engine runs no jobs and has no handlers | `false` |
// | `threads` | how many threads jobs may use in all | the cores |
// | `queue_bound` | how many jobs of a class may wait; not with `postgres` | 10,000 |
// | `jobs_per_graph` | how many jobs of a graph and class run at once | no limit |
// | `jobs_per_class` | the same of a class: `{"read": N, "write": N}` | no limit |
// | `priority_aging_ms` | the time in which a waiting job gains a step of priority | 60,000 |
// | `durability` | `"synced"` survives power loss, `"buffered"` the death of the process | `"synced"` |
// | `retry` | `{"initial_backoff_ms": N, "max_backoff_ms": N}` | 200 and 60,000 |
// | `checkpoint_interval_ms` | how often an iterative algorithm is saved | 10,000 |
// | `shutdown_timeout_ms` | the time for running handlers to stop | 5,000 |
// | `retention` | which finished jobs stay: `{"age_ms": N, "jobs": N, "bytes": N}` | all |
// | `rocksdb` | with this store: `{"block_cache": BYTES, "write_buffer": BYTES, "open_files": N}` | 256 MiB, 32 MiB, as many as the process may have |
// | `postgres` | with this store: `{"schema": NAME, "connections": N, "timeout_ms": N, "pooled": B, "listen": URL}` | `"job_engine"`, 8, 30,000, `false`, none |
// | `lease_duration_ms`, `max_prefetch`, `poll_interval_ms` | with `postgres` only | 10,000, 256, 1,000 |
//
// Handlers may be called before this call returns.
//
// # Safety
// `options` has `length` bytes, and `engine` may be written.
JobStatus job_engine_open(JobBuilder builder,
                          const char *options,
                          size_t length,
                          JobEngine *engine);

// Shuts an engine down in order. It takes and starts no more jobs, gives running ones `grace_ms` to end, then
// asks them to stop. `waiting` gets the number of jobs that the next open runs, `left` the number of handlers
// that have not stopped. Both may be NULL. Afterwards the engine still answers calls about its jobs.
//
// # Safety
// `waiting` and `left` are NULL or may be written.
JobStatus job_engine_shutdown(JobEngine engine,
                              uint64_t grace_ms,
                              size_t *waiting,
                              size_t *left);

// Frees an engine. An engine that is not shut down is shut down with a grace of 0. Calls of other threads that
// wait in the engine return with JOB_ERROR_CLOSED. After JOB_ERROR_RUNNING the
// engine is freed too, but a handler has not stopped. The code of the host must then stay in memory.
JobStatus job_engine_free(JobEngine engine);

// Checks whether the engine can store outcomes, and whether its threads live: JOB_OK, or
// JOB_ERROR_UNAVAILABLE with the reason.
JobStatus job_engine_health(JobEngine engine);

// The state of the engine at this moment, as a JSON object.
//
// # Safety
// `buffer` has `capacity` bytes that may be written, and `length` may be written.
JobStatus job_engine_stats(JobEngine engine, char *buffer, size_t capacity, size_t *length);

// Appends one row, which is one JSON value in UTF-8. The row is checked, and stored unchanged. A cancel does not end
// this call: see job_context_check_stopped.
//
// # Safety
// `row` has `length` bytes.
JobStatus job_rows_push(JobRows rows,
                        const char *row,
                        size_t length);

// As job_rows_push, for a row that the host guarantees to be JSON in UTF-8. Nothing is checked. A row that is no
// JSON value makes the pages that contain it invalid JSON. It damages no other row.
//
// # Safety
// `row` has `length` bytes.
JobStatus job_rows_push_unchecked(JobRows rows,
                                  const char *row,
                                  size_t length);

// Appends `count` rows in one call. `rows_bytes` has the rows one after the other, with nothing between them, and
// `lengths` has the number of bytes of each. With `checked` 0, the host guarantees that the rows are JSON. If a
// row fails, the rows before it stay.
//
// # Safety
// `lengths` has `count` numbers, and `rows_bytes` as many bytes as their sum.
JobStatus job_rows_push_many(JobRows rows,
                             const char *rows_bytes,
                             const size_t *lengths,
                             size_t count,
                             int32_t checked);

// Closes the list. Its rows are stored at the latest when the handler has returned.
//
// A list of a scan is closed when its callback returns, and not by this call.
JobStatus job_rows_close(JobRows rows);

// The id of the job.
//
// # Safety
// `job` may be written.
JobStatus job_context_id(JobContext context, struct JobId *job);

// The number of the attempt, from 1.
//
// # Safety
// `attempt` may be written.
JobStatus job_context_attempt(JobContext context, uint32_t *attempt);

// The request of the job as JSON, in the form of job_submit. The text is valid until the
// handler returns.
//
// # Safety
// `spec` and `length` may be written.
JobStatus job_context_spec(JobContext context,
                           const char **spec,
                           size_t *length);

// Checks whether the handler may go on: JOB_OK, or
// JOB_ERROR_STOPPED, which the handler then returns. Call it about once a
// millisecond: cancels, deadlines and shutdowns take effect here.
JobStatus job_context_check_stopped(JobContext context);

// Reports that `done` of `total` steps are done.
JobStatus job_context_set_progress(JobContext context, uint64_t done, uint64_t total);

// Sets a named value of the result. The value must be one JSON value, which is checked.
//
// # Safety
// `name` has `name_length` bytes, and `json` `json_length`.
JobStatus job_context_set_output(JobContext context,
                                 const char *name,
                                 size_t name_length,
                                 const char *json,
                                 size_t json_length);

// Opens the list `name` of the job for appending. A second call with the same name appends after the existing
// rows. Each open list holds up to 128 KiB in memory, so close a list before it is opened again.
//
// # Safety
// `name` has `length` bytes, and `rows` may be written.
JobStatus job_context_rows(JobContext context,
                           const char *name,
                           size_t length,
                           JobRows *rows);

// Stores a state of the handler, at most 64 MiB, for the next attempt. It replaces the state that was saved
// before. When the call returns, the state survives the death of the process, but not a power loss.
//
// # Safety
// `state` has `length` bytes.
JobStatus job_context_save_checkpoint(JobContext context,
                                      const void *state,
                                      size_t length);

// The state that was saved last, in this attempt or an earlier one; JOB_ERROR_NOT_FOUND if there is none.
//
// # Safety
// `buffer` has `capacity` bytes that may be written, and `length` may be written.
JobStatus job_context_load_checkpoint(JobContext context,
                                      void *buffer,
                                      size_t capacity,
                                      size_t *length);

// Reports that the handler uses `bytes` bytes of memory now. JOB_ERROR_BUDGET if
// that is above the budget of the job.
JobStatus job_context_report_memory(JobContext context,
                                    uint64_t bytes);

// Asks for up to `most` threads for the work of this job, its own thread included. `granted` gets at least 1. The
// threads are given back with job_context_release_threads or when the handler returns.
//
// # Safety
// `granted` may be written.
JobStatus job_context_acquire_threads(JobContext context,
                                      size_t most,
                                      size_t *granted);

// Gives all granted threads back, except the thread of the handler.
JobStatus job_context_release_threads(JobContext context);

// Sets the reason why the job fails, a sentence for its caller. Returns
// JOB_ERROR_FAILED, which the handler has to return.
//
// # Safety
// `reason` has `length` bytes.
JobStatus job_context_fail(JobContext context, const char *reason, size_t length);

// Sets the reason why the job cannot be done now. Returns JOB_ERROR_TRANSIENT, which the handler has to
// return. The job then runs again after a pause, up to its `max_attempts`.
//
// # Safety
// `reason` has `length` bytes.
JobStatus job_context_retry(JobContext context,
                            const char *reason,
                            size_t length);

// Runs `scan` over the ids from `first` to before `end` in partitions, on this thread and on idle workers.
// Returns when all partitions are done. Readers get the rows in the order of ids. `partition_size` is the number
// of ids of a partition. With 0 there are 16 partitions for each worker, of at most 65,536 ids.
//
// # Safety
// `name` has `length` bytes. `scan` may be called with `user_data` on any thread, by several at once.
JobStatus job_context_scan(JobContext context,
                           const char *name,
                           size_t length,
                           uint64_t first,
                           uint64_t end,
                           uint64_t partition_size,
                           JobScan scan,
                           void *user_data);

// The text of an id: 36 bytes, lower case with hyphens.
//
// # Safety
// `job` has an id. `buffer` has `capacity` bytes that may be written, and `length` may be written.
JobStatus job_id_text(const struct JobId *job, char *buffer, size_t capacity, size_t *length);

// Reads the id from its text, which must be as job_id_text writes it.
//
// # Safety
// `id` has `length` bytes, and `job` may be written.
JobStatus job_id_parse(const char *id, size_t length, struct JobId *job);

// Submits a job. `spec` is JSON: `{"kind": K, "graph": NAME, "parameters": {...}, "options": {...}}`. The kind is
// `"vertex_filter"`, `"edge_filter"`, `{"algorithm": NAME}` or `{"action": NAME}`; parameters and options may be left
// out. The options are `priority`, `class`, `idempotency_key`, `graph_version`, `reuse`, `deadline`, `budget`,
// `keep_rows`, `max_attempts`, `owner`, `labels`, `trace_parent` and `again_of`. `trace_parent` is a `traceparent` of W3C
// Trace Context. `again_of` is the id of an earlier job, whose request this one runs again.
//
// When this call has returned JOB_OK, the job is stored and will run. `wait_ms` is how long
// the call waits for room in a full queue; with 0 it does not wait.
//
// # Safety
// `spec` has `length` bytes, and `job` may be written.
JobStatus job_submit(JobEngine engine,
                     const char *spec,
                     size_t length,
                     uint64_t wait_ms,
                     struct JobId *job);

// Submits many jobs with one write, all or none. `specs` is a JSON list of specs as job_submit takes them. `jobs` has
// room for `capacity` ids, and gets one for each spec, in their order. If there are more specs,
// JOB_ERROR_BUFFER is returned and nothing is stored. `count` gets the number of specs in
// both cases.
//
// # Safety
// `specs` has `length` bytes, `jobs` has room for `capacity` ids, and `count` may be written.
JobStatus job_submit_many(JobEngine engine,
                          const char *specs,
                          size_t length,
                          struct JobId *jobs,
                          size_t capacity,
                          size_t *count);

// The state of a job: one of the `JOB_STATE_` numbers.
//
// # Safety
// `job` has an id, and `state` may be written.
JobStatus job_state(JobEngine engine, const struct JobId *job, JobStateCode *state);

// Waits until the job has ended, at most `timeout_ms`; with JOB_FOREVER without a limit.
// JOB_ERROR_TIMEOUT if the job has not ended by then. A handler may wait for
// another job. `state` gets the final state of the job; it may be NULL.
//
// # Safety
// `job` has an id, and `state` is NULL or may be written.
JobStatus job_wait(JobEngine engine,
                   const struct JobId *job,
                   uint64_t timeout_ms,
                   JobStateCode *state);

// Calls `completed` when the job has ended. The call comes on a thread of the engine, or at once on this thread
// if the job has ended already. It does not come if the job does not end in this engine. `destroy` frees
// `user_data` in every case, also when this call fails.
//
// # Safety
// `job` has an id. `completed` and `destroy` may be called with `user_data` on any thread.
JobStatus job_on_complete(JobEngine engine,
                          const struct JobId *job,
                          JobCompleted completed,
                          void *user_data,
                          JobDestroy destroy);

// Requests the end of a job. A waiting job is cancelled when the call returns, a running one at its next check.
//
// # Safety
// `job` has an id.
JobStatus job_cancel(JobEngine engine,
                     const struct JobId *job);

// Removes a complete job with its rows. JOB_ERROR_NOT_FOUND if there is no such
// job, JOB_ERROR_ARGUMENT if it is unfinished or pinned.
//
// # Safety
// `job` has an id.
JobStatus job_remove(JobEngine engine,
                     const struct JobId *job);

// Keeps a job from being removed if `pinned` is not 0. Otherwise allows its removal again.
//
// # Safety
// `job` has an id.
JobStatus job_pin(JobEngine engine, const struct JobId *job, int32_t pinned);

// A job as a JSON object: its state, why it waits or how it ended, its progress, times, rows, failure and request.
//
// # Safety
// `job` has an id. `buffer` has `capacity` bytes that may be written, and `length` may be written.
JobStatus job_explain(JobEngine engine,
                      const struct JobId *job,
                      char *buffer,
                      size_t capacity,
                      size_t *length);

// Jobs, the newest first, as `{"jobs": [...], "next": ID or null}`. `filter` is JSON, and may be empty:
// `{"graph": NAME, "kind": NAME, "owner": NAME, "labels": [...], "states": [...], "before": ID, "limit": N}`. The
// limit is from 1 to 1,000; 100 by default. For the next page, pass `next` of a page as `before`.
//
// # Safety
// `filter` has `filter_length` bytes. `buffer` has `capacity` bytes that may be written, and `length` may be written.
JobStatus job_list(JobEngine engine,
                   const char *filter,
                   size_t filter_length,
                   char *buffer,
                   size_t capacity,
                   size_t *length);

// Rows of a job as a JSON array: at most `limit` rows from row `offset` on; the first row is 0. The limit is from
// 1 to 100,000. For a running job, the rows that can be read so far. `page` may be NULL.
//
// # Safety
// `job` has an id. `buffer` has `capacity` bytes that may be written; `length` may be written, `page` is NULL or may be.
JobStatus job_page(JobEngine engine,
                   const struct JobId *job,
                   uint64_t offset,
                   uint32_t limit,
                   char *buffer,
                   size_t capacity,
                   size_t *length,
                   struct JobPage *page);

// As job_page, without a copy. `piece` gets the rows with a comma between every two, without brackets, in
// pieces of any length. `page` is set before the first piece.
//
// # Safety
// `job` has an id, and `page` is NULL or may be written. `piece` may be called with `user_data` on this thread.
JobStatus job_page_pieces(JobEngine engine,
                          const struct JobId *job,
                          uint64_t offset,
                          uint32_t limit,
                          JobPiece piece,
                          void *user_data,
                          struct JobPage *page);

// The answer to a status query, byte for byte as in the REST interface, also for an unknown job. `dialect` is
// `document`, `memory-2025`, `memory-2025-rows` or `database`; an empty text stands for `document`. `http_status` may
// be NULL.
//
// # Safety
// `job` has an id, and `dialect` `dialect_length` bytes. `buffer` has `capacity` bytes that may be written; `length` may
// be written, `http_status` is NULL or may be.
JobStatus job_status_payload(JobEngine engine,
                             const struct JobId *job,
                             const char *dialect,
                             size_t dialect_length,
                             uint64_t offset,
                             uint32_t limit,
                             char *buffer,
                             size_t capacity,
                             size_t *length,
                             uint32_t *http_status);

// As job_status_payload, without a copy of the rows: `piece` gets the answer piece by piece. `http_status` is
// set before the first piece.
//
// # Safety
// `job` has an id, and `dialect` `dialect_length` bytes. `http_status` is NULL or may be written. `piece` may be called
// with `user_data` on this thread.
JobStatus job_status_pieces(JobEngine engine,
                            const struct JobId *job,
                            const char *dialect,
                            size_t dialect_length,
                            uint64_t offset,
                            uint32_t limit,
                            JobPiece piece,
                            void *user_data,
                            uint32_t *http_status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* JOB_H */
