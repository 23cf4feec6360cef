"""Jobs as their callers see them: rows, pages, states, ends."""

from __future__ import annotations

import json
import sys
import threading
import unittest
from unittest import mock

from support import LONG, Test, needs, open_memory

import job_engine


def numbers(ctx):
    """A filter: the numbers from 0 whose rest by 3 is 0."""
    with ctx.rows("vertices") as rows:
        rows.push_many({"id": f"v{id}", "age": id % 80} for id in range(0, 3 * ctx.parameters["rows"], 3))


def until_stopped(ctx):
    while True:
        ctx.check_stopped()


class Pages(Test):
    def test_a_filter_writes_rows_that_are_read_page_by_page(self):
        with open_memory({"vertex_filter": numbers}) as engine:
            job = engine.submit("vertex_filter", graph="g", parameters={"rows": 25_001})
            self.assertEqual(job.wait(LONG), "succeeded")
            expected = [{"id": f"v{id}", "age": id % 80} for id in range(0, 75_003, 3)]
            self.assertEqual(list(job.rows()), expected)
            page = job.page(offset=24_999, limit=10)
            self.assertEqual((page, page.total, page.is_partial), (expected[24_999:], 25_001, False))
            self.assertEqual([len(page) for page in job.pages(limit=10_000)], [10_000, 10_000, 5_001])
            self.assertEqual(job.page(offset=25_001), [])
            self.assertEqual(json.loads(job.page_bytes(limit=3)), expected[:3])

    def test_a_page_of_100_000_rows_is_a_list(self):
        with open_memory({"vertex_filter": numbers}) as engine:
            job = engine.submit("vertex_filter", graph="g", parameters={"rows": 100_001})
            job.wait(LONG)
            page = job.page()
            self.assertEqual((len(page), page.total, page[-1]["id"]), (100_000, 100_001, "v299997"))

    def test_a_limit_or_an_offset_that_cannot_be_used_is_refused(self):
        with open_memory({"vertex_filter": numbers}) as engine:
            job = engine.submit("vertex_filter", graph="g", parameters={"rows": 1})
            job.wait(LONG)
            for offset, limit in [(0, 0), (0, 100_001), (0, -1), (0, 2**32 + 1), (-1, 1), (2**64, 1)]:
                with self.assertRaisesRegex(ValueError, "cannot be used"):
                    job.page(offset, limit)
                with self.assertRaisesRegex(ValueError, "cannot be used"):
                    job.status_payload(offset=offset, limit=limit)

    def test_rows_keep_the_bytes_that_were_pushed(self):
        def handler(ctx):
            rows = ctx.rows("rows")
            rows.push(b'{"a": 1.50}')
            rows.push('{"\u00e9":  "\u20ac"}')
            rows.push(bytearray(b"[1e400]"))
            rows.push_many([b'"ready"', {"b": 2**70}, [None, True], 1.5])
            rows.push_many([])

        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            expected = '[{"a": 1.50},{"é":  "€"},[1e400],"ready",{"b":1180591620717411303424},[null,true],1.5]'
            self.assertEqual(job.page_bytes().decode(), expected)

    def test_values_of_other_libraries_are_written_as_json(self):
        class Number:
            def tolist(self):
                return 7

        with open_memory({"x": lambda ctx: ctx.rows("r").push({"n": Number()})}) as engine:
            job = engine.submit("x", graph="g")
            job.wait(LONG)
            self.assertEqual(job.page(), [{"n": 7}])

    def test_a_data_frame_has_all_rows(self):
        needs("pandas")
        with open_memory({"vertex_filter": numbers}) as engine:
            job = engine.submit("vertex_filter", graph="g", parameters={"rows": 100_002})
            job.wait(LONG)
            frame = job.to_pandas()
            self.assertEqual((frame.shape, list(frame.columns)), ((100_002, 2), ["id", "age"]))
            self.assertEqual(frame["id"].iloc[-1], "v300003")

    def test_a_data_frame_without_pandas_says_how_to_install_it(self):
        with open_memory({"vertex_filter": numbers}) as engine, mock.patch.dict(sys.modules, pandas=None):
            job = engine.submit("vertex_filter", graph="g", parameters={"rows": 1})
            job.wait(LONG)
            with self.assertRaisesRegex(ImportError, "pip install pandas"):
                job.to_pandas()


