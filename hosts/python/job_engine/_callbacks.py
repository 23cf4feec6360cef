"""The Python objects that callbacks need.

Each kind of callback has one C function, which is never freed. Its user data is a number, the key of a Python
object. `destroy` releases the object.
"""

from __future__ import annotations

import itertools
import logging
import time
from typing import Any

from ._calls import DESTROY

LOG = logging.getLogger("job_engine")

#: The seconds between two looks at the registry, at the end of the interpreter.
_POLL = 0.01


class Registry:
    """Python objects by the keys that the library has as user data. Each operation is one step under the GIL."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}
        # ctypes passes the number 0 as `None`.
        self._keys = itertools.count(1)

    def keep(self, value: Any) -> int:
        key = next(self._keys)
        self._objects[key] = value
        return key

    def get(self, key: int) -> Any:
        return self._objects[key]

    def release(self, key: int) -> None:
        del self._objects[key]

    def clear(self) -> None:
        self._objects.clear()

    def wait_until_empty(self) -> None:
        """Waits until the library has no object. For the end of the interpreter, which no callback may outlive."""
        while self._objects:
            time.sleep(_POLL)
            # The thread that released the last object also needs a moment to leave the interpreter.
            if not self._objects:
                time.sleep(_POLL)

    def __len__(self) -> int:
        return len(self._objects)


CALLBACKS = Registry()


def _destroy(key: int) -> None:
    """Releases the object of a callback after its last use."""
    CALLBACKS.release(key)


destroy = DESTROY(_destroy)
