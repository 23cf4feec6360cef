"""Runs the PageRank of NetworkX as a job, and prints pages of its rows. Takes the file of the store as an argument."""

from __future__ import annotations

import sys

import networkx

import job_engine

GRAPHS = {"les_miserables": networkx.les_miserables_graph, "karate_club": networkx.karate_club_graph}


def pagerank(ctx: job_engine.Context) -> None:
    """The rank of each vertex, the highest first."""
    graph = GRAPHS[ctx.graph]()
    alpha = ctx.parameters.get("alpha", 0.85)
    ranks = networkx.pagerank(graph, alpha=alpha)
    ctx.check_stopped()
    with ctx.rows("pagerank") as rows:
        ordered = sorted(ranks.items(), key=lambda item: (-item[1], str(item[0])))
        rows.push_many({"id": id, "rank": rank} for id, rank in ordered)
    ctx.output("alpha", alpha)


def main() -> None:
    store: job_engine.Store = {"redb": sys.argv[1]} if len(sys.argv) > 1 else "memory"
    with job_engine.open(store, {"pagerank": pagerank}, workers=2) as engine:
        job = engine.submit("pagerank", graph="les_miserables", parameters={"alpha": 0.85})
        print(f"job {job.id}: {job.wait()}, {job.outputs()}")
        page = job.page(offset=0, limit=3)
        for row in page:
            print(f"{row['id']:12} {row['rank']:.6f}")
        print(f"{len(page)} of {page.total} rows")


if __name__ == "__main__":
    main()