class States(Test):
    def test_the_outputs_and_the_status_are_those_of_the_handler(self):
        def handler(ctx):
            ctx.progress(3, 4)
            ctx.output("score", b"1.50")
            ctx.output("name", "G\u00f6del")
            ctx.rows("rows").push({"id": 1})

        with open_memory({"x": handler, "none": lambda ctx: ctx.output("n", 1)}) as engine:
            job, none = engine.submit("x", graph="g"), engine.submit("none", graph="g")
            job.wait(LONG), none.wait(LONG)
            self.assertEqual((job.outputs(), none.outputs()), ({"score": 1.5, "name": "Gödel"}, {"n": 1}))
            status = job.status_payload()
            self.assertEqual(status.http_status, 200)
            self.assertIn('"score":1.50,"name":"Gödel","data_return_size":1', status.body.decode())
            self.assertEqual(job.explain()["rows"], 1)

    def test_the_function_for_the_end_is_called_once(self):
        go, ends = threading.Event(), []
        with open_memory({"x": lambda ctx: go.wait(LONG)}) as engine:
            job = engine.submit("x", graph="g")
            called = threading.Event()
            job.on_complete(lambda job, state: (ends.append((job.id, state)), called.set()))
            go.set()
            self.assertTrue(called.wait(LONG))
            job.on_complete(lambda job, state: ends.append((job.id, state)))
        self.assertEqual(ends, [(job.id, "succeeded")] * 2)

    def test_an_exception_of_the_function_for_the_end_is_logged(self):
        with open_memory({"x": lambda ctx: None}) as engine, self.assertLogs("job_engine") as logs:
            job = engine.submit("x", graph="g")
            job.wait(LONG)
            job.on_complete(lambda job, state: 1 / 0)
        self.assertIn("ZeroDivisionError", logs.output[0])

    def test_a_waiting_and_a_running_job_are_cancelled(self):
        with open_memory({"x": until_stopped}, workers=1) as engine:
            running, waiting = engine.submit("x", graph="g"), engine.submit("x", graph="g")
            waiting.cancel()
            self.assertEqual(waiting.state, "cancelled")
            running.cancel()
            self.assertEqual(running.wait(LONG), "cancelled")
            with self.assertRaises(job_engine.AlreadyComplete):
                running.cancel()

    def test_a_wait_that_takes_too_long_is_a_time_out(self):
        with open_memory({"x": until_stopped}) as engine:
            job = engine.submit("x", graph="g")
            with self.assertRaisesRegex(TimeoutError, "has not ended in 0.25 s"):
                job.wait(0.25)
            with self.assertRaises(job_engine.WaitTimeout):
                job.wait(0)
            for wrong in (-1, float("nan"), float("inf")):
                with self.assertRaises(ValueError):
                    job.wait(wrong)
            job.cancel()

    def test_a_job_is_removed_unless_it_is_pinned(self):
        with open_memory({"x": lambda ctx: None}) as engine:
            job = engine.submit("x", graph="g")
            job.wait(LONG)
            job.pin()
            with self.assertRaises(job_engine.JobEngineError):
                job.remove()
            job.unpin()
            job.remove()
            for call in (job.remove, job.page):
                with self.assertRaises(job_engine.NotFound):
                    call()
            self.assertEqual(job.status_payload().http_status, 400)

    def test_a_list_has_the_jobs_of_its_filter_part_by_part(self):
        with open_memory({"x": lambda ctx: None, "y": lambda ctx: None}) as engine:
            jobs = [engine.submit("x", graph="g", options={"labels": [f"n{n}"]}) for n in range(5)]
            other = engine.submit("y", graph="h")
            for job in [*jobs, other]:
                job.wait(LONG)
            newest_first = [job.id for job in reversed(jobs)]
            self.assertEqual([job["id"] for job in engine.jobs(kind="x", limit=2)], newest_first)
            self.assertEqual([job["id"] for job in engine.list(graph="h")], [other.id])
            self.assertEqual([job["id"] for job in engine.list(labels=["n3"])], [jobs[3].id])
            self.assertEqual(engine.list(states=["failed"]), [])
            first = engine.list(limit=1)
            self.assertEqual(first.next, other.id)
            self.assertEqual(engine.list(before=first.next)[0]["id"], jobs[-1].id)
            self.assertEqual(engine.job(other.id), other)
            with self.assertRaisesRegex(ValueError, "stat is unknown"):
                engine.list(stat="failed")


