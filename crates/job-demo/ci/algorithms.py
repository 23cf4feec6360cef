"""Compares every algorithm of a served demo with NetworkX, on the same graphs.

    algorithms.py URL

The demo says which algorithms it has: each must be compared here. Ranks may differ by 5e-10, since both sides stop when
they have nearly converged. Other fractions may differ by their rounding, 1e-9 of their value. All else is exact.
"""

import itertools
import math
import statistics
import sys
import time

import networkx as nx
from demo import Graph
from networkx.algorithms.link_analysis.pagerank_alg import _pagerank_python as pagerank_of

RANKS = 5e-10
ROUNDING = 1e-9
# Louvain's method depends on the order of vertices, and NetworkX shuffles them. The best of its seeds may be this much
# better.
MODULARITY = 0.01
SEEDS = range(5)


def near(found, expected, relative=ROUNDING, absolute=1e-12):
    assert found.keys() == expected.keys(), "other vertices"
    for vertex, value in expected.items():
        assert math.isclose(found[vertex], value, rel_tol=relative, abs_tol=absolute), (vertex, found[vertex], value)


def falls(rows):
    values = list(rows.values())
    assert values == sorted(values, reverse=True), "the greatest value is not the first"


def ends(graph):
    """Pairs of vertices: near, far, and one that is its own pair."""
    names = list(graph.order)
    return [(names[0], names[1]), (names[3], names[-1]), (names[50], names[90]), (names[7], names[7])]


def pagerank(graph):
    for directed, simple in ((True, graph.directed), (False, graph.undirected)):
        for alpha in (0.85, 0.5):
            found = graph.map("pagerank", "pagerank", convergence=1e-13, alpha=alpha, directed=directed)
            expected = pagerank_of(simple, alpha=alpha, tol=1e-15, max_iter=10_000, weight="times")
            falls(found)
            near(found, expected, 0, RANKS)


def personalrank(graph):
    for source in list(graph.order)[:3]:
        for more, weight in (({}, "times"), (SCORES.get(graph.name, {}), "sum")):
            parameters = {"source": source, "convergence": 1e-13, "directed": False} | more
            found = graph.map("personalrank", "personalrank", **parameters)
            expected = pagerank_of(
                graph.undirected, personalization={source: 1}, tol=1e-15, max_iter=10_000, weight=weight
            )
            falls(found)
            near(found, expected, 0, RANKS)


# The property with weights, on the graph that has one. Without it, every weight is 1, and sums are numbers of edges.
SCORES = {"movies": {"weight": "Score"}}


def kcore(graph):
    expected = nx.core_number(graph.neighbors)
    for k in (0, 3):
        found = graph.map("kcore", "coreness", k=k)
        falls(found)
        assert found == {vertex: core for vertex, core in expected.items() if core >= k}


def k_hop(graph):
    modes = {"OUT": graph.directed, "IN": graph.directed.reverse(), "ALL": graph.undirected}
    for source, (mode, simple), k in itertools.product(list(graph.order)[:3], modes.items(), (1, 2, 5)):
        found = graph.run("k_hop", source=source, mode=mode, k=k)
        hops = nx.single_source_shortest_path_length(simple, source, cutoff=k)
        assert sorted(found["vertices"]) == sorted(hops.keys() - {source})
        order = [hops[vertex] for vertex in found["vertices"]]
        assert order == sorted(order) and found["k_hop_neighbors"] == len(order)


def shortest_path(graph):
    for source, target in ends(graph):
        for directed, simple in ((True, graph.directed), (False, graph.undirected)):
            for weight, more in ((None, {}), ("least", SCORES.get(graph.name, {}))):
                path = graph.run("shortest_path", source=source, target=target, directed=directed, **more)["path"]
                if not nx.has_path(simple, source, target):
                    assert path == [], path
                    continue
                assert (path[0], path[-1]) == (source, target) and nx.is_path(simple, path), path
                length = nx.path_weight(simple, path, weight) if weight else len(path) - 1
                assert length == nx.shortest_path_length(simple, source, target, weight)


