"""Handlers: what they may do, and how they end."""

from __future__ import annotations

import threading
import unittest

from support import LONG, Test, open_memory, quiet

import job_engine


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raising(error):
    def handler(ctx):
        raise error

    return handler


class Failures(Test):
    def test_an_exception_fails_the_job_with_its_class_and_message(self):
        for error, message in [
            (ValueError("vertex Zoe is not in the graph"), "ValueError: vertex Zoe is not in the graph"),
            (KeyError("Zoe"), "KeyError: 'Zoe'"),
            (ZeroDivisionError(), "ZeroDivisionError"),
            (Unreadable(), "Unreadable: its message cannot be read"),
            (ValueError("\ud800"), "ValueError: ?"),
            (KeyboardInterrupt(), "KeyboardInterrupt"),
            (SystemExit(3), "SystemExit: 3"),
            (GeneratorExit("x"), "GeneratorExit: x"),
        ]:
            with self.subTest(message), quiet():
                end = self.end_of(raising(error))
                self.assertEqual((end["state"], end["failure"]["kind"]), ("failed", "handler"))
                self.assertEqual(end["failure"]["message"], message)

    def test_an_exception_is_logged_with_its_place(self):
        with self.assertLogs("job_engine") as logs:
            self.end_of(raising(ValueError("a bug")))
        self.assertIn("ValueError: a bug", logs.output[0])
        self.assertIn("test_handlers.py", logs.output[0])

    def test_a_row_or_an_output_that_is_no_json_fails_the_job(self):
        for handler, words in [
            (lambda ctx: ctx.rows("r").push(b'{"a":'), "InvalidArgument: the row is not JSON"),
            (lambda ctx: ctx.rows("r").push_many([{}, "Zoe"]), "InvalidArgument: the row is not JSON"),
            (lambda ctx: ctx.rows("r").push({"a": float("nan")}), "ValueError: Out of range float"),
            (lambda ctx: ctx.rows("r").push({"a": object()}), "TypeError: a value of type object is no JSON"),
            (lambda ctx: ctx.output("a", b"{"), "InvalidArgument: the output a is not one JSON value"),
            (lambda ctx: (ctx.rows("r"), ctx.rows("s")), "InvalidArgument: "),
            (lambda ctx: ctx.progress(-1, 1), "ValueError: -1 cannot be used"),
            (lambda ctx: ctx.report_memory(2**64), "cannot be used"),
            (lambda ctx: ctx.scan("r", range(0, 9, 2), print), "a scan needs a range with the step 1"),
        ]:
            with self.subTest(words), quiet():
                self.assertIn(words, self.end_of(handler)["failure"]["message"])

    def test_the_rows_before_a_row_that_fails_stay(self):
        def rows():
            yield {"a": 1}
            yield b"[2]"
            raise LookupError("no third row")

        def handler(ctx):
            try:
                ctx.rows("r").push_many(rows())
            except LookupError:
                pass

        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g")
            job.wait(LONG)
            self.assertEqual(job.page(), [{"a": 1}, [2]])

    def test_a_handler_that_runs_nothing_is_refused(self):
        async def coroutine(ctx):
            pass

        def generator(ctx):
            yield

        for handler in (coroutine, generator, "pagerank", None):
            with self.assertRaisesRegex(TypeError, "the handler of x"):
                open_memory({"x": handler})

    def test_a_context_is_of_no_use_after_its_handler(self):
        kept = []
        self.end_of(lambda ctx: kept.extend([ctx, ctx.rows("r")]))
        with self.assertRaises(job_engine.InvalidHandle):
            kept[0].check_stopped()
        with self.assertRaises(job_engine.InvalidHandle):
            kept[1].push({})

    def test_a_budget_that_is_used_up_fails_the_job(self):
        def push(ctx):
            rows = ctx.rows("r")
            while True:
                rows.push(1)

        for handler, budget, kind in [
            (push, "rows", "row_budget"),
            (lambda ctx: ctx.report_memory(11), "memory", "memory_budget"),
        ]:
            end = self.end_of(handler, options={"budget": {budget: 10}})
            self.assertEqual(end["failure"]["kind"], kind)


