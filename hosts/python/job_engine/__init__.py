"""An embedded job engine for graph engines.

Handlers are Python functions. The engine runs them as jobs, keeps their rows in a store, and serves pages of them::

    import job_engine

    def degrees(ctx):
        with ctx.rows("degrees") as rows:
            rows.push_many({"id": id, "degree": degree} for id, degree in graph.degree())

    with job_engine.open("memory", {"degrees": degrees}) as engine:
        job = engine.submit("degrees", graph="movies")
        job.wait()
        print(job.page(offset=0, limit=10))
"""

from . import errors
from .context import Context
from .engine import Engine, Shutdown, open
from .errors import *  # noqa: F403
from .job import Job
from .options import Store
from .pages import JobList, Page, StatusPayload
from .rows import Row, Rows

__all__ = [
    "Context",
    "Engine",
    "Job",
    "JobList",
    "Page",
    "Row",
    "Rows",
    "Shutdown",
    "StatusPayload",
    "Store",
    "open",
    *errors.__all__,
]