def sssp(graph):
    for source in list(graph.order)[:3]:
        for directed, simple in ((True, graph.directed), (False, graph.undirected)):
            for weight, more in ((None, {}), ("least", SCORES.get(graph.name, {}))):
                found = graph.map("sssp", "distance", source=source, directed=directed, **more)
                assert found == dict(nx.shortest_path_length(simple, source, weight=weight))
                assert list(found.values()) == sorted(found.values())


def connected_component(graph):
    found = graph.run("connected_component")
    components = {}
    for row in found["community"]:
        for vertex, name in row.items():
            components.setdefault(name, set()).add(vertex)
    expected = list(nx.connected_components(graph.undirected))
    assert sorted(map(sorted, components.values())) == sorted(map(sorted, expected))
    assert found["Max_WCC_size"] == max(map(len, expected)) == len(components[found["Max_WCC_id"]])


def label_propagation(graph):
    """The result depends on the order of vertices, so it is tested by its definition: no vertex has a reason to
    change."""
    for more, weight in (({}, "times"), (SCORES.get(graph.name, {}), "sum")):
        labels = graph.map("label_propagation", "community", **more)
        assert labels.keys() == graph.order.keys()
        for vertex, neighbors in graph.neighbors.adjacency():
            votes = {labels[vertex]: 0}
            for neighbor, edge in neighbors.items():
                votes[labels[neighbor]] = votes.get(labels[neighbor], 0) + edge[weight]
            assert votes[labels[vertex]] == max(votes.values()), (vertex, votes)


def triangle_count(graph):
    expected = nx.triangles(graph.neighbors)
    found = graph.run("triangle_count", statistics=False)
    assert {vertex: count for row in found["vertex_triangles"] for vertex, count in row.items()} == expected
    assert found["triangle_count"] * 3 == sum(expected.values())


def cluster_coefficient(graph):
    found = graph.map("cluster_coefficient", "vertex_cluster_coefficient", statistics=False)
    near(found, nx.clustering(graph.neighbors))
    mean = graph.run("cluster_coefficient")["cluster_coefficient"]
    assert math.isclose(mean, nx.average_clustering(graph.neighbors), rel_tol=ROUNDING)


def degree_correlation(graph):
    multi = graph.multi
    for directed in (True, False):
        out, into = (multi.out_degree, multi.in_degree) if directed else (multi.degree, multi.degree)
        degrees = [(out[source], into[target]) for source, target in multi.edges()]
        if not directed:
            degrees += [(right, left) for left, right in degrees]
        found = graph.run("degree_correlation", directed=directed)["degree_correlation"]
        left, right = zip(*degrees)
        # No correlation is defined where one side has only one degree, and 0 stands for it.
        is_defined = len(set(left)) > 1 and len(set(right)) > 1
        expected = statistics.correlation(left, right) if is_defined else 0
        assert math.isclose(found, expected, rel_tol=ROUNDING, abs_tol=1e-12), (found, expected)


def closeness(graph):
    for source in list(graph.order)[:5]:
        found = graph.run("closeness", source=source)["closeness"]
        assert math.isclose(found, nx.closeness_centrality(graph.undirected, source), rel_tol=ROUNDING)


def louvain(graph):
    for more, weight in (({}, "times"), (SCORES.get(graph.name, {}), "sum")):
        found = graph.run("louvain", **more)
        communities = {}
        for row in found["community"]:
            for vertex, name in row.items():
                communities.setdefault(name, set()).add(vertex)
        assert all(name in members for name, members in communities.items())
        assert len(communities) == found["community_num"]

        def modularity(parts):
            return nx.community.modularity(graph.undirected, parts, weight=weight)

        own = modularity(communities.values())
        assert math.isclose(found["modularity"], own, rel_tol=ROUNDING), (found["modularity"], own)
        others = (nx.community.louvain_communities(graph.undirected, weight=weight, seed=seed) for seed in SEEDS)
        best = max(map(modularity, others))
        print(f"    {graph.name}: modularity {own:.6f}, NetworkX {best:.6f}")
        assert own >= best - MODULARITY, (own, best)


