"""An engine: a store, workers that run handlers, and the jobs."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ._callbacks import CALLBACKS
from ._calls import ERROR_BUSY, JobId
from ._handlers import Builder, Handler
from ._library import library
from ._memory import encoded, filled, id_text, milliseconds, parsed_id
from .errors import Closed, HandlerRunning, check
from .job import Job
from .options import Store
from .pages import JobList

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import EngineOptions, ListFilter

#: How long the main thread waits for room in one call, in seconds. Python handles Ctrl-C between two calls.
_SLICE = 0.1


class Shutdown(NamedTuple):
    """The jobs that a shutdown leaves."""

    #: The jobs that the next open runs.
    waiting: int
    #: The handlers that have not stopped.
    left: int


def open(
    store: Store,
    handlers: Mapping[str, Handler] | None = None,
    **options: Unpack[EngineOptions],
) -> Engine:
    """Opens an engine on a store. Unfinished jobs of an earlier process run again.

    `store` is `"memory"`, `{"rocksdb": directory}`, `{"redb": file}` or `{"postgres": url}`. `handlers` has a
    function for each kind of jobs: `vertex_filter`, `edge_filter` or the name of an algorithm. `options` are those
    of `job_engine_open` in `job.h`; times are in milliseconds. Handlers may be called before this returns.

    The engine runs jobs until `close`, the end of its `with` block, or the end of the interpreter.
    """
    with Builder() as builder:
        builder.add(handlers or {})
        handle = builder.open(encoded({"store": store, **options}))
    return Engine(handle)


class Engine:
    """An open engine, made by `open`. Any thread may use it."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._closing = threading.Lock()
        _OPEN.add(self)

    @property
    def handle(self) -> int:
        """The handle of the engine in the C interface."""
        if self._handle is None:
            raise Closed("the engine is closed: open another one")
        return self._handle

    def submit(
        self,
        kind: str | Mapping[str, Any],
        graph: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        timeout: float = 0.0,
    ) -> Job:
        """Submits a job. When this returns, the job is stored and will run.

        `kind` is `vertex_filter`, `edge_filter`, the name of an algorithm, or a whole request as a mapping with
        the keys `kind`, `graph`, `parameters` and `options`. The options are named at `job_submit` in `job.h`, such
        as `priority`, `labels`, `trace_parent` and `again_of`. `timeout` is how many seconds the call waits for room
        in a full queue. Without room it raises `QueueFull`.
        """
        text = encoded(_request(kind, graph, parameters, options))
        deadline = time.monotonic() + milliseconds(timeout) / 1000
        job = JobId()
        while True:
            rest = max(0.0, deadline - time.monotonic())
            wait = milliseconds(min(rest, _SLICE))
            status = library().job_submit(self.handle, text, len(text), wait, ctypes.byref(job))
            if status != ERROR_BUSY or time.monotonic() >= deadline:
                check(status)
                return Job(self, id_text(job))

    def submit_many(self, requests: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Submits many jobs with one write, all or none, and returns them in their order.

        Each request is a mapping with the keys `kind`, `graph`, `parameters` and `options`. The kind of an algorithm
        is `{"algorithm": name}`.
        """
        requests = list(requests)
        text, count = encoded(requests), ctypes.c_size_t()
        jobs = (JobId * len(requests))()
        check(library().job_submit_many(self.handle, text, len(text), jobs, len(requests), ctypes.byref(count)))
        return [Job(self, id_text(job)) for job in jobs]

    def job(self, id: str) -> Job:
        """The job with this id. Raises `NotFound` if there is none."""
        job = Job(self, id_text(parsed_id(id)))
        _ = job.state
        return job

    def list(self, **filter: Unpack[ListFilter]) -> JobList:
        """Jobs as dictionaries, the newest first: all, or those that match the filter.

        The keys of the filter are `graph`, `kind`, `owner`, `labels`, `states`, `before` and `limit`. The limit is
        from 1 to 1,000; 100 by default. `next` of the result is `before` of the next part.
        """
        call, text = library().job_list, encoded(filter)
        part = json.loads(filled(lambda *buffer: call(self.handle, text, len(text), *buffer)))
        return JobList(part["jobs"], part["next"])

    def jobs(self, **filter: Unpack[ListFilter]) -> Iterator[dict[str, Any]]:
        """All jobs that match the filter, one by one, the newest first. `limit` is the size of a part."""
        while True:
            part = self.list(**filter)
            yield from part
            if part.next is None:
                return
            filter["before"] = part.next

    def stats(self) -> dict[str, Any]:
        """The state of the engine at this moment."""
        call = library().job_engine_stats
        stats: dict[str, Any] = json.loads(filled(lambda *buffer: call(self.handle, *buffer)))
        return stats

    def check_health(self) -> None:
        """Raises `Unavailable` with the reason if the engine cannot store outcomes, or a thread of it has died."""
        check(library().job_engine_health(self.handle))

    def shutdown(self, grace: float = 0.0) -> Shutdown:
        """Takes and starts no more jobs, gives running ones `grace` seconds to end, then asks them to stop.

        Afterwards the engine still answers calls about its jobs.
        """
        waiting, left = ctypes.c_size_t(), ctypes.c_size_t()
        check(
            library().job_engine_shutdown(self.handle, milliseconds(grace), ctypes.byref(waiting), ctypes.byref(left))
        )
        return Shutdown(waiting.value, left.value)

    def close(self, grace: float = 0.0) -> None:
        """Shuts the engine down as `shutdown` does, and frees it. A second call does nothing.

        Raises `HandlerRunning` if a handler has not stopped in time. The engine is closed then too.
        """
        with self._closing:
            handle = self._handle
            if handle is None:
                return
            if grace > 0:
                self.shutdown(grace)
            self._handle = None
        _OPEN.discard(self)
        check(library().job_engine_free(handle))

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _request(
    kind: str | Mapping[str, Any],
    graph: str | None,
    parameters: Mapping[str, Any] | None,
    options: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    """The request of a new job, in the form of the C interface."""
    if not isinstance(kind, str):
        if graph is not None or parameters is not None or options is not None:
            raise TypeError("a whole request has its own graph, parameters and options: give the mapping alone")
        return kind
    request: dict[str, Any] = {"kind": _kind(kind)}
    given = {"graph": graph, "parameters": parameters, "options": options}
    request.update((name, value) for name, value in given.items() if value is not None)
    return request


def _kind(name: str) -> str | Mapping[str, str]:
    if name in ("vertex_filter", "edge_filter"):
        return name
    action = name.removeprefix("action:")
    return {"algorithm": name} if action == name else {"action": action}


#: The engines that are open. They are closed when the interpreter ends.
_OPEN: set[Engine] = set()


def _close_all() -> None:
    """Closes all engines, and waits for handlers that have not stopped: a callback needs the interpreter."""
    for engine in tuple(_OPEN):
        with contextlib.suppress(HandlerRunning):
            engine.close()
    CALLBACKS.wait_until_empty()


def _forget_all() -> None:
    """In a forked process, the engines and their callbacks belong to the parent."""
    _OPEN.clear()
    CALLBACKS.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