class Stops(Test):
    def test_a_cancelled_handler_gets_an_exception_in_its_calls(self):
        for name, call in {
            "check": lambda ctx, rows: ctx.check_stopped(),
            "push": lambda ctx, rows: rows.push({"a": 1}),
            "push_many": lambda ctx, rows: rows.push_many([{"a": 1}]),
            "progress": lambda ctx, rows: ctx.progress(1, 2),
            "checkpoint": lambda ctx, rows: ctx.save_checkpoint(b"half"),
            "scan": lambda ctx, rows: ctx.scan("r", range(10), lambda ids, rows: ctx.check_stopped()),
        }.items():
            with self.subTest(name):
                seen, running = [], threading.Event()

                def handler(ctx, name=name, call=call, seen=seen, running=running):
                    rows = ctx.rows("r") if name.startswith("push") else None
                    try:
                        while True:
                            call(ctx, rows)
                            running.set()
                    except job_engine.Stopped as stopped:
                        seen.append(stopped)
                        raise

                with open_memory({"x": handler}) as engine:
                    job = engine.submit("x", graph="g")
                    self.assertTrue(running.wait(LONG))
                    job.cancel()
                    self.assertEqual(job.wait(LONG), "cancelled", job.explain())
                self.assertEqual(len(seen), 1)

    def test_code_that_catches_every_exception_is_stopped_too(self):
        def handler(ctx):
            while True:
                try:
                    ctx.check_stopped()
                except Exception:
                    continue

        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g")
            job.cancel()
            self.assertEqual(job.wait(LONG), "cancelled")

    def test_rows_that_come_slowly_are_stopped_before_the_last_one(self):
        first, second = threading.Event(), threading.Event()

        def slowly():
            while True:
                yield {"a": 1}
                first.set()
                second.wait(0.001)

        with open_memory({"x": lambda ctx: ctx.rows("r").push_many(slowly())}) as engine:
            job = engine.submit("x", graph="g")
            self.assertTrue(first.wait(LONG))
            job.cancel()
            self.assertEqual(job.wait(LONG), "cancelled")

    def test_a_stop_that_was_not_asked_for_is_a_failure(self):
        with quiet():
            end = self.end_of(raising(job_engine.Stopped("enough")))
        self.assertEqual(end["failure"]["message"], "Stopped: enough")

    def test_a_closed_engine_stops_its_handlers(self):
        running = threading.Event()

        def handler(ctx):
            running.set()
            while True:
                ctx.check_stopped()

        with open_memory({"x": handler}) as engine:
            engine.submit("x", graph="g")
            self.assertTrue(running.wait(LONG))


class Attempts(Test):
    def test_a_job_that_is_tried_again_finds_its_checkpoint(self):
        states = []

        def handler(ctx):
            states.append((ctx.attempt, ctx.load_checkpoint()))
            if ctx.attempt == 1:
                ctx.save_checkpoint(b"half" * 50_000)
                raise job_engine.Retry("the index is busy")

        end = self.end_of(handler)
        self.assertEqual((end["state"], states), ("succeeded", [(1, None), (2, b"half" * 50_000)]))

    def test_an_exception_of_a_handler_after_one_that_it_caught_is_the_reason(self):
        def handler(ctx):
            try:
                ctx.rows("r").push(b"{")
            except job_engine.InvalidArgument:
                raise LookupError("Zoe") from None

        with quiet():
            self.assertEqual(self.end_of(handler)["failure"]["message"], "LookupError: Zoe")

    def test_a_handler_submits_and_waits_for_another_job(self):
        def outer(ctx):
            inner = engine.submit("inner", graph=ctx.graph)
            ctx.output("inner", {"state": inner.wait(LONG), "rows": inner.page()})

        handlers = {"outer": outer, "inner": lambda ctx: ctx.rows("r").push([1])}
        with open_memory(handlers, workers=1) as engine:
            job = engine.submit("outer", graph="g")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            self.assertEqual(job.outputs(), {"inner": {"state": "succeeded", "rows": [[1]]}})

    def test_a_handler_gets_threads_of_its_engine(self):
        granted = []

        def handler(ctx):
            granted.append(ctx.acquire_threads(9))
            ctx.release_threads()
            ctx.output("id", ctx.job_id)

        with open_memory({"x": handler}, workers=1, threads=2) as engine:
            job = engine.submit("x", graph="g")
            job.wait(LONG)
            self.assertEqual((granted, job.outputs()), ([2], {"id": job.id}))


class Scans(Test):
    def test_a_scan_calls_its_function_for_each_partition_and_keeps_the_order(self):
        parts = []

        def part(ids, rows):
            parts.append(ids)
            rows.push_many({"id": id} for id in ids)

        with open_memory({"x": lambda ctx: ctx.scan("r", range(10, 1010), part, partition_size=7)}) as engine:
            job = engine.submit("x", graph="g")
            self.assertEqual(job.wait(LONG), "succeeded", job.explain())
            self.assertEqual([row["id"] for row in job.page()], list(range(10, 1010)))
            self.assertEqual(sorted(id for ids in parts for id in ids), list(range(10, 1010)))

    def test_an_exception_of_a_partition_is_raised_in_the_handler(self):
        caught = []

        def part(ids, rows):
            rows.push(1)
            if 7 in ids:
                raise LookupError("row 7 is gone")

        def handler(ctx):
            try:
                ctx.scan("r", range(10), part, partition_size=1)
            except LookupError as error:
                caught.append(error)
                raise

        with quiet():
            end = self.end_of(handler)
        self.assertEqual((end["failure"]["message"], end["rows"]), ("LookupError: row 7 is gone", 0))
        self.assertEqual(len(caught), 1)


if __name__ == "__main__":
    unittest.main()
