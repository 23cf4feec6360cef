"""Parts of results and of lists of jobs: Python lists with a few numbers about the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

#: The most rows of a page.
MOST_ROWS = 100_000


class Page(list[Any]):
    """Rows of a job as Python values."""

    def __init__(self, rows: Iterable[Any], total: int, is_partial: bool) -> None:
        super().__init__(rows)
        #: The rows of the whole result; for a running job, the rows that can be read so far.
        self.total = total
        #: Whether the job has not succeeded, so that rows may follow or be missing.
        self.is_partial = is_partial


class JobList(list[Any]):
    """Jobs as dictionaries, the newest first."""

    def __init__(self, jobs: Iterable[Any], next: str | None) -> None:
        super().__init__(jobs)
        #: The argument `before` for the next part, or `None` at the end.
        self.next = next


class StatusPayload(NamedTuple):
    """The answer to a status query, as in the REST interface."""

    http_status: int
    body: bytes
