"""Algorithms of NetworkX and igraph as jobs."""

from __future__ import annotations

import unittest

from support import LONG, PACKAGE, Test, needs, open_memory, python


class Graphs(Test):
    def test_pagerank_of_networkx_is_the_result_of_its_job(self):
        networkx, _, _ = needs("networkx", "numpy", "scipy")
        graph = networkx.karate_club_graph()

        def pagerank(ctx):
            ranks = networkx.pagerank(graph, alpha=ctx.parameters["alpha"])
            ctx.rows("pagerank").push_many({"id": id, "rank": rank} for id, rank in ranks.items())

        with open_memory({"pagerank": pagerank}) as engine:
            job = engine.submit("pagerank", graph="karate", parameters={"alpha": 0.85})
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            self.assertEqual({row["id"]: row["rank"] for row in job.rows()}, networkx.pagerank(graph, alpha=0.85))

    def test_an_algorithm_of_networkx_in_python_is_the_result_of_its_job(self):
        (networkx,) = needs("networkx")
        graph = networkx.karate_club_graph()

        def betweenness(ctx):
            ranks = networkx.betweenness_centrality(graph)
            ctx.rows("betweenness").push_many({"id": id, "value": value} for id, value in ranks.items())

        with open_memory({"betweenness": betweenness}) as engine:
            job = engine.submit("betweenness", graph="karate")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            expected = networkx.betweenness_centrality(graph)
            self.assertEqual({row["id"]: row["value"] for row in job.rows()}, expected)

    def test_pagerank_of_igraph_is_the_result_of_its_job(self):
        (igraph,) = needs("igraph")
        graph = igraph.Graph.Famous("Zachary")

        def pagerank(ctx):
            ctx.rows("pagerank").push_many({"id": id, "rank": rank} for id, rank in enumerate(graph.pagerank()))

        with open_memory({"pagerank": pagerank}) as engine:
            job = engine.submit("pagerank", graph="zachary")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            for row, rank in zip(job.rows(), graph.pagerank()):
                self.assertAlmostEqual(row["rank"], rank, places=12)

    def test_a_value_of_numpy_is_a_value_of_a_row(self):
        (numpy,) = needs("numpy")

        def handler(ctx):
            ctx.rows("r").push({"n": numpy.int64(7), "x": numpy.float32(0.5), "v": numpy.array([0, 1, 2])})

        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            self.assertEqual(job.page(), [{"n": 7, "x": 0.5, "v": [0, 1, 2]}])


class Example(Test):
    def test_the_example_prints_the_highest_ranks(self):
        needs("networkx", "numpy", "scipy")
        ended = python((PACKAGE / "examples/networkx_pagerank.py").read_text(encoding="utf-8"))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("succeeded, {'alpha': 0.85}", ended.stdout)
        self.assertIn("Valjean", ended.stdout)
        self.assertIn("3 of 77 rows", ended.stdout)


if __name__ == "__main__":
    unittest.main()
