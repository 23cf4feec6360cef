"""Finds the shared library of the job engine, and loads it once."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ._calls import ABI_VERSION, declare

#: The environment variable with the path of the library.
VARIABLE = "JOB_ENGINE_LIBRARY"

_BUILD = "build it with `cargo build --release -p job-ffi` in the source tree of the job engine"


class LibraryNotFound(ImportError):
    """The shared library of the job engine is missing, or cannot be used."""


@functools.cache
def library() -> ctypes.CDLL:
    """The library, loaded at the first call."""
    given = os.environ.get(VARIABLE)
    if given:
        return load(given, f"{VARIABLE} names it")
    for path in candidates(Path(__file__).resolve().parent):
        if path.is_file():
            return load(str(path), "it is the first one that exists")
    installed = ctypes.util.find_library("job")
    if installed:
        return load(installed, "it is installed on this system")
    raise LibraryNotFound(
        f"the library {names()[0]} of the job engine is in none of its places: {_BUILD}, "
        f"or set {VARIABLE} to its path"
    )


def candidates(package: Path) -> Iterator[Path]:
    """The paths where a library may be: beside the package, then in the target directory of a source tree."""
    directories = [package]
    root = next((up for up in package.parents if (up / "crates/job-ffi/Cargo.toml").is_file()), None)
    if root is not None:
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        directories += [root / target / "release", root / target / "debug"]
    for directory in directories:
        for name in names():
            yield directory / name


def names() -> list[str]:
    """The file names of the library on this system."""
    if sys.platform == "win32":
        return ["job.dll"]
    if sys.platform == "darwin":
        return ["libjob.dylib"]
    return ["libjob.so", "libjob.so.1"]


def load(path: str, why: str) -> ctypes.CDLL:
    """Loads the library at a path, and compares its version with that of this package."""
    try:
        loaded = ctypes.CDLL(path)
        version = declare(loaded)
    except (OSError, AttributeError) as error:
        raise LibraryNotFound(
            f"{path} cannot be used as the library of the job engine ({why}): {error}; {_BUILD}"
        ) from error
    if version != ABI_VERSION:
        raise LibraryNotFound(
            f"{path} has version {version} of the C interface, and this package needs {ABI_VERSION}: {_BUILD}"
        )
    return loaded
