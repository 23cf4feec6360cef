"""What the page shows is live: times go on, rows stay under the pointer, and a job is run again or copied."""

import json
import re
import time

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result

def now():
    return int(time.time() * 1000)


def times_are_relative_and_exact_on_hover(browser, url, shots):
    at = now()
    one = job(1, submitted=at - 185_000, started=at - 180_000, finished=at - 57_000, rows=117659,
              why={"reason": "succeeded", "sentence": "it succeeded with 117659 rows"})
    for locale, ago, ran in (("en-GB", "3 min ago", "2 min 3 s"), ("zh-CN", "3 分钟前", "2 分钟 3 秒")):
        with Visit(browser, url, locale=locale) as visit:
            visit.has(one)
            row = visit.open().locator("tbody tr")
            expect(row.locator("td.time")).to_have_text(ago)
            expect(row.locator("td.time")).to_have_attribute("title", re.compile("20[0-9][0-9].*:"))
            expect(row.locator("td.ran")).to_contain_text(ran)
            expect(row.locator("td.count")).to_have_text("117,659")
            assert "117659" not in row.inner_text(), "one number has one form"


def a_row_tells_the_request_and_why(browser, url, shots):
    at = now()
    request = {"alpha": 0.85, "source": "v1", "seeds": [1, 2], "labels": []}
    filtered = {"labels": ["noun"], "vertexFilters": [{"propertyName": "Age", "predicate": ">=", "values": ["18"], "type": "and"}]}
    jobs = [
        job(3, "waiting", attempt=1, maxAttempts=3, failedAttempts=1, submitted=at - 4000, started=None, finished=None, request=request,
            failure={"kind": "handler", "message": "the disk is slow"}, notBefore=at + 60_000, why={"reason": "delayed", "sentence": "it waits to be tried again after: the disk is slow"}),
        job(2, "failed", kind="vertex_filter", attempt=3, maxAttempts=3, request=filtered, failure={"kind": "row_budget", "message": "it had 9 rows, and may have 8"}, why={"reason": "failed", "sentence": "it failed: it had 9 rows, and may have 8"}),
        job(1, bytes=1_234_567, rows=117659, submitted=at - 4000, started=at - 3000, finished=at, request=request),
    ]
    jobs[0].pop("started"), jobs[0].pop("finished")
    texts = {
        "en-GB": ("alpha 0.850, source v1, seeds 1 2", "after: the disk is slow", "attempt 3/3", "it had 9 rows, and may have 8", "1.2 MB"),
        "zh-CN": ("alpha 0.850, source v1, seeds 1 2", "上次失败：the disk is slow", "第 3/3 次尝试", "行数超出预算：it had 9 rows, and may have 8", "1.2 MB"),
    }
    for width, locale in ((1280, "en-GB"), (400, "zh-CN")):
        short, retry, attempt, failure, size = texts[locale]
        with Visit(browser, url, width=width, locale=locale) as visit:
            # The digits are those that were sent.
            visit.between.gives("/jobs/overview", json.dumps({"jobs": jobs}).replace("0.85", "0.850"))
            page = visit.open()
            first, second, third = (page.locator("tbody tr").nth(place) for place in range(3))
            expect(first.locator(".request")).to_have_text(short)
            expect(first.locator(".why")).to_contain_text(retry)
            expect(second.locator(".request")).to_have_text("labels noun, Age >= 18")
            expect(second.locator(".why")).to_have_text(failure)
            expect(second.locator("td.id")).to_contain_text(attempt)
            expect(third.locator("td.count")).to_contain_text(size)
            assert third.locator(".spent .waited").evaluate("(it) => it.style.width") == "25%"
            heights = {row.bounding_box()["height"] for row in page.locator("tbody tr").all()}
            assert len(heights) == 1, heights
            visit.fits()
            hears(page, "rows of the list")
            page.screenshot(path=f"{shots}/rows-of-list-{width}.png")


def the_states_tell_how_many_jobs_they_have(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1))
        counts = {"waiting": {"jobs": 0, "more": False}, "failed": {"jobs": 1000, "more": True}}
        visit.between.gives("/jobs/counts", {"counts": counts})
        page = visit.open("#/jobs?graph=load&kind=pagerank&label=a")
        expect(page.locator(".chip[data-state=failed]")).to_have_text("failed 1,000+")
        expect(page.locator(".chip[data-state=waiting]")).to_have_text("waiting 0")
        expect(page.locator(".chip[data-state=running]")).to_have_text("running")
        asked = [line for line in visit.between.asked if "/jobs/counts" in line]
        assert len(asked) == 1 and asked[0].endswith("/load/jobs/counts?kind=pagerank&label=a"), asked