class Requests(Test):
    def test_a_request_is_a_kind_or_a_mapping(self):
        seen = []
        with open_memory({"x": lambda ctx: seen.append(ctx.spec), "edge_filter": lambda ctx: None}) as engine:
            engine.submit("x", "g", {"k": 1.5}, {"priority": 3}).wait(LONG)
            engine.submit({"kind": {"algorithm": "x"}, "graph": "h"}).wait(LONG)
            first = engine.submit("edge_filter", "g")
            trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            engine.submit("x", "g", options={"trace_parent": trace, "again_of": first.id}).wait(LONG)
            self.assertEqual((seen[2]["options"]["trace_parent"], seen[2]["options"]["again_of"]), (trace, first.id))
            first.wait(LONG)
            self.assertEqual((seen[0]["parameters"], seen[0]["options"]["priority"]), ({"k": 1.5}, 3))
            self.assertEqual(seen[1]["graph"], "h")

    def test_many_requests_are_submitted_together_or_none_is(self):
        with open_memory({"x": lambda ctx: ctx.output("n", ctx.parameters["n"])}) as engine:
            request = {"kind": {"algorithm": "x"}, "graph": "g"}
            jobs = engine.submit_many({**request, "parameters": {"n": n}} for n in range(5))
            self.assertEqual([job.wait(LONG) for job in jobs], ["succeeded"] * 5)
            self.assertEqual([job.outputs()["n"] for job in jobs], list(range(5)))
            with self.assertRaisesRegex(ValueError, "spec 1: graph is missing"):
                engine.submit_many([request, {"kind": "vertex_filter"}])
            self.assertEqual(engine.submit_many([]), [])
            self.assertEqual(len(engine.list()), 5)

    def test_a_request_that_is_wrong_is_refused_with_a_sentence(self):
        with open_memory({"x": lambda ctx: None}) as engine:
            for submit, words in [
                (lambda: engine.submit("x"), "graph is missing"),
                (lambda: engine.submit("x", "g", options={"prio": 1}), "options.prio is unknown"),
                (lambda: engine.submit("x", "g", {"k": float("nan")}), "not JSON compliant"),
                (lambda: engine.submit("x", "g", timeout=-1), "must be 0 or more"),
                (lambda: engine.job("Zoe"), "is not a job id"),
            ]:
                with self.assertRaisesRegex(ValueError, words):
                    submit()
            for submit in (
                lambda: engine.submit("x", "g", {"k": object()}),
                lambda: engine.submit({"kind": "vertex_filter"}, graph="g"),
            ):
                with self.assertRaises(TypeError):
                    submit()
            self.assertEqual(engine.list(), [])

    def test_a_full_queue_refuses_jobs_until_there_is_room(self):
        running, go = threading.Event(), threading.Event()
        with open_memory({"x": lambda ctx: (running.set(), go.wait(LONG))}, workers=1, queue_bound=1) as engine:
            jobs = [engine.submit("x", "g")]
            self.assertTrue(running.wait(LONG))
            jobs.append(engine.submit("x", "g"))
            with self.assertRaises(job_engine.QueueFull):
                engine.submit("x", "g")
            with self.assertRaises(job_engine.QueueFull):
                engine.submit("x", "g", timeout=0.15)
            go.set()
            jobs.append(engine.submit("x", "g", timeout=LONG))
            self.assertEqual({job.wait(LONG) for job in jobs}, {"succeeded"})

    def test_threads_submit_and_wait_at_once(self):
        ids, errors = set(), []

        def submit():
            try:
                for _ in range(25):
                    job = engine.submit("vertex_filter", "g", {"rows": 10}, timeout=LONG)
                    job.wait(LONG)
                    if len(job.page()) == 10:
                        ids.add(job.id)
            except Exception as error:
                errors.append(error)

        with open_memory({"vertex_filter": numbers}) as engine:
            threads = [threading.Thread(target=submit) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual((errors, len(ids)), ([], 200))


if __name__ == "__main__":
    unittest.main()
