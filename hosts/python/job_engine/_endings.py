"""How an exception of Python code ends a job: the status that the callback returns."""

from __future__ import annotations

from ._calls import OK
from ._library import library
from .errors import BudgetExceeded, QueueFull, Retry, Stopped, StoreUnusable, Unavailable

#: Errors whose status ends the job: the library knows whether it fails or runs again.
OF_LIBRARY = (BudgetExceeded, QueueFull, StoreUnusable, Unavailable)


def status_for(context: int, error: BaseException) -> int:
    """The status for an exception. The library keeps the sentence of the exception for the job."""
    if isinstance(error, OF_LIBRARY):
        return error.status
    if isinstance(error, Stopped):
        stopped = int(library().job_context_check_stopped(context))
        if stopped != OK:
            return stopped
    text = sentence(error).encode("utf-8", "replace")
    if isinstance(error, Retry):
        return int(library().job_context_retry(context, text, len(text)))
    return int(library().job_context_fail(context, text, len(text)))


def is_failure(error: BaseException) -> bool:
    """Whether the exception is a failure of the code, and no answer of the library or to it."""
    return not isinstance(error, (Stopped, Retry, *OF_LIBRARY))


def sentence(error: BaseException) -> str:
    """The class and the message of an exception; of `Retry` the message alone."""
    name = type(error).__qualname__
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be read"
    if isinstance(error, Retry) and message:
        return message
    return f"{name}: {message}" if message else name
