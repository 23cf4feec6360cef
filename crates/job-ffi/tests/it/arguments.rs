//! Arguments that cannot be used.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use job::*;

use crate::support::{MEMORY, algorithm, builder, ok, open, submit, told, until_stopped, wait};

unsafe extern "C-unwind" fn count(data: *mut c_void) {
    // SAFETY: the test gives this data.
    unsafe { &*data.cast::<AtomicUsize>() }.fetch_add(1, Ordering::AcqRel);
}

unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: JobContext) -> JobStatus {
    JOB_OK
}

unsafe extern "C-unwind" fn ended(data: *mut c_void, _: *const JobId, _: JobStateCode) {
    // SAFETY: the test gives this data.
    unsafe { count(data.cast::<AtomicUsize>().add(1).cast()) };
}

#[test]
fn a_null_is_an_error_wherever_a_pointer_is_wanted() {
    let engine = open(MEMORY, &[]);
    let builder = builder(&[]);
    let job = JobId { bytes: [1; 16] };
    let (mut id, mut length, mut state) = (job, 0_usize, 0_i32);
    let (no_id, no_text, no_size) = (ptr::null::<JobId>(), ptr::null::<c_char>(), ptr::null_mut::<usize>());
    let (buffer, size, none) = (ptr::null_mut::<c_char>(), &raw mut length, ptr::null_mut::<c_void>());
    let text = MEMORY.as_ptr().cast();
    // SAFETY: what is not NULL is there.
    let answers = unsafe {
        [
            job_builder_new(ptr::null_mut()),
            job_builder_handler(builder, no_text, 3, None, none, None),
            job_builder_handler(builder, text, 3, None, none, None),
            job_engine_open(builder, no_text, 3, ptr::null_mut()),
            job_engine_open(builder, text, MEMORY.len(), ptr::null_mut()),
            job_engine_stats(engine, buffer, 0, no_size),
            job_engine_stats(engine, buffer, 3, size),
            job_submit(engine, no_text, 3, 0, &raw mut id),
            job_submit(engine, text, 3, 0, ptr::null_mut()),
            job_state(engine, no_id, &raw mut state),
            job_state(engine, &raw const job, ptr::null_mut()),
            job_wait(engine, no_id, 0, &raw mut state),
            job_on_complete(engine, no_id, Some(ended), none, None),
            job_on_complete(engine, &raw const job, None, none, None),
            job_cancel(engine, no_id),
            job_remove(engine, no_id),
            job_pin(engine, no_id, 1),
            job_explain(engine, no_id, buffer, 0, size),
            job_explain(engine, &raw const job, buffer, 0, no_size),
            job_list(engine, no_text, 3, buffer, 0, size),
            job_list(engine, no_text, 0, buffer, 0, no_size),
            job_page(engine, no_id, 0, 1, buffer, 0, size, ptr::null_mut()),
            job_page(engine, &raw const job, 0, 1, buffer, 0, no_size, ptr::null_mut()),
            job_page_pieces(engine, &raw const job, 0, 1, None, none, ptr::null_mut()),
            job_status_payload(engine, no_id, no_text, 0, 0, 1, buffer, 0, size, ptr::null_mut()),
            job_status_payload(engine, &raw const job, no_text, 3, 0, 1, buffer, 0, size, ptr::null_mut()),
            job_status_pieces(engine, &raw const job, no_text, 0, 0, 1, None, none, ptr::null_mut()),
            job_id_text(no_id, buffer, 0, size),
            job_id_parse(no_text, 36, &raw mut id),
            job_id_parse(text, 36, ptr::null_mut()),
        ]
    };
    assert_eq!(answers, [JOB_ERROR_ARGUMENT; 30]);
    // SAFETY: an answer that is NULL is not wanted.
    assert!(!unsafe { job_last_error(no_size) }.is_null());
    ok(job_builder_free(builder));
    ok(job_engine_free(engine));
}

/// The calls of a handler.
unsafe extern "C-unwind" fn wrong(_: *mut c_void, context: JobContext) -> JobStatus {
    let (mut list, mut length) = (0, 0_usize);
    let name = b"x".as_ptr().cast();
    let no_text = ptr::null::<c_char>();
    // SAFETY: what is not NULL is there.
    let answers = unsafe {
        [
            job_context_id(context, ptr::null_mut()),
            job_context_attempt(context, ptr::null_mut()),
            job_context_spec(context, ptr::null_mut(), &raw mut length),
            job_context_set_output(context, no_text, 1, name, 1),
            job_context_set_output(context, name, 1, name, 1),
            job_context_rows(context, no_text, 1, &raw mut list),
            job_context_rows(context, name, 1, ptr::null_mut()),
            job_context_save_checkpoint(context, no_text.cast(), 1),
            job_context_load_checkpoint(context, ptr::null_mut(), 0, ptr::null_mut()),
            job_context_acquire_threads(context, 1, ptr::null_mut()),
            job_context_fail(context, no_text, 1),
            job_context_retry(context, [0xff].as_ptr().cast(), 1),
            job_context_scan(context, name, 1, 0, 1, 0, None, ptr::null_mut()),
        ]
    };
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, name, 1, &raw mut rows) });
    // SAFETY: what is not NULL is there.
    let pushed = unsafe {
        [
            job_rows_push(rows, no_text, 1),
            job_rows_push(rows, no_text, 0),
            job_rows_push(rows, b"1 2".as_ptr().cast(), 3),
            job_rows_push(rows, [b'"', 0xff, b'"'].as_ptr().cast(), 3),
            job_rows_push_unchecked(rows, no_text, 0),
            job_rows_push_many(rows, name, ptr::null(), 1, 1),
            job_rows_push_many(rows, no_text, [1_usize].as_ptr().cast(), 1, 1),
            job_rows_push_many(rows, name, [usize::MAX, 2].as_ptr().cast(), 2, 1),
            job_rows_push(rows, name, usize::MAX),
        ]
    };
    if answers == [JOB_ERROR_ARGUMENT; 13] && pushed == [JOB_ERROR_ARGUMENT; 9] {
        return JOB_OK;
    }
    let told = format!("{answers:?} {pushed:?}");
    // SAFETY: the text has its length.
    unsafe { job_context_fail(context, told.as_ptr().cast(), told.len()) }
}

