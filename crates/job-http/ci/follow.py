"""A job is followed by events, and without them asked about; it tells its engine and the job that it runs again."""

import re
import time

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result, until
from view import BOTH, seen, without

# Streams of events that a check writes, in place of those of the service. Each says twice a second that it lives.
STREAMS = """
window.streams = [];
const real = window.fetch;
window.fetch = (url, options) => {
  if (!String(url).endsWith("/events")) return real(url, options);
  const stream = { open: true };
  const body = new ReadableStream({ start(to) {
    stream.tell = (text) => to.enqueue(new TextEncoder().encode(text));
    stream.end = () => { stream.open = false; to.close(); };
    options.signal.addEventListener("abort", () => { if (stream.open) to.error(options.signal.reason); stream.open = false; });
    setInterval(() => { if (stream.open) stream.tell(":\\n\\n"); }, 500);
  } });
  streams.push(stream);
  return Promise.resolve(new Response(body));
};
"""
TELL = """(value) => {
  const text = `id: 1\\nevent: job\\ndata: ${JSON.stringify(value)}\\n\\n`;
  streams.at(-1).tell(text.slice(0, 40));
  streams.at(-1).tell(text.slice(40));
}"""
OPEN = "streams.filter((stream) => stream.open).length"
HIDE = "(hidden) => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden }); document.dispatchEvent(new Event('visibilitychange')); }"


def running(done, **fields):
    at = int(time.time() * 1000)
    parts = [{"name": "rank", "done": done, "total": 18, "tasks": []}]
    progress = {"done": done, "total": 18, "remaining": 1000 * (18 - done), "tasks": parts}
    return without(job(1, "running", submitted=at - 5000, started=at - 4000, progress=progress, rows=0, **fields), "finished")


def asked(visit, path):
    return len([line for line in visit.between.asked if re.search(path, line)])


