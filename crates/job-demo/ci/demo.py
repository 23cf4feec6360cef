"""A client of the demo: its graphs as NetworkX has them, and the answers of its algorithms."""

import json
import time
import urllib.error
import urllib.request

import networkx as nx

# The most rows of a page.
PAGE = 100_000


class Graph:
    """One graph of a served demo."""

    def __init__(self, url, name):
        self.url, self.name = f"{url}/ges/v1.0/demo/graphs/{name}", name
        known = self.filter("vertices", "movies,user" if name == "movies" else "person,company")
        self.order = {vertex["id"]: place for place, vertex in enumerate(known)}
        self.multi = nx.MultiDiGraph()
        self.multi.add_nodes_from(self.order)
        for edge in self.filter("edges", "rate,friends" if name == "movies" else "knows"):
            weight = float(edge["properties"].get("Score", [1])[0])
            self.multi.add_edge(edge["source"], edge["target"], weight=weight)
        # The numbers of parallel edges, the sums of their weights, and the lightest of them.
        self.directed = self._simple(nx.DiGraph)
        self.undirected = self._simple(nx.Graph)
        # Without loops.
        self.neighbors = nx.Graph(self.undirected)
        self.neighbors.remove_edges_from(list(nx.selfloop_edges(self.neighbors)))

    def _simple(self, kind):
        graph = kind()
        graph.add_nodes_from(self.order)
        for source, target, weight in self.multi.edges(data="weight"):
            known = graph.get_edge_data(source, target, {"times": 0, "sum": 0.0, "least": float("inf")})
            graph.add_edge(
                source,
                target,
                times=known["times"] + 1,
                sum=known["sum"] + weight,
                least=min(known["least"], weight),
            )
        return graph

    def filter(self, elements, labels):
        body = {"labels": labels.split(",")}
        return self._run(f"{elements}/action?action_id=query", body)[elements]

    def algorithms(self):
        """The names of all algorithms, which the demo lists when it is asked for another."""
        try:
            self.run("another")
        except AssertionError as error:
            return str(error).split("must be one of ")[1].split('"')[0].split(", ")
        raise AssertionError("the demo runs an algorithm that no one has written")

    def run(self, algorithm, **parameters):
        """The outputs of an algorithm."""
        body = {"algorithmName": algorithm, "parameters": parameters}
        return self._run("action?action_id=execute-algorithm", body)

    def map(self, algorithm, name, **parameters):
        """The list of an algorithm as one dictionary."""
        rows = self.run(algorithm, **parameters)[name]
        found = {vertex: value for row in rows for vertex, value in row.items()}
        assert len(found) == len(rows), f"{algorithm}: a vertex is there twice"
        return found

    def _run(self, path, body):
        job = self._ask(path, json.dumps(body).encode())["jobId"]
        while True:
            answer = self._ask(f"jobs/{job}/status?limit={PAGE}")
            if answer["status"] == "complete":
                outputs = answer["data"]["outputs"]
                assert outputs.get("data_total_size", 0) <= PAGE, f"{path}: more than one page"
                return outputs
            time.sleep(0.01)

    def _ask(self, path, body=None):
        request = urllib.request.Request(f"{self.url}/{path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {body}: {error.code} {error.read().decode()}") from error