#[test]
fn a_wrong_argument_of_a_handlers_call_is_an_error_and_leaves_no_row() {
    let engine = open(MEMORY, &[("wrong", wrong, ptr::null_mut())]);
    let job = submit(engine, &algorithm("wrong"));
    wait(engine, &job);
    let ended = crate::support::explain(engine, &job);
    assert_eq!((&ended["state"], &ended["rows"]), (&"succeeded".into(), &0.into()), "{ended}");
    ok(job_engine_free(engine));
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_place() {
    let engine = open(MEMORY, &[]);
    let mut id = JobId { bytes: [0; 16] };
    let text = b"{\"kind\xff";
    // SAFETY: the text has its length, and the place may be written.
    let status = unsafe { job_submit(engine, text.as_ptr().cast(), text.len(), 0, &raw mut id) };
    assert_eq!(
        (status, told().as_str()),
        (JOB_ERROR_ARGUMENT, "spec is not UTF-8 from byte 6 on: give it as UTF-8")
    );
    // A byte 0 ends no text, and the sentence has none inside.
    let spec = "{\"kind\":\"\0\",\"graph\":\"g\"}";
    // SAFETY: as above.
    let status = unsafe { job_submit(engine, spec.as_ptr().cast(), spec.len(), 0, &raw mut id) };
    assert_eq!(status, JOB_ERROR_ARGUMENT);
    assert!(!told().is_empty());
    ok(job_engine_free(engine));
}

#[test]
fn a_place_that_is_not_aligned_is_refused() {
    let engine = open(MEMORY, &[]);
    let mut numbers = [0_u64; 2];
    let odd = numbers.as_mut_ptr().cast::<u8>().wrapping_add(1);
    let spec = algorithm("x");
    // SAFETY: the places are there, though not aligned.
    let answers = unsafe {
        [
            job_builder_new(odd.cast()),
            job_engine_stats(engine, ptr::null_mut(), 0, odd.cast()),
            job_state(engine, numbers.as_ptr().cast(), odd.cast()),
        ]
    };
    assert_eq!(answers, [JOB_ERROR_ARGUMENT; 3], "{spec}");
    assert!(told().contains("not aligned"));
    ok(job_engine_free(engine));
}

#[test]
fn a_sentence_is_of_the_thread_whose_call_failed() {
    assert_eq!(job_engine_health(1), JOB_ERROR_HANDLE);
    let mine = told();
    let other = thread::spawn(|| {
        let before = told();
        assert_eq!(job_engine_health(2), JOB_ERROR_HANDLE);
        (before, told())
    });
    let (before, other) = other.join().unwrap();
    assert_eq!(before, "");
    assert!(mine.contains("0x1 ") && other.contains("0x2 ") && told() == mine);
}

/// Whether the call fails or not, and whether the callback comes or not.
#[test]
fn data_of_a_callback_is_freed_once_in_every_case() {
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let freed = || counts[0].load(Ordering::Acquire);
    let data = counts.as_ptr().cast_mut().cast::<c_void>();
    let builder = builder(&[("endless", until_stopped, ptr::null_mut())]);
    let register = |builder, handler: JobHandler| {
        // SAFETY: the text has its length, and the functions are for this data.
        unsafe { job_builder_handler(builder, b"x".as_ptr().cast(), 1, handler, data, Some(count)) }
    };
    assert_eq!((register(0, Some(nothing)), freed()), (JOB_ERROR_HANDLE, 1));
    assert_eq!((register(builder, None), freed()), (JOB_ERROR_ARGUMENT, 2));
    assert_eq!((register(builder, Some(nothing)), freed()), (JOB_OK, 2));
    assert_eq!((register(builder, Some(nothing)), freed()), (JOB_OK, 3), "the first is replaced");
    let mut engine = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_engine_open(builder, MEMORY.as_ptr().cast(), MEMORY.len(), &raw mut engine) });
    ok(job_builder_free(builder));
    assert_eq!(freed(), 3, "the engine has it");

    let on_complete = |job: &JobId| {
        // SAFETY: the id is there, and the functions are for this data.
        unsafe { job_on_complete(engine, job, Some(ended), data, Some(count)) }
    };
    assert_eq!((on_complete(&JobId { bytes: [1; 16] }), freed()), (JOB_ERROR_NOT_FOUND, 4));
    let job = submit(engine, &algorithm("x"));
    wait(engine, &job);
    assert_eq!((on_complete(&job), freed(), counts[1].load(Ordering::Acquire)), (JOB_OK, 5, 1), "it has ended");
    // This one does not end here.
    let job = submit(engine, &algorithm("endless"));
    assert_eq!((on_complete(&job), freed()), (JOB_OK, 5));
    ok(job_engine_free(engine));
    assert_eq!((freed(), counts[1].load(Ordering::Acquire)), (7, 1), "the last callback, and the handler");
}
