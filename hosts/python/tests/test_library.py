"""The library: where it is looked for, and whether this package declares the calls of its header."""

from __future__ import annotations

import os
import re
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from support import PACKAGE, Test, python

from job_engine import _calls, _library, errors, job, pages

HEADER = PACKAGE.parents[1] / "crates/job-ffi/include/job.h"


class Places(Test):
    def test_a_library_that_is_missing_or_wrong_is_told_with_the_way_to_build_it(self):
        with tempfile.NamedTemporaryFile(suffix=".so") as empty:
            for path in (empty.name, "/no/such/libjob.so"):
                ended = python(
                    """
                    import os, sys
                    os.environ["JOB_ENGINE_LIBRARY"] = sys.argv[1]
                    import job_engine
                    try:
                        job_engine.open("memory")
                    except job_engine.LibraryNotFound as error:
                        print(error)
                    """,
                    path,
                )
                for words in (path, "JOB_ENGINE_LIBRARY names it", "cargo build --release -p job-ffi"):
                    self.assertIn(words, ended.stdout, ended.stderr)

    def test_the_library_beside_the_package_comes_before_those_of_the_tree(self):
        with tempfile.TemporaryDirectory() as root, unittest.mock.patch.dict(os.environ):
            os.environ.pop("CARGO_TARGET_DIR", None)
            package = Path(root) / "hosts/python/job_engine"
            self.assertEqual({path.parent for path in _library.candidates(package)}, {package})
            (Path(root) / "crates/job-ffi").mkdir(parents=True)
            (Path(root) / "crates/job-ffi/Cargo.toml").touch()
            target = Path(root) / "target"
            directories = list(dict.fromkeys(path.parent for path in _library.candidates(package)))
            self.assertEqual(directories, [package, target / "release", target / "debug"])
            os.environ["CARGO_TARGET_DIR"] = "/elsewhere"
            self.assertIn(Path("/elsewhere/release") / _library.names()[0], list(_library.candidates(package)))


@unittest.skipUnless(HEADER.is_file(), "this is no source tree, so it has no header")
class Header(Test):
    def setUp(self):
        super().setUp()
        text = HEADER.read_text(encoding="utf-8")
        self.header = re.sub(r"//.*", "", text)

    def numbers(self, prefix):
        return {name: int(number) for name, number in re.findall(rf"#define {prefix}(\w+) (\d+)", self.header)}

    def test_each_call_of_the_header_has_its_number_of_arguments(self):
        calls = {
            name: arguments.count(",") + 1
            for name, arguments in re.findall(r"\n(?:JobStatus) (job_\w+)\(([^)]*)\);", self.header)
        }
        # These calls have callers in C alone: a page or a status comes by `job_page` and `job_status_payload`.
        for unused in ("job_page_pieces", "job_status_pieces"):
            calls.pop(unused)
        self.assertEqual({name: len(arguments) for name, arguments in _calls._ARGUMENTS.items()}, calls)

    def test_the_numbers_are_those_of_the_header(self):
        self.assertEqual(self.numbers("JOB_ABI_"), {"VERSION": _calls.ABI_VERSION})
        states = sorted(self.numbers("JOB_STATE_").items(), key=lambda state: state[1])
        self.assertEqual([name.lower() for name, _ in states], list(job.STATES))
        statuses = self.numbers("JOB_ERROR_")
        for name in ("NOT_FOUND", "BUSY", "TIMEOUT", "BUFFER"):
            self.assertEqual(statuses[name], getattr(_calls, f"ERROR_{name}"))
        # The others end inside of this package, or have no class of their own.
        inner = {"BUFFER", "FAILED", "TRANSIENT", "CALLBACK", "PANIC"}
        self.assertEqual({statuses[name] for name in statuses.keys() - inner}, set(errors._CLASSES))
        self.assertEqual(pages.MOST_ROWS, 100_000)


if __name__ == "__main__":
    unittest.main()
