"""The errors of the job engine: one class for each status of the C interface that a caller may handle."""

from __future__ import annotations

from typing import Any

from ._calls import OK
from ._library import LibraryNotFound, library

__all__ = [
    "AlreadyComplete",
    "BudgetExceeded",
    "CannotWait",
    "Closed",
    "Conflict",
    "Forked",
    "HandlerRunning",
    "InvalidArgument",
    "InvalidHandle",
    "JobEngineError",
    "LibraryNotFound",
    "NotFound",
    "QueueFull",
    "Retry",
    "Stopped",
    "StoreLocked",
    "StoreUnusable",
    "Unavailable",
    "Unsupported",
    "WaitTimeout",
]


class JobEngineError(Exception):
    """A call of the library has failed. Its text is a sentence for people."""

    #: The status of the C interface.
    status: int = -1


class InvalidArgument(JobEngineError, ValueError):
    """An argument cannot be used: an option, a request, a row that is no JSON."""

    status = 1


class InvalidHandle(JobEngineError):
    """The engine, the context or the list is closed."""

    status = 2


class NotFound(JobEngineError, LookupError):
    """There is no such job."""

    status = 3


class AlreadyComplete(JobEngineError):
    """The job has ended, so it cannot be cancelled."""

    status = 4


class Conflict(JobEngineError):
    """Another request has this idempotency key, or another caller changed the job first."""

    status = 5


class QueueFull(JobEngineError):
    """The queue is full. Nothing was stored; the same call may succeed later."""

    status = 6


class Unavailable(JobEngineError):
    """The store does not answer, or the machine lacks a resource. The same call may succeed later."""

    status = 7


class Closed(JobEngineError):
    """The engine is shut down."""

    status = 8


class WaitTimeout(JobEngineError, TimeoutError):
    """The job has not ended in the given time."""

    status = 9


class Stopped(BaseException):
    """The job was asked to stop. The handler lets this exception pass, or ends soon.

    It is no `Exception`, so that `except Exception` in a handler or in a library does not catch it.
    """

    status = 10


class BudgetExceeded(JobEngineError):
    """A budget of the job is used up. The handler lets this exception pass."""

    status = 11


class StoreUnusable(JobEngineError):
    """The store is damaged, of another version, or open for reading only."""

    status = 13


class StoreLocked(JobEngineError):
    """Another process or another engine has the store."""

    status = 14


class Unsupported(JobEngineError):
    """The library was built without the feature that the call needs."""

    status = 15


class Forked(JobEngineError):
    """The process was forked from the process that has the engine."""

    status = 16


class CannotWait(JobEngineError):
    """The wait would never end: the call is in a callback, or jobs would wait for each other."""

    status = 17


class HandlerRunning(JobEngineError):
    """The engine is closed, and a handler has not stopped in time. Nothing of the handler is stored any more."""

    status = 18


class Retry(Exception):
    """A handler raises this if the job cannot be done now. The job runs again after a pause.

    The job fails after as many attempts as its option `max_attempts` says.
    """


_CLASSES: dict[int, type[BaseException]] = {
    Stopped.status: Stopped,
    **{kind.status: kind for kind in JobEngineError.__subclasses__()},
}


def of_status(status: int) -> BaseException:
    """The exception for the call of this thread that has just failed."""
    sentence: Any = library().job_last_error(None)
    text = sentence.decode("utf-8", "replace") or f"the call failed with status {status}"
    error = _CLASSES.get(status, JobEngineError)(text)
    if isinstance(error, JobEngineError):
        error.status = status
    return error


def check(status: int) -> None:
    """Raises the exception for a status other than 0."""
    if status != OK:
        raise of_status(status)