def in_order(graph, paths):
    return sorted(paths, key=lambda path: (len(path), [graph.order[vertex] for vertex in path]))


def all_shortest_paths(graph):
    for source, target in ends(graph):
        for directed, simple in ((True, graph.directed), (False, graph.undirected)):
            found = graph.run("all_shortest_paths", source=source, target=target, directed=directed)
            reachable = nx.has_path(simple, source, target)
            paths = nx.all_shortest_paths(simple, source, target) if reachable else []
            assert found["paths"] == in_order(graph, paths)
            assert found["paths_number"] == len(found["paths"]) and "paths_total" not in found


def n_paths(graph):
    for source, target in ends(graph):
        for directed, simple in ((True, graph.directed), (False, graph.undirected)):
            for n, k in ((10, 4), (100, 3), (1, 10)):
                found = graph.run("n_paths", source=source, target=target, directed=directed, n=n, k=k)
                if n == 1:
                    reachable = nx.has_path(simple, source, target)
                    paths = nx.all_shortest_paths(simple, source, target) if reachable else []
                    paths = [path for path in paths if len(path) <= k + 1]
                else:
                    paths = nx.all_simple_paths(simple, source, target, cutoff=k)
                assert found["paths"] == in_order(graph, paths)[:n]
                assert found["paths_number"] == len(found["paths"])


def common_neighbors(graph):
    for source, target in ends(graph):
        found = graph.run("common_neighbors", source=source, target=target)
        expected = nx.common_neighbors(graph.neighbors, source, target)
        assert found["vertices"] == sorted(expected, key=graph.order.get)
        assert found["common_neighbors"] == len(found["vertices"])


def link_prediction(graph):
    for source, target in ends(graph):
        found = graph.run("link_prediction", source=source, target=target)["link_prediction"]
        [(_, _, expected)] = nx.jaccard_coefficient(graph.neighbors, [(source, target)])
        assert found == expected, (found, expected)


def betweenness(graph):
    for directed, simple in ((True, graph.directed), (False, graph.undirected)):
        exact = nx.betweenness_centrality(simple, normalized=False)
        found = graph.map("betweenness", "betweenness", directed=directed)
        falls(found)
        near(found, exact)
        seeds = list(graph.order)[5:25]
        scale = len(graph.order) / len(seeds)
        part = nx.betweenness_centrality_subset(simple, seeds, list(graph.order))
        expected = {vertex: value * scale for vertex, value in part.items()}
        near(graph.map("betweenness", "betweenness", directed=directed, seeds=",".join(seeds)), expected)
        sample = graph.run("betweenness", directed=directed, k=100)
        far = 2 * sample["standard_error"]
        rows = [(vertex, value) for row in sample["betweenness"] for vertex, value in row.items()]
        off = [vertex for vertex, value in rows if abs(value - exact[vertex]) > far]
        assert sample["samples"] == 100 and len(off) * 20 <= len(rows), (far, off)
    if graph.name in SCORES:
        exact = nx.betweenness_centrality(graph.directed, normalized=False, weight="least")
        near(graph.map("betweenness", "betweenness", **SCORES[graph.name]), exact)


def main():
    graphs = [Graph(sys.argv[1], name) for name in ("movies", "synthetic")]
    names = graphs[0].algorithms()
    left = [name for name in names if not callable(globals().get(name))]
    assert len(names) > 1 and not left, f"these algorithms are compared with nothing: {left}"
    for name in names:
        start = time.monotonic()
        for graph in graphs:
            try:
                globals()[name](graph)
            except AssertionError as error:
                raise SystemExit(f"{name} on {graph.name} differs from NetworkX: {error!r}") from error
        print(f"{name}: as NetworkX, {time.monotonic() - start:.1f} s")
    print(f"{len(names)} algorithms compared")


if __name__ == "__main__":
    main()
