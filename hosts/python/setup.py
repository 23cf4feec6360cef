"""Copies the built library of the source tree into the package, if there is one. Compiles nothing."""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

NAMES = ("libjob.so", "libjob.dylib", "job.dll")


def built_library():
    """The library that JOB_ENGINE_LIBRARY names, or the one that cargo built; `None` if there is none."""
    if os.environ.get("JOB_ENGINE_LIBRARY"):
        return Path(os.environ["JOB_ENGINE_LIBRARY"])
    root = Path(__file__).resolve().parents[2]
    target = root / os.environ.get("CARGO_TARGET_DIR", "target")
    built = (target / "release" / name for name in NAMES)
    return next((path for path in built if path.is_file()), None)


class WithLibrary(build_py):
    """Builds the package with the library beside it."""

    def run(self):
        super().run()
        library = built_library()
        if library is not None:
            name = next(name for name in NAMES if name.split(".")[1] in library.name.split("."))
            shutil.copyfile(library, Path(self.build_lib) / "job_engine" / name)


class OfOnePlatform(Distribution):
    """A package with a library is for one platform."""

    def has_ext_modules(self):
        return built_library() is not None


setup(cmdclass={"build_py": WithLibrary}, distclass=OfOnePlatform)
