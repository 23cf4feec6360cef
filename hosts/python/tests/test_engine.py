"""Engines: how they open, close and end with their process."""

from __future__ import annotations

import gc
import os
import signal
import threading
import unittest
import weakref

from support import LONG, Test, durable_store, open_memory, python

import job_engine


class Closing(Test):
    def test_every_call_to_a_closed_engine_is_an_error(self):
        engine = open_memory({"x": lambda ctx: None})
        job = engine.submit("x", graph="g")
        job.wait(LONG)
        engine.close()
        engine.close()
        self.assertTrue(engine.is_closed)
        for call in [
            lambda: engine.submit("x", graph="g"),
            lambda: engine.job(job.id),
            engine.list,
            engine.stats,
            engine.check_health,
            engine.shutdown,
            lambda: job.state,
            lambda: job.wait(LONG),
            lambda: job.on_complete(print),
            job.cancel,
            job.remove,
            job.pin,
            job.explain,
            job.page,
            job.status_payload,
        ]:
            with self.assertRaisesRegex(job_engine.Closed, "the engine is closed"):
                call()

    def test_a_wait_ends_when_another_thread_closes_the_engine(self):
        running, ends = threading.Event(), []

        def handler(ctx):
            running.set()
            while True:
                ctx.check_stopped()

        engine = open_memory({"x": handler})
        job = engine.submit("x", graph="g")

        def wait():
            try:
                ends.append(job.wait())
            except job_engine.JobEngineError as error:
                ends.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        self.assertTrue(running.wait(LONG))
        engine.close()
        thread.join(LONG)
        self.assertIsInstance(ends[0], job_engine.Closed)

    def test_threads_close_an_engine_at_once(self):
        for _ in range(20):
            engine = open_memory({"x": lambda ctx: None})
            threads = [threading.Thread(target=engine.close) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def test_a_shutdown_tells_what_it_leaves(self):
        running, go = threading.Event(), threading.Event()
        with open_memory({"x": lambda ctx: (running.set(), go.wait(LONG))}, workers=1) as engine:
            jobs = [engine.submit("x", graph="g") for _ in range(3)]
            self.assertTrue(running.wait(LONG))
            go.set()
            left = engine.shutdown(grace=LONG)
            self.assertEqual((jobs[0].state, left.left), ("succeeded", 0))
            with self.assertRaises(job_engine.Closed):
                engine.submit("x", graph="g")

    def test_a_handler_that_does_not_stop_is_told(self):
        running, go = threading.Event(), threading.Event()
        ended = threading.Event()

        def handler(ctx):
            running.set()
            go.wait(LONG)
            with self.assertRaises((job_engine.Stopped, job_engine.InvalidHandle)):
                ctx.check_stopped()
            ended.set()

        engine = open_memory({"x": handler}, shutdown_timeout_ms=0)
        engine.submit("x", graph="g")
        self.assertTrue(running.wait(LONG))
        with self.assertRaisesRegex(job_engine.HandlerRunning, "1 handlers have not stopped"):
            engine.close()
        self.assertTrue(engine.is_closed)
        released = threading.Event()
        weakref.finalize(handler, released.set)
        del handler
        go.set()
        self.assertTrue(ended.wait(LONG))
        # The library calls `destroy` after the handler has returned.
        self.assertTrue(released.wait(LONG))


class References(Test):
    def test_a_handler_is_released_once_after_the_engine_is_closed(self):
        def handler(ctx):
            pass

        gone = weakref.ref(handler)
        with open_memory({"x": handler, "y": handler}) as engine:
            del handler
            gc.collect()
            self.assertIsNotNone(gone())
            engine.submit("x", graph="g").wait(LONG)
        gc.collect()
        self.assertIsNone(gone())

    def test_handlers_are_released_when_an_engine_cannot_be_opened(self):
        for options in ({"worker": 1}, {"workers": 0}, {"durability": "x"}):
            with self.assertRaises(job_engine.InvalidArgument):
                job_engine.open("memory", {"x": lambda ctx: None}, **options)
        with self.assertRaises(job_engine.InvalidArgument):
            open_memory({"": lambda ctx: None})
        with self.assertRaises(TypeError):
            open_memory({"x": lambda ctx: None, "y": None})

    def test_functions_for_the_end_are_released_when_jobs_end_or_not(self):
        with open_memory({"x": lambda ctx: None}, workers=1) as engine:
            jobs = [engine.submit("x", graph="g") for _ in range(10)]
            for job in jobs:
                job.on_complete(lambda job, state: None)
            engine.shutdown()

    def test_a_wrong_option_is_told_with_a_sentence(self):
        for store, options, words in [
            ("sqlite", {}, "it must be one of memory, rocksdb, redb, postgres"),
            ("memory", {"worker": 1}, "worker is unknown"),
        ]:
            with self.assertRaisesRegex(job_engine.JobEngineError, words):
                job_engine.open(store, **options)

    def test_a_store_has_one_engine(self):
        with durable_store() as store, job_engine.open(store):
            with self.assertRaises(job_engine.StoreLocked):
                job_engine.open(store)


class Processes(Test):
    def test_control_c_ends_a_wait_and_not_the_job(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("signals are for the main thread")
        # A program in the background of a shell ignores the signal.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        begun, go = threading.Event(), threading.Event()

        def handler(ctx):
            begun.wait(LONG)
            os.kill(os.getpid(), signal.SIGINT)
            go.wait(LONG)

        with open_memory({"x": handler}) as engine:
            job = engine.submit("x", graph="g")
            with self.assertRaises(KeyboardInterrupt):
                begun.set()
                job.wait()
            self.assertEqual(job.state, "running")
            go.set()
            self.assertEqual(job.wait(LONG), "succeeded")

    def test_an_interpreter_ends_while_handlers_and_callbacks_run(self):
        ended = python("""
            import threading, job_engine
            running = threading.Event()

            def endless(ctx):
                running.set()
                while True:
                    ctx.check_stopped()

            engine = job_engine.open("memory", {"x": endless}, workers=2)
            for _ in range(5):
                engine.submit("x", graph="g").on_complete(lambda job, state: None)
            assert running.wait(60)
            print("the end")
            """)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "the end\n", ""))

    def test_an_interpreter_waits_at_its_end_for_a_handler_that_does_not_stop(self):
        ended = python("""
            import atexit, threading
            running, go = threading.Event(), threading.Event()
            import job_engine

            def handler(ctx):
                running.set()
                go.wait(60)
                print("the handler has ended")

            engine = job_engine.open("memory", {"x": handler}, shutdown_timeout_ms=0)
            engine.submit("x", graph="g")
            assert running.wait(60)
            # Functions for the end of the interpreter are called in the order of last to first.
            atexit.register(lambda: threading.Timer(0, go.set).start())
            """)
        self.assertEqual((ended.returncode, ended.stdout), (0, "the handler has ended\n"), ended.stderr)

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_a_forked_process_cannot_use_the_engine_and_ends(self):
        ended = python("""
            import os, job_engine
            engine = job_engine.open("memory", {"x": lambda ctx: None})
            if os.fork() == 0:
                try:
                    engine.stats()
                except job_engine.Forked as error:
                    print(type(error).__name__, flush=True)
                raise SystemExit(0)
            _, status = os.wait()
            engine.submit("x", graph="g").wait(60)
            print("status", status)
            """)
        self.assertEqual((ended.returncode, ended.stdout), (0, "Forked\nstatus 0\n"), ended.stderr)
        # The end of the child tells of no exception. A warning of Python about `fork` is in order.
        self.assertNotIn("Exception", ended.stderr)


if __name__ == "__main__":
    unittest.main()
