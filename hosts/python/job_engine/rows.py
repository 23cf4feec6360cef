"""The list of rows that a handler writes."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Union

from ._library import library
from ._memory import encoded
from .errors import check

#: A row: an object as a mapping, any other JSON value but a text, or ready JSON as bytes or text.
Row = Union[Mapping[str, Any], Sequence[Any], bytes, bytearray, str, int, float, bool, None]

#: The bytes after which `push_many` passes its rows to the library.
_BATCH = 256 * 1024

#: The seconds after which a push checks whether the job must stop, and after which a batch ends.
_INTERVAL = 0.05


class Rows:
    """A list of rows of a job. Any thread may use it until the handler or the partition ends.

    A push raises `Stopped` if the job must stop. It checks this every 50 ms.
    """

    def __init__(self, handle: int, context: int) -> None:
        self._handle = handle
        self._context = context
        self._checked = time.monotonic()

    def push(self, row: Row) -> None:
        """Appends one row.

        A mapping, a list or a number is written as JSON. Bytes and text are ready JSON, which is checked and
        stored unchanged. Each call releases the GIL: `push_many` is faster for many rows.
        """
        text, is_ready = _row(row)
        if is_ready:
            check(library().job_rows_push(self._handle, text, len(text)))
        else:
            check(library().job_rows_push_unchecked(self._handle, text, len(text)))
        if self._is_due():
            self._check_stopped()

    def push_many(self, rows: Iterable[Row]) -> None:
        """Appends rows in batches of 256 KiB, or of the rows of 50 ms. If a row fails, the rows before it stay."""
        texts: list[bytes] = []
        size, has_ready = 0, False
        try:
            for row in rows:
                text, is_ready = _row(row)
                texts.append(text)
                size += len(text)
                has_ready |= is_ready
                is_due = self._is_due()
                if is_due or size >= _BATCH:
                    batch, texts = texts, []
                    self._push_batch(batch, has_ready)
                    size, has_ready = 0, False
                if is_due:
                    self._check_stopped()
        finally:
            if texts:
                self._push_batch(texts, has_ready)

    def _push_batch(self, texts: list[bytes], checked: bool) -> None:
        count = len(texts)
        lengths = (ctypes.c_size_t * count)(*map(len, texts))
        check(library().job_rows_push_many(self._handle, b"".join(texts), lengths, count, int(checked)))

    def _is_due(self) -> bool:
        return time.monotonic() - self._checked >= _INTERVAL

    def _check_stopped(self) -> None:
        self._checked = time.monotonic()
        check(library().job_context_check_stopped(self._context))

    def close(self) -> None:
        """Closes the list. The library closes the list at the end of the handler in any case."""
        check(library().job_rows_close(self._handle))

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()


def _row(row: Row) -> tuple[bytes, bool]:
    """The bytes of a row, and whether the host gave them as ready JSON."""
    if isinstance(row, bytes):
        return row, True
    if isinstance(row, str):
        return row.encode("utf-8"), True
    if isinstance(row, (bytearray, memoryview)):
        return bytes(row), True
    return encoded(row), False
