"""A job of an engine: its state, its rows, its end."""

from __future__ import annotations

import ctypes
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ._callbacks import CALLBACKS, LOG, destroy
from ._calls import COMPLETED, ERROR_TIMEOUT, FOREVER, OK, JobId, JobPage
from ._library import library
from ._memory import filled, milliseconds, parsed_id, whole
from .errors import WaitTimeout, check
from .pages import MOST_ROWS, Page, StatusPayload

if TYPE_CHECKING:
    import pandas

    from .engine import Engine

#: The states by their numbers.
STATES = ("waiting", "running", "cancelling", "succeeded", "failed", "cancelled")

#: How long the main thread waits in one call, in seconds. Python handles Ctrl-C between two calls.
_SLICE = 0.1


class Job:
    """A job by its id. The object has no resources: a job stays when its object is gone."""

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self._id = parsed_id(id)
        #: The id, a UUID in lower case.
        self.id = id

    def __repr__(self) -> str:
        return f"<job {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and (self._engine, self.id) == (other._engine, other.id)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def state(self) -> str:
        """`waiting`, `running`, `cancelling`, `succeeded`, `failed` or `cancelled`."""
        state = ctypes.c_int32()
        check(library().job_state(*self._names(), ctypes.byref(state)))
        return state_name(state.value)

    def wait(self, timeout: float | None = None) -> str:
        """Waits until the job has ended, for at most `timeout` seconds. Returns its state.

        A job that has not ended by then raises `WaitTimeout`, which is a `TimeoutError`. A job that has failed
        raises nothing: `explain()["failure"]` has the reason. A handler may wait for another job.
        """
        deadline = None if timeout is None else time.monotonic() + milliseconds(timeout) / 1000
        state = ctypes.c_int32()
        while True:
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            status = library().job_wait(*self._names(), _slice(rest), ctypes.byref(state))
            if status == OK:
                return state_name(state.value)
            if status != ERROR_TIMEOUT:
                check(status)
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"job {self.id} has not ended in {timeout} s")

    def on_complete(self, function: Callable[[Job, str], object]) -> None:
        """Calls `function(job, state)` once when the job has ended.

        The call comes on a thread of the engine, or at once on this thread if the job has ended already. It does
        not come if the job does not end in this engine. An exception of the function is logged.
        """
        engine, id = self._names()
        # From here on the library calls `destroy`, also when this call fails.
        key = CALLBACKS.keep((function, self))
        check(library().job_on_complete(engine, id, run_completed, key, destroy))

    def cancel(self) -> None:
        """Asks the job to stop. A waiting job is cancelled when this returns, a running one at its next check."""
        check(library().job_cancel(*self._names()))

    def remove(self) -> None:
        """Removes the job, which has ended, with its rows."""
        check(library().job_remove(*self._names()))

    def pin(self) -> None:
        """Keeps the job from being removed, by `remove` and by retention."""
        check(library().job_pin(*self._names(), 1))

    def unpin(self) -> None:
        """Allows the removal of the job again."""
        check(library().job_pin(*self._names(), 0))

    def explain(self) -> dict[str, Any]:
        """The job as a dictionary: its state, why it waits or how it ended, progress, times, failure, request."""
        call = library().job_explain
        explained: dict[str, Any] = json.loads(filled(lambda *buffer: call(*self._names(), *buffer)))
        return explained

    def page(self, offset: int = 0, limit: int = MOST_ROWS) -> Page:
        """At most `limit` rows from row `offset` on, as Python values. `limit` is from 1 to 100,000.

        For a running job, the rows that can be read so far.
        """
        text, size = self._page(offset, limit)
        return Page(json.loads(text), size.total, bool(size.partial))

    def page_bytes(self, offset: int = 0, limit: int = MOST_ROWS) -> bytes:
        """As `page`, as the JSON array that the store has, byte for byte."""
        return self._page(offset, limit)[0]

    def pages(self, limit: int = MOST_ROWS) -> Iterator[Page]:
        """All rows as pages of at most `limit` rows. For a running job, the rows that can be read so far."""
        offset = 0
        while True:
            page = self.page(offset, limit)
            if page:
                yield page
            offset += len(page)
            if not page or offset >= page.total:
                return

    def rows(self, page_size: int = 10_000) -> Iterator[Any]:
        """All rows one by one, read in pages of `page_size` rows."""
        for page in self.pages(page_size):
            yield from page

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a data frame. Needs the package pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs the package pandas: install it with `pip install pandas`") from error
        return pandas.DataFrame(list(self.rows(MOST_ROWS)))

    def outputs(self) -> dict[str, Any]:
        """The named values of the result, without its list. Empty while the job has no result."""
        body = json.loads(self.status_payload(limit=1).body)
        outputs: dict[str, Any] = body.get("data", {}).get("outputs", {})
        return dict(itertools.takewhile(lambda output: output[0] != _LIST_BEGINS, outputs.items()))

    def status_payload(self, dialect: str = "", offset: int = 0, limit: int = MOST_ROWS) -> StatusPayload:
        """The answer to a status query, byte for byte as in the REST interface.

        `dialect` is `document` (the default), `memory-2025`, `memory-2025-rows` or `database`.
        """
        call, text = library().job_status_payload, dialect.encode("utf-8")
        http_status = ctypes.c_uint32()
        body = filled(
            lambda *buffer: call(
                *self._names(),
                text,
                len(text),
                whole(offset),
                _limit(limit),
                *buffer,
                ctypes.byref(http_status),
            ),
            _capacity(limit),
        )
        return StatusPayload(http_status.value, body)

    def _page(self, offset: int, limit: int) -> tuple[bytes, JobPage]:
        call, size = library().job_page, JobPage()
        text = filled(
            lambda *buffer: call(*self._names(), whole(offset), _limit(limit), *buffer, ctypes.byref(size)),
            _capacity(limit),
        )
        return text, size

    def _names(self) -> tuple[int, Any]:
        """The handle of the engine and the address of the id: the first arguments of each call about a job."""
        return self._engine.handle, ctypes.byref(self._id)


#: In a status payload, the named values stand before this key, and the list of the result after it.
_LIST_BEGINS = "data_return_size"


def state_name(number: int) -> str:
    """The name of a state. A later library may have more states."""
    return STATES[number] if 0 <= number < len(STATES) else f"state {number}"


def _slice(rest: float | None) -> int:
    """How long the next wait lasts, in milliseconds. Other threads than the main one get no signals."""
    if threading.get_ident() == threading.main_thread().ident:
        return milliseconds(_SLICE if rest is None else min(rest, _SLICE))
    return FOREVER if rest is None else milliseconds(rest)


def _limit(limit: int) -> int:
    """A number of rows. ctypes would cut bits of one that is negative or too large."""
    if not 1 <= limit <= MOST_ROWS:
        raise ValueError(f"the limit {limit} cannot be used: it must be from 1 to {MOST_ROWS:,}")
    return limit


def _capacity(limit: int) -> int:
    """A buffer that most pages fit into, so that one call is enough: 100 bytes a row, at most 4 MiB."""
    return min(4096 + 100 * max(limit, 0), 4 * 1024 * 1024)


def _run_completed(key: int, _id: JobId, state: int) -> None:
    """Tells that a job has ended. No exception leaves it."""
    try:
        function, job = CALLBACKS.get(key)
        function(job, state_name(state))
    except BaseException:
        LOG.exception("the function for the end of a job has failed")


run_completed = COMPLETED(_run_completed)
