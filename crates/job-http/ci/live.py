"""What the page shows is live: times go on, rows stay under the pointer, and a job is run again or copied."""

import re
import time

from playwright.sync_api import expect

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
            expect(row.locator("td.ran")).to_have_text(ran)
            expect(row.locator("td.count")).to_have_text("117,659")
            assert "117659" not in row.inner_text(), "one number has one form"


def a_running_job_grows_older_between_answers(browser, url, shots):
    with Visit(browser, url) as visit:
        one = {name: value for name, value in job(1, "running", submitted=now(), started=now()).items() if name != "finished"}
        visit.has(one | {"progress": {"done": 1, "total": 4, "tasks": []}})
        page = visit.open()
        expect(page.locator("td.why")).to_have_text("1 of 4 steps")
        assert page.locator("td.why progress").evaluate("(it) => it.value") == 0.25
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
    digits = '{"algorithmName":"pagerank","parameters":{"alpha":0.850,"source":"it\'s","seed":9007199254740993}}'
    for width, locale, stored in ((1280, "en-GB", "is stored"), (400, "zh-CN", "已保存")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            one = job(0xFF)
            visit.has(one)
            visit.between.gives(f"{one['jobId']}/status", result(["1"]))
            visit.between.gives("jobs/status[?]limit=1&before=01a22222-0000-7000-8000-000000000100", {"jobs": [{"jobId": one["jobId"], "rawRequest": digits}]})
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
            sent = []
            visit.between.on("execute-algorithm", lambda route: sent.append(route.request.post_data) or route.fulfill(json={"jobId": "new"}))
            page.locator("#job-again").press("Enter")
            expect(page.locator("#ask")).to_be_visible()
            assert not sent
            page.screenshot(path=f"{shots}/ask-{width}-{locale}.png")
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).to_contain_text(stored)
            assert sent == [digits], sent
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