def a_search_goes_on_over_pages_without_jobs(browser, url, shots):
    with Visit(browser, url) as visit:
        def page_of(route):
            at = re.search("before=([0-9]+)", route.request.url)
            turn = int(at[1]) if at else 0
            assert "q=ffff" in route.request.url, route.request.url
            route.fulfill(json={"jobs": [job(1)] if turn == 3 else [], **({"next": str(turn + 1)} if turn < 3 else {})})

        visit.between.on("/jobs/overview", page_of)
        page = visit.open("#/jobs?graph=load&q=ffff")
        expect(page.locator("#filter-q")).to_have_value("ffff")
        expect(page.locator("tbody tr")).to_have_count(1)


def a_running_job_grows_older_between_answers(browser, url, shots):
    with Visit(browser, url) as visit:
        one = {name: value for name, value in job(1, "running", submitted=now(), started=now()).items() if name != "finished"}
        visit.has(one | {"progress": {"done": 1, "total": 4, "tasks": []}})
        page = visit.open()
        expect(page.locator(".why")).to_have_text("1 of 4 steps")
        assert page.locator(".why progress").evaluate("(it) => it.value") == 0.25
        page.locator("#pause").click()
        before = page.locator("td.ran").inner_text()
        expect(page.locator("td.ran")).not_to_have_text(before)


def updates_are_paused_and_go_on(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1, "waiting"))
        page = visit.open()
        expect(page.locator("#pulse")).to_contain_text("live, ")
        page.locator("#pause").press("Enter")
        expect(page.locator("#pulse")).to_contain_text("paused, ")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
        visit.has(job(1, "succeeded"))
        # Longer than the silence that would be told.
        expect(page.locator("#pulse")).to_contain_text("paused, 4 s ago")
        expect(page.locator("td.state")).to_have_text("waiting")
        page.locator("#pause").press("Enter")
        expect(page.locator("td.state")).to_have_text("succeeded")
        expect(page.locator("#pause")).to_be_focused()


def places(page):
    return page.evaluate("[...document.querySelectorAll('tbody tr')].map(row => [row.dataset.id, row.getBoundingClientRect().top])")


def rows_never_move_under_the_pointer_or_the_focus(browser, url, shots):
    old = [job(number, "running" if number == 2 else "succeeded") for number in (3, 2, 1)]
    new = [job(number, "waiting") for number in range(9, 3, -1)]
    for hold in ("hover", "focus"):
        with Visit(browser, url) as visit:
            visit.has(*old)
            page = visit.open()
            target = visit.row(old[0]["jobId"]).locator("button.show")
            getattr(target, hold)()
            before = places(page)
            # A job of the list leaves it, as the running one of a filter does when it ends.
            visit.has(*new, old[0], old[2])
            visit.between.gives(f"{old[1]['jobId']}/explain", job(2, "failed"))
            expect(page.locator("#fresh")).to_have_text("6 new jobs")
            expect(visit.row(old[1]["jobId"]).locator("td.state")).to_have_text("failed")
            assert places(page) == before, (places(page), before)
            page.screenshot(path=f"{shots}/fresh-{hold}.png")
            page.locator("#fresh").click()
            expect(page.locator("tbody tr")).to_have_count(8)
            expect(page.locator("#fresh")).to_be_hidden()
            expect(page.locator("tbody tr").first).to_have_attribute("data-id", new[0]["jobId"])
            assert page.evaluate("document.activeElement.closest('tr')?.dataset.id") == new[0]["jobId"]


def new_jobs_come_by_themselves_where_nobody_is(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1))
        page = visit.open()
        expect(page.locator("tbody tr")).to_have_count(1)
        visit.has(job(2), job(1))
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("#fresh")).to_be_hidden()


