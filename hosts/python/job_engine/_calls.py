"""The calls of the C interface with the types of their arguments, as `job.h` declares them."""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    c_char_p,
    c_int32,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)

#: The version of the C interface that this package is written for.
ABI_VERSION = 1

#: A time-out without a limit.
FOREVER = 2**64 - 1

OK = 0
ERROR_NOT_FOUND = 3
ERROR_BUSY = 6
ERROR_TIMEOUT = 9
ERROR_BUFFER = 12


class JobId(ctypes.Structure):
    """The 16 bytes of the id of a job."""

    _fields_ = [("bytes", c_uint8 * 16)]


class JobPage(ctypes.Structure):
    """The size of a page."""

    _fields_ = [("rows", c_uint64), ("total", c_uint64), ("partial", c_uint64)]


#: The functions that the library calls. The first argument of each is the user data.
HANDLER = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64)
SCAN = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64, c_uint64, c_uint64)
COMPLETED = ctypes.CFUNCTYPE(None, c_void_p, POINTER(JobId), c_int32)
DESTROY = ctypes.CFUNCTYPE(None, c_void_p)

_TEXT = [c_char_p, c_size_t]
_SIZE_OUT = POINTER(c_size_t)
_BUFFER = [c_void_p, c_size_t, _SIZE_OUT]
_JOB = [c_uint64, POINTER(JobId)]

_ARGUMENTS = {
    "job_builder_new": [POINTER(c_uint64)],
    "job_builder_handler": [c_uint64, *_TEXT, HANDLER, c_void_p, DESTROY],
    "job_builder_free": [c_uint64],
    "job_engine_open": [c_uint64, *_TEXT, POINTER(c_uint64)],
    "job_engine_shutdown": [c_uint64, c_uint64, _SIZE_OUT, _SIZE_OUT],
    "job_engine_free": [c_uint64],
    "job_engine_health": [c_uint64],
    "job_engine_stats": [c_uint64, *_BUFFER],
    "job_rows_push": [c_uint64, *_TEXT],
    "job_rows_push_unchecked": [c_uint64, *_TEXT],
    "job_rows_push_many": [c_uint64, c_char_p, POINTER(c_size_t), c_size_t, c_int32],
    "job_rows_close": [c_uint64],
    "job_context_id": [c_uint64, POINTER(JobId)],
    "job_context_attempt": [c_uint64, POINTER(c_uint32)],
    "job_context_spec": [c_uint64, POINTER(c_void_p), _SIZE_OUT],
    "job_context_check_stopped": [c_uint64],
    "job_context_set_progress": [c_uint64, c_uint64, c_uint64],
    "job_context_set_output": [c_uint64, *_TEXT, *_TEXT],
    "job_context_rows": [c_uint64, *_TEXT, POINTER(c_uint64)],
    "job_context_save_checkpoint": [c_uint64, *_TEXT],
    "job_context_load_checkpoint": [c_uint64, *_BUFFER],
    "job_context_report_memory": [c_uint64, c_uint64],
    "job_context_acquire_threads": [c_uint64, c_size_t, _SIZE_OUT],
    "job_context_release_threads": [c_uint64],
    "job_context_fail": [c_uint64, *_TEXT],
    "job_context_retry": [c_uint64, *_TEXT],
    "job_context_scan": [c_uint64, *_TEXT, c_uint64, c_uint64, c_uint64, SCAN, c_void_p],
    "job_id_text": [POINTER(JobId), *_BUFFER],
    "job_id_parse": [*_TEXT, POINTER(JobId)],
    "job_submit": [c_uint64, *_TEXT, c_uint64, POINTER(JobId)],
    "job_submit_many": [c_uint64, *_TEXT, POINTER(JobId), c_size_t, POINTER(c_size_t)],
    "job_state": [*_JOB, POINTER(c_int32)],
    "job_wait": [*_JOB, c_uint64, POINTER(c_int32)],
    "job_on_complete": [*_JOB, COMPLETED, c_void_p, DESTROY],
    "job_cancel": _JOB,
    "job_remove": _JOB,
    "job_pin": [*_JOB, c_int32],
    "job_explain": [*_JOB, *_BUFFER],
    "job_list": [c_uint64, *_TEXT, *_BUFFER],
    "job_page": [*_JOB, c_uint64, c_uint32, *_BUFFER, POINTER(JobPage)],
    "job_status_payload": [*_JOB, *_TEXT, c_uint64, c_uint32, *_BUFFER, POINTER(c_uint32)],
}


def declare(library: ctypes.CDLL) -> int:
    """Declares the calls of a library. Returns the version of its interface.

    The calls of another version are not declared. A library without one of the calls is an `AttributeError`.
    """
    library.job_abi_version.argtypes = []
    library.job_abi_version.restype = c_uint32
    library.job_last_error.argtypes = [_SIZE_OUT]
    library.job_last_error.restype = c_char_p
    version = int(library.job_abi_version())
    if version == ABI_VERSION:
        for name, arguments in _ARGUMENTS.items():
            call = getattr(library, name)
            call.argtypes = arguments
            call.restype = c_int32
    return version
