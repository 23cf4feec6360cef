"""A process that dies in the middle of a job, and the next process, which goes on with it."""

from __future__ import annotations

import json
import unittest

from support import LONG, Test, durable_store, python

import job_engine

STEPS = 1_000

CRASHING = """
    import json, os, sys
    import job_engine
    from test_crash import sum_of_squares

    def dies(ctx):
        sum_of_squares(ctx, end=lambda step: step == 600 and os._exit(42))

    engine = job_engine.open(json.loads(sys.argv[1]), {"sum_of_squares": dies}, workers=1)
    job = engine.submit("sum_of_squares", graph="numbers")
    print(job.id, flush=True)
    job.wait(60)
"""


def sum_of_squares(ctx, end=lambda step: None):
    """An algorithm that saves its state every 100 steps."""
    state = json.loads(ctx.load_checkpoint() or b'{"step": 0, "sum": 0}')
    ctx.output("resumed_from", state["step"])
    for step in range(state["step"], STEPS):
        end(step)
        state = {"step": step + 1, "sum": state["sum"] + step * step}
        if state["step"] % 100 == 0:
            ctx.save_checkpoint(json.dumps(state).encode())
            ctx.progress(state["step"], STEPS)
    with ctx.rows("sums") as rows:
        rows.push({"steps": STEPS, "sum": state["sum"]})


class Crash(Test):
    def test_a_job_goes_on_from_its_checkpoint_after_its_process_died(self):
        with durable_store() as store:
            crashed = python(CRASHING, json.dumps(store))
            self.assertEqual(crashed.returncode, 42, crashed.stderr)
            with job_engine.open(store, {"sum_of_squares": sum_of_squares}) as engine:
                job = engine.job(crashed.stdout.strip())
                self.assertEqual(job.wait(LONG), "succeeded", job.explain())
                self.assertEqual(job.page(), [{"steps": STEPS, "sum": sum(n * n for n in range(STEPS))}])
                self.assertEqual((job.outputs(), job.explain()["attempt"]), ({"resumed_from": 600}, 2))

    def test_rows_are_read_after_the_store_was_opened_again(self):
        with durable_store() as store:
            with job_engine.open(store, {"x": lambda ctx: ctx.rows("r").push_many(range(10_000))}) as engine:
                job = engine.submit("x", graph="g")
                job.wait(LONG)
            with job_engine.open(store) as engine:
                self.assertEqual(list(engine.job(job.id).rows()), list(range(10_000)))


if __name__ == "__main__":
    unittest.main()
