"""The context of a handler: its request, its rows, its checkpoint."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from ._callbacks import CALLBACKS
from ._calls import OK, SCAN, JobId
from ._endings import status_for
from ._library import library
from ._memory import encoded, filled, id_text, whole
from .errors import NotFound, Stopped, check
from .rows import Rows


class Context:
    """The job of a running handler. Any thread may use it until the handler returns.

    `check_stopped`, `progress`, `save_checkpoint`, `scan` and the pushes of rows raise `Stopped` if the job must stop.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._spec: dict[str, Any] | None = None

    @property
    def job_id(self) -> str:
        """The id of the job."""
        job = JobId()
        check(library().job_context_id(self._handle, ctypes.byref(job)))
        return id_text(job)

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1."""
        attempt = ctypes.c_uint32()
        check(library().job_context_attempt(self._handle, ctypes.byref(attempt)))
        return attempt.value

    @property
    def spec(self) -> dict[str, Any]:
        """The request of the job: `kind`, `graph`, `parameters`, `options`."""
        if self._spec is None:
            text, length = ctypes.c_void_p(), ctypes.c_size_t()
            check(library().job_context_spec(self._handle, ctypes.byref(text), ctypes.byref(length)))
            self._spec = dict(json.loads(ctypes.string_at(text.value or 0, length.value)))
        return self._spec

    @property
    def graph(self) -> str:
        """The graph of the request."""
        return str(self.spec["graph"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the request."""
        return self.spec.get("parameters") or {}

    def rows(self, name: str) -> Rows:
        """Opens the list of this name for appending. A job has at most one list."""
        text, handle = name.encode("utf-8"), ctypes.c_uint64()
        check(library().job_context_rows(self._handle, text, len(text), ctypes.byref(handle)))
        return Rows(handle.value, self._handle)

    def output(self, name: str, value: Any) -> None:
        """Sets a named value of the result. Bytes are ready JSON; any other value is written as JSON."""
        text = name.encode("utf-8")
        ready = value if isinstance(value, bytes) else encoded(value)
        check(library().job_context_set_output(self._handle, text, len(text), ready, len(ready)))

    def progress(self, done: int, total: int) -> None:
        """Reports that `done` of `total` steps are done."""
        check(library().job_context_set_progress(self._handle, whole(done), whole(total)))
        self.check_stopped()

    def check_stopped(self) -> None:
        """Raises `Stopped` if the job was cancelled, its time is over, or the engine shuts down.

        Call it often: a handler that makes no call cannot be stopped.
        """
        check(library().job_context_check_stopped(self._handle))

    def save_checkpoint(self, state: bytes) -> None:
        """Stores a state of at most 64 MiB for the next attempt, in place of the state before.

        When the call returns, the state survives the death of the process, but not a power loss.
        """
        check(library().job_context_save_checkpoint(self._handle, bytes(state), len(state)))
        self.check_stopped()

    def load_checkpoint(self) -> bytes | None:
        """The state that was saved last, in this attempt or an earlier one. `None` if there is none."""
        call = library().job_context_load_checkpoint
        try:
            return filled(lambda *buffer: call(self._handle, *buffer), 64 * 1024)
        except NotFound:
            return None

    def report_memory(self, size: int) -> None:
        """Reports that the handler uses `size` bytes now. Above the budget of the job: `BudgetExceeded`."""
        check(library().job_context_report_memory(self._handle, whole(size)))

    def acquire_threads(self, most: int) -> int:
        """Asks for up to `most` threads for this job, its own included. Returns the number that it gets, from 1.

        The threads are given back by `release_threads`, or at the end of the handler.
        """
        granted = ctypes.c_size_t()
        check(library().job_context_acquire_threads(self._handle, whole(most), ctypes.byref(granted)))
        return granted.value

    def release_threads(self) -> None:
        """Gives all granted threads back, except the thread of the handler."""
        check(library().job_context_release_threads(self._handle))

    def scan(
        self,
        name: str,
        ids: range,
        function: Callable[[range, Rows], object],
        partition_size: int = 0,
    ) -> None:
        """Calls `function(ids, rows)` for each partition of the ids, on this thread and on idle workers.

        Readers get the rows in the order of the ids. `partition_size` is the number of ids of a partition; with 0,
        the library chooses it. An exception of a partition ends the scan, and is raised again here.

        Python code of several partitions takes turns at the GIL. C code that releases the GIL runs at once.
        """
        if ids.step != 1:
            raise ValueError(f"{ids} has the step {ids.step}: a scan needs a range with the step 1")
        first, end = whole(ids.start), whole(max(ids.start, ids.stop))
        text, size = name.encode("utf-8"), whole(partition_size)
        scan = _Scan(function, [])
        key = CALLBACKS.keep(scan)
        try:
            status = library().job_context_scan(self._handle, text, len(text), first, end, size, run_scan, key)
        finally:
            CALLBACKS.release(key)
        if status != OK and scan.errors:
            raise scan.first_error()
        check(status)


class _Scan(NamedTuple):
    """The function of a scan, and the exceptions of its partitions."""

    function: Callable[[range, Rows], object]
    errors: list[BaseException]

    def first_error(self) -> BaseException:
        """The exception that ended the scan: the first, but for those of partitions that were stopped by it."""
        causes = (error for error in self.errors if not isinstance(error, Stopped))
        return next(causes, self.errors[0])


def _run_scan(key: int, handle: int, rows: int, first: int, end: int) -> int:
    """Runs the function of a scan for one partition. No exception leaves it."""
    scan: _Scan = CALLBACKS.get(key)
    try:
        scan.function(range(first, end), Rows(rows, handle))
    except BaseException as error:
        scan.errors.append(error)
        return status_for(handle, error)
    return OK


run_scan = SCAN(_run_scan)
