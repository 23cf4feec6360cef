"""Values that pass between Python and C: texts, buffers, JSON, times."""

from __future__ import annotations

import ctypes
import json
import math
import os
from collections.abc import Callable
from typing import Any

from ._calls import ERROR_BUFFER, JobId
from ._library import library
from .errors import check


def _plain(value: Any) -> Any:
    """The JSON form of a value that `json` does not know: numbers and arrays of NumPy, and paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a value of type {type(value).__name__} is no JSON: {value!r:.200}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def encoded(value: Any) -> bytes:
    """A value as JSON. Infinite floats and NaN are a `ValueError`."""
    return _ENCODER.encode(value).encode("utf-8")


def filled(call: Callable[[Any, int, Any], int], capacity: int = 4096) -> bytes:
    """The result of a call that writes into a buffer. The call is repeated while the buffer is too small."""
    length = ctypes.c_size_t()
    while True:
        buffer = ctypes.create_string_buffer(capacity)
        status = call(buffer, capacity, ctypes.byref(length))
        if status != ERROR_BUFFER:
            check(status)
            return ctypes.string_at(buffer, length.value)
        capacity = length.value


def parsed_id(text: str) -> JobId:
    """The id with this text."""
    encoded_text = text.encode("utf-8")
    job = JobId()
    check(library().job_id_parse(encoded_text, len(encoded_text), ctypes.byref(job)))
    return job


def id_text(job: JobId) -> str:
    """The text of an id."""
    return filled(lambda *buffer: library().job_id_text(ctypes.byref(job), *buffer), 64).decode()


def milliseconds(seconds: float) -> int:
    """A time for the library, rounded up."""
    if not 0 <= seconds < 2**53:
        raise ValueError(f"a time of {seconds} s cannot be used: it must be 0 or more, and finite")
    return math.ceil(seconds * 1000)


def whole(number: int) -> int:
    """A number for the library. ctypes would cut bits of one that is negative or too large."""
    if not 0 <= number < 2**64:
        raise ValueError(f"{number} cannot be used: it must be a whole number from 0 to 2**64 - 1")
    return number