def the_request_of_a_job_is_shown_copied_and_run_again(browser, url, shots):
    parameters = '{"alpha":0.850,"source":"it\'s","seed":9007199254740993}'
    digits = f'{{"algorithmName":"pagerank","parameters":{parameters}}}'
    for width, locale, stored in ((1280, "en-GB", "is stored"), (400, "zh-CN", "已保存")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            one = job(0xFF)
            visit.has(one)
            visit.between.gives(f"{one['jobId']}/status", result(["1"]))
            visit.between.gives("ff$", json.dumps(one)[:-1] + f', "request": {parameters}}}')
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            page.locator("#request summary").press("Enter")
            expect(page.locator("#request-text")).to_contain_text('"alpha": 0.850')
            expect(page.locator("#request-text")).to_contain_text("9007199254740993")
            page.locator("#request-copy").click()
            expect(page.locator("#message")).to_contain_text("curl")
            copied = page.evaluate("navigator.clipboard.readText()")
            assert copied.startswith(f"curl -s '{url}ges/v1.0/p/graphs/load/action?action_id=execute-algorithm' --data-raw '"), copied
            assert "it'\\''s" in copied, copied
            visit.fits()
            page.screenshot(path=f"{shots}/request-{width}-{locale}.png")
            sent, paths = [], []
            visit.between.on("execute-algorithm", lambda route: paths.append(route.request.url) or sent.append(route.request.post_data) or route.fulfill(json={"jobId": "new"}))
            page.locator("#job-again").press("Enter")
            expect(page.locator("#ask")).to_be_visible()
            assert not sent
            page.screenshot(path=f"{shots}/ask-{width}-{locale}.png")
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).to_contain_text(stored)
            assert sent == [digits], sent
            assert paths[0].endswith(f"&again_of={one['jobId']}"), paths
            expect(page.locator("#job-again")).to_be_focused()


def the_rows_that_are_seen_are_copied_as_a_command(browser, url, shots):
    with Visit(browser, url) as visit:
        page = visit.open()
        page.locator("button.show:not([aria-disabled=true])").first.click()
        page.fill("#row", "500")
        page.keyboard.press("Enter")
        page.fill("#token", "secret")
        page.locator("#rows-copy").click()
        expect(page.locator("#message")).to_contain_text("offset=500")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.endswith("/status?offset=500&limit=20'"), copied
        assert "secret" not in copied and "$TOKEN" in copied, copied


def a_cancel_is_asked_for_first(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1, "running"))
        asked = []
        visit.between.on("01$", lambda route: asked.append(route.request.method) or route.fulfill(json={}))
        page = visit.open()
        cancel = page.locator("button.cancel")
        cancel.press("Enter")
        expect(page.locator("#ask")).to_contain_text("is lost")
        page.keyboard.press("Escape")
        expect(page.locator("#ask")).to_be_hidden()
        expect(cancel).to_be_focused()
        assert not asked
        cancel.press("Enter")
        page.locator("#ask-yes").press("Enter")
        expect(page.locator("#message")).to_contain_text("asked to stop")
        assert asked == ["DELETE"], asked
        expect(cancel).to_be_focused()
        visit.has(job(1, "cancelled"))
        expect(cancel).to_have_attribute("aria-disabled", "true")
        expect(cancel).to_be_focused()
        expect(page.locator("#news")).to_contain_text("pagerank 00000001: cancelled")


def selected_jobs_are_cancelled_after_one_question(browser, url, shots):
    jobs = [job(4, "waiting"), job(3, "running"), job(2), job(1, "waiting")]
    said = {"en-GB": ("3 selected", "Cancel 2 selected?", "Of these, 1 run", "2 jobs were asked"), "zh-CN": ("已选 3 个", "取消 已选 2 个？", "其中 1 个正在运行", "已请求停止 2 个作业")}
    for width, locale in ((1280, "en-GB"), (400, "zh-CN")):
        count, title, more, done = said[locale]
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(*jobs)
            asked = []
            visit.between.on("/jobs/01a[^/]*$", lambda route: asked.append((route.request.method, route.request.url[-1])) or route.fulfill(json={}))
            page = visit.open()
            expect(page.locator("tbody tr")).to_have_count(4)
            page.keyboard.press("j")
            page.keyboard.press("x")
            expect(page.locator("tbody tr").first).to_have_attribute("aria-selected", "true")
            page.locator("tbody input").nth(1).check()
            page.locator("tbody input").nth(2).check()
            expect(page.locator("#picked-count")).to_have_text(count)
            # New jobs wait while some are selected.
            visit.has(job(9, "waiting"), *jobs)
            expect(page.locator("#fresh")).to_be_visible()
            visit.fits()
            hears(page, "selected")
            page.screenshot(path=f"{shots}/selected-{width}-{locale}.png")
            page.locator("#picked-cancel").press("Enter")
            expect(page.locator("#ask-title")).to_have_text(title)
            expect(page.locator("#ask-more")).to_contain_text(more)
            page.keyboard.press("Escape")
            expect(page.locator("#picked-cancel")).to_be_focused()
            assert not asked
            page.locator("#picked-cancel").press("Enter")
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).to_contain_text(done)
            assert asked == [("DELETE", "4"), ("DELETE", "3")], asked
            expect(page.locator("#picked")).to_be_hidden()
            assert page.evaluate("document.activeElement.matches('#jobs tr')")
