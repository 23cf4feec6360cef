"""Handlers: Python functions that do the work of jobs."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ._callbacks import CALLBACKS, LOG, destroy
from ._calls import HANDLER, OK
from ._endings import is_failure, status_for
from ._library import library
from .context import Context
from .errors import check

#: A function that does the work of one job. The engine ignores the value that it returns.
Handler = Callable[[Context], Any]


def _run_handler(key: int, handle: int) -> int:
    """Runs the handler of a job. No exception leaves it."""
    try:
        CALLBACKS.get(key)(Context(handle))
    except BaseException as error:
        if is_failure(error):
            LOG.error("the handler of a job has failed", exc_info=error)
        return status_for(handle, error)
    return OK


run_handler = HANDLER(_run_handler)


class Builder:
    """Collects the handlers of an engine."""

    def __init__(self) -> None:
        handle = ctypes.c_uint64()
        check(library().job_builder_new(ctypes.byref(handle)))
        self._handle = handle.value

    def add(self, handlers: Mapping[str, Handler]) -> None:
        """Registers handlers by the kinds of their jobs."""
        for kind, handler in handlers.items():
            _check_handler(kind, handler)
            text = kind.encode("utf-8")
            key = CALLBACKS.keep(handler)
            # The library calls `destroy` also when this call fails.
            check(library().job_builder_handler(self._handle, text, len(text), run_handler, key, destroy))

    def open(self, options: bytes) -> int:
        """Opens an engine with the handlers. Returns its handle."""
        engine = ctypes.c_uint64()
        check(library().job_engine_open(self._handle, options, len(options), ctypes.byref(engine)))
        return engine.value

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        check(library().job_builder_free(self._handle))


def _check_handler(kind: str, handler: object) -> None:
    """Refuses a handler whose call would do nothing."""
    if not callable(handler):
        raise TypeError(f"the handler of {kind} is {handler!r:.100}: give a function with one argument")
    if (
        inspect.iscoroutinefunction(handler)
        or inspect.isgeneratorfunction(handler)
        or inspect.isasyncgenfunction(handler)
    ):
        raise TypeError(
            f"the handler of {kind} is a coroutine or a generator, whose call runs nothing: give a plain function"
        )