def a_job_that_runs_is_followed_by_events(browser, url, shots):
    for (width, locale), left, paused in zip(BOTH, ("about 6 s", "约 6 秒"), ("paused", "已暂停")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(running(11))
            visit.context.add_init_script(STREAMS)
            page = visit.open(f"#/jobs/{job(1)['jobId']}?graph=load")
            until(page, "streams.length === 1")
            page.evaluate(TELL, running(12))
            expect(page.locator("#facts")).to_contain_text(left)
            expect(page.locator("#parts li")).to_contain_text("12")
            before = asked(visit, "/explain")
            # Longer than the silence that would be told.
            page.wait_for_timeout(3500)
            assert asked(visit, "/explain") == before, "nothing is asked while the stream lives"
            expect(page.locator("body")).not_to_have_attribute("data-stale", "")
            seen(visit, shots, "followed")
            page.locator("#pause").press("Enter")
            expect(page.locator("#pulse")).to_contain_text(paused)
            assert page.evaluate(OPEN) == 0, "a paused page has no stream"
            page.locator("#pause").press("Enter")
            until(page, "streams.length === 2")
            page.evaluate(HIDE, True)
            assert page.evaluate(OPEN) == 0, "a page that nobody sees has no stream"
            page.evaluate(HIDE, False)
            until(page, "streams.length === 3")
            assert page.evaluate(OPEN) == 1, "a page has one stream"
            # A stream that ends is asked about, and another one is opened.
            visit.has(running(13))
            with page.expect_request(re.compile("/explain")):
                page.evaluate(TELL, running(12))
                page.evaluate("streams.at(-1).end()")
            expect(page.locator("#parts li")).to_contain_text("13")
            until(page, "streams.length === 4")
            page.evaluate(TELL, job(1))
            expect(page.locator("#facts .state")).to_have_text("succeeded" if width == 1280 else "成功")
            page.keyboard.press("Escape")
            until(page, f"{OPEN} === 0")


def a_service_without_events_is_asked_each_second(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(running(11))
        visit.between.gives("/events$", {"errorMessage": "nothing is served there", "errorCode": "GES.8006"}, status=404)
        page = visit.open(f"#/jobs/{job(1)['jobId']}?graph=load")
        expect(page.locator("#parts li")).to_contain_text("11")
        visit.has(running(12))
        expect(page.locator("#parts li")).to_contain_text("12")
        for _ in range(2):
            with page.expect_request(re.compile("/explain")):
                pass
        assert asked(visit, "/events") == 1, "a stream that is not there is asked for once"
        expect(page.locator("#trouble")).to_be_hidden()


def the_events_of_the_service_itself_are_shown(browser, url, shots):
    with Visit(browser, url) as visit:
        # Nothing runs this job, so it waits until another client cancels it.
        graph = f"{url}ges/v1.0/p/graphs/load"
        made = visit.context.request.post(f"{graph}/edges/action?action_id=query", data={"labels": ["followed"]})
        one = made.json()["jobId"]
        visit.between.gives("/nothing$", {})
        page = visit.open(f"#/jobs/{one}?graph=load")
        expect(page.locator("#facts .state")).to_have_text("waiting")
        page.wait_for_timeout(1500)
        before = asked(visit, "/explain")
        page.wait_for_timeout(3500)
        assert (asked(visit, "/events"), asked(visit, "/explain")) == (1, before), visit.between.asked
        expect(page.locator("body")).not_to_have_attribute("data-stale", "")
        assert visit.context.request.delete(f"{graph}/jobs/{one}").ok
        expect(page.locator("#facts .state")).to_have_text("cancelled")


def the_engine_of_a_job_and_its_lease_are_told(browser, url, shots):
    for (width, locale), here, other in zip(BOTH, ("this one (7f3a), lease until", "本引擎（7f3a），租约至"), ("55c1, lease until", "55c1，租约至")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            one = running(11)
            at = int(time.time() * 1000)
            view = one | {"request": {}, "engine": {"id": "7f3a", "isHere": True, "leaseUntil": at + 60_000}}
            visit.has(one)
            visit.between.gives(f"{one['jobId']}$", view | {"engine": view["engine"] | {"leaseUntil": at - 1}})
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            expect(page.locator("#facts")).to_contain_text(here)
            seen(visit, shots, "engine")
            # A lease that is over is looked at again.
            visit.between.gives(f"{one['jobId']}$", view | {"engine": {"id": "55c1", "isHere": False, "leaseUntil": at + 60_000}})
            expect(page.locator("#facts")).to_contain_text(other)
            expect(page.locator("#facts")).not_to_contain_text("7f3a")
            views = asked(visit, f"{one['jobId']}$")
            page.wait_for_timeout(3500)
            assert asked(visit, f"{one['jobId']}$") == views, "a lease that holds is not looked at"


def a_job_links_to_the_one_that_it_runs_again(browser, url, shots):
    one, first, gone = job(3), job(2), job(1)
    said = {"en-GB": ("Runs job {} again ({})", "succeeded", "removed"), "zh-CN": ("再次运行作业 {}（{}）", "成功", "已删除")}
    for width, locale in BOTH:
        text, succeeded, removed = said[locale]
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(one, first)
            visit.between.gives("/status", result(["1"]))
            visit.between.gives("03$", one | {"request": {}, "againOf": {"jobId": first["jobId"], "state": "succeeded"}})
            visit.between.gives("02$", first | {"request": {}, "againOf": {"jobId": gone["jobId"], "state": "removed"}})
            for path in ("/explain", "$", "/status"):
                visit.between.gives(f"{gone['jobId']}{path}", {"errorMessage": "there is no such job", "errorCode": "GES.8301"}, status=400)
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            link = page.locator("#links a")
            expect(link).to_have_text(text.format(first["jobId"], succeeded))
            seen(visit, shots, "again")
            link.press("Enter")
            expect(page.locator("#job-title")).to_contain_text(first["jobId"])
            expect(page.locator("#job-title")).to_be_focused()
            expect(link).to_have_text(text.format(gone["jobId"], removed))
            link.press("Enter")
            expect(page.locator("#trouble")).to_contain_text("there is no such job")
            visit.fits()


def a_service_without_the_view_of_a_job_has_its_status(browser, url, shots):
    absent = {"errorMessage": "nothing is served there", "errorCode": "GES.8006"}
    one = running(11)
    for (width, locale), state, done, untold in zip(BOTH, ("running", "运行中"), ("succeeded", "成功"), ("does not tell the request", "服务未提供该作业的请求")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(one)
            visit.between.gives("/status", {"status": "running"})
            for path, status in (("/explain", 404), ("$", 405), ("/events", 404)):
                visit.between.gives(f"/jobs/{one['jobId']}{path}", absent, status=status)
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            expect(page.locator("#facts .state")).to_have_text(state)
            expect(page.locator("#parts li")).to_contain_text("11")
            page.locator("#request summary").press("Enter")
            expect(page.locator("#request-text")).to_contain_text(untold)
            page.locator("#job-again").press("Enter")
            expect(page.locator("#message")).to_contain_text(untold)
            expect(page.locator("#job-again")).to_be_focused()
            for _ in range(2):
                with page.expect_request(re.compile("/status")):
                    pass
            assert asked(visit, "/explain") == 1, "a path that is not there is asked for once"
            assert asked(visit, f"/jobs/{one['jobId']}$") == 2, "and the view once for each look and act"
            for hidden in ("#trouble", "#result-trouble", "#elsewhere"):
                expect(page.locator(hidden)).to_be_hidden()
            visit.fits()
            hears(page, "status only")
            page.screenshot(path=f"{shots}/status-only-{width}.png", full_page=True)
            # The list has it no longer, and the status is all that is left.
            visit.between.gives("/jobs/overview", {"jobs": []})
            visit.between.gives("/status", result(["1"]))
            expect(page.locator("#facts .state")).to_have_text(done)
            expect(page.locator("#rows .line").first).to_contain_text("1")
