"""The parts that several tests need."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PACKAGE))

import job_engine  # noqa: E402
from job_engine import _callbacks  # noqa: E402

#: The longest time that a test waits, in seconds. A test that passes waits for a moment only.
LONG = 120.0


class Test(unittest.TestCase):
    """A test that leaves no Python object with the library, and sees no exception that Python ignores."""

    def setUp(self) -> None:
        self.ignored: list[object] = []
        before = sys.unraisablehook
        sys.unraisablehook = lambda ignored: self.ignored.append(ignored.exc_value)
        self.addCleanup(self._nothing_stays, before)

    def _nothing_stays(self, before: object) -> None:
        sys.unraisablehook = before
        self.assertEqual(self.ignored, [])
        self.assertEqual(len(_callbacks.CALLBACKS), 0)

    def end_of(self, handler: object, **request: object) -> dict[str, object]:
        """The explanation of a job of this handler that has ended."""
        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g", **request)
            job.wait(LONG)
            return job.explain()


def open_memory(handlers: dict[str, object], **options: object) -> job_engine.Engine:
    """An engine in memory whose jobs run again without a pause."""
    retry = {"initial_backoff_ms": 0, "max_backoff_ms": 0}
    return job_engine.open("memory", handlers, **{"workers": 2, "retry": retry, **options})


@contextlib.contextmanager
def durable_store():
    """A store in a new directory, by the first backend that the library has."""
    with tempfile.TemporaryDirectory() as directory:
        for store in ({"redb": directory + "/jobs.redb"}, {"rocksdb": directory + "/jobs"}):
            try:
                job_engine.open(store).close()
            except job_engine.Unsupported:
                continue
            yield store
            return
        raise unittest.SkipTest("the library was built without redb and without RocksDB")


def needs(*modules: str) -> list[object]:
    """The modules. The test is skipped if one of them is not installed."""
    try:
        return [importlib.import_module(module) for module in modules]
    except ImportError as error:
        sentence = f"{error.name} is not installed (`pip install {' '.join(modules)}`)"
        print(f"skipped: {sentence}", file=sys.stderr)
        raise unittest.SkipTest(sentence) from error


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a new interpreter."""
    path = os.pathsep.join([str(PACKAGE), str(PACKAGE / "tests"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LONG,
    )


@contextlib.contextmanager
def quiet():
    """Failures of handlers are not logged."""
    logger = logging.getLogger("job_engine")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
