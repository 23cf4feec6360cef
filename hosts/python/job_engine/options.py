"""The options of an engine and of a request, for type checkers. The library checks them at run time."""

from __future__ import annotations

import os
from typing import TypedDict, Union


class RocksDb(TypedDict):
    """A store in a directory, by RocksDB."""

    rocksdb: Union[str, os.PathLike[str]]


class Redb(TypedDict):
    """A store in a file, by redb."""

    redb: Union[str, os.PathLike[str]]


class Postgres(TypedDict):
    """A store in PostgreSQL, which several engines may share."""

    postgres: str


#: The place of a store: `"memory"` or one of the dictionaries.
Store = Union[str, RocksDb, Redb, Postgres]


class RocksDbOptions(TypedDict, total=False):
    """How a store in RocksDB uses memory and disk, in bytes."""

    block_cache: int
    write_buffer: int
    open_files: int


class PostgresOptions(TypedDict, total=False):
    """How a store in PostgreSQL works with its database."""

    schema: str
    connections: int
    timeout_ms: int
    pooled: bool
    listen: str


class JobsPerClass(TypedDict, total=False):
    """How many jobs of a class run at once."""

    read: int
    write: int


class RetryPauses(TypedDict):
    """The pauses between attempts, in milliseconds."""

    initial_backoff_ms: int
    max_backoff_ms: int


class Retention(TypedDict, total=False):
    """Which finished jobs stay."""

    age_ms: int
    jobs: int
    bytes: int


class EngineOptions(TypedDict, total=False):
    """The options of `open`, by the names of `job_engine_open` in `job.h`."""

    packing: str
    workers: int
    front_end: bool
    threads: int
    queue_bound: int
    jobs_per_graph: int
    jobs_per_class: JobsPerClass
    priority_aging_ms: int
    durability: str
    retry: RetryPauses
    checkpoint_interval_ms: int
    shutdown_timeout_ms: int
    retention: Retention
    rocksdb: RocksDbOptions
    postgres: PostgresOptions
    lease_duration_ms: int
    max_prefetch: int
    poll_interval_ms: int


class ListFilter(TypedDict, total=False):
    """The filter of `Engine.list`."""

    graph: str
    kind: str
    owner: str
    labels: list[str]
    states: list[str]
    before: str
    limit: int
