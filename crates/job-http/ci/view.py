"""The view of one job: its request, attempts and timeline, why it waits, how far it is, and what it used."""

import json
import re
import time

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result

ONE = job(1)
BOTH = ((1280, "en-GB"), (400, "zh-CN"))


def seen(visit, shots, name):
    visit.fits()
    hears(visit.page, name)
    visit.page.screenshot(path=f"{shots}/view-{name}-{visit.width}.png", full_page=True)


def without(one, *names):
    return {name: value for name, value in one.items() if name not in names}


def the_attempts_of_a_job_are_a_timeline(browser, url, shots):
    at = int(time.time() * 1000)
    one = job(1, "failed", attempt=3, maxAttempts=3, failedAttempts=3, submitted=at - 60_000, started=at - 20_000, finished=at - 10_000,
              failure={"kind": "panicked", "message": "index 9 is out of range"}, why={"reason": "failed", "sentence": "it failed: index 9 is out of range"})
    attempts = [
        {"attempt": 1, "started": at - 58_000, "ended": at - 55_500, "failure": {"kind": "handler", "message": "the disk is slow"}},
        {"attempt": 2, "started": at - 40_000, "ended": at - 39_000, "failure": {"kind": "interrupted", "message": "the process died"}},
        {"attempt": 3, "started": at - 20_000, "ended": at - 10_000, "failure": {"kind": "panicked", "message": "index 9 is out of range"}},
    ]
    more = {"owner": "ada", "labels": ["nightly", "big"], "priority": 2, "class": "read", "budget": {"rows": 100, "bytes": 2_000_000}, "attempts": attempts,
            "request": {"alpha": 0.85}, "segments": [], "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for (width, locale), said in zip(BOTH, (
        ["Submitted", "attempt 1", "failed after 2.5 s: the disk is slow", "attempt 2", "failed after 1 s: the process died", "attempt 3", "failed", "ran 10 s"],
        ["提交时间", "第 1 次尝试", "2.5 秒后失败：the disk is slow", "第 2 次尝试", "the process died", "第 3 次尝试", "失败", "运行了 10 秒"],
    )):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(one)
            visit.between.gives(f"{one['jobId']}$", json.dumps(one | more).replace("0.85", "0.850"))
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            expect(page.locator("#timeline li")).to_have_count(5)
            told = page.locator("#timeline").inner_text()
            at_end = 0
            for text in said:
                assert text in told[at_end:], (text, told)
                at_end = told.index(text, at_end) + len(text)
            for text in ("ada", "nightly, big", "3 of 100" if width == 1280 else "3 / 100", "4bf92f3577b34da6a3ce929d0e0e4736"):
                expect(page.locator("#facts")).to_contain_text(text)
            if width == 400:
                expect(page.locator("#facts")).to_contain_text("任务代码崩溃：index 9 is out of range")
            page.locator("#request summary").press("Enter")
            expect(page.locator("#request-text")).to_contain_text('"algorithmName": "pagerank"')
            expect(page.locator("#request-text")).to_contain_text("0.850")
            seen(visit, shots, "attempts")


def a_job_that_runs_shows_its_parts_and_the_time_left(browser, url, shots):
    parts = [{"name": "load", "done": 8, "total": 8, "tasks": []}, {"name": "rank", "done": 3, "total": 10, "tasks": [{"name": "scan", "done": 70, "total": 0, "tasks": []}]}]
    at = int(time.time() * 1000)
    one = without(job(1, "running", submitted=at - 5000, started=at - 4000, progress={"done": 11, "total": 18, "remaining": 65_000, "tasks": parts}), "finished")
    for (width, locale), left, of in zip(BOTH, ("about 1 min 5 s", "约 1 分钟 5 秒"), ("3 of 10", "3 / 10")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(one)
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            expect(page.locator("#facts")).to_contain_text(left)
            expect(page.locator("#parts > ul > li").nth(1)).to_contain_text(of)
            expect(page.locator("#parts li li")).to_contain_text("scan")
            expect(page.locator("#timeline li").last).to_contain_text("running" if width == 1280 else "运行中")
            seen(visit, shots, "runs")
            visit.has(one | {"progress": {"done": 12, "total": 18, "remaining": 3000, "tasks": parts[:1]}})
            expect(page.locator("#parts > ul > li")).to_have_count(1)


def a_job_that_waits_links_to_what_it_waits_for(browser, url, shots):
    waiting = without(job(1, "waiting", why={"reason": "queued", "sentence": "it waits behind 2 jobs of its graph", "jobs": 2}), "started", "finished")
    other = job(2)
    awaiting = without(job(3, "running", why={"reason": "other", "sentence": f"it waits for job {other['jobId']}"}), "finished")
    for (width, locale), said, wait in zip(BOTH, ("behind 2 jobs of its graph", "同一个图前面还有 2 个作业"), ("it waits for job", "等待作业")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(waiting, other, awaiting)
            visit.between.gives("/status", result(["1"]))
            page = visit.open(f"#/jobs/{waiting['jobId']}?graph=load")
            expect(page.locator("#facts")).to_contain_text(said)
            seen(visit, shots, "waits")
            page.locator("#links a").press("Enter")
            page.wait_for_url("**state=waiting,running,cancelling")
            page = visit.open(f"#/jobs/{awaiting['jobId']}?graph=load")
            expect(page.locator("#facts")).to_contain_text(wait)
            page.locator("#links a").press("Enter")
            expect(page.locator("#job-title")).to_contain_text(other["jobId"])


def the_view_of_a_job_is_read_when_it_changes_only(browser, url, shots):
    with Visit(browser, url) as visit:
        running = without(job(1, "running"), "finished")
        visit.has(running)
        visit.between.gives("01$", running | {"attempts": [], "request": {}, "segments": [{"attempt": 1, "segment": n, "rows": 10, "bytes": 990} for n in range(120)], "segmentsTotal": 2000})
        page = visit.open(f"#/jobs/{ONE['jobId']}?graph=load")
        for _ in range(2):
            with page.expect_request(re.compile("/explain")):
                pass
        views = [line for line in visit.between.asked if line.endswith(ONE["jobId"])]
        assert len(views) == 1, views
        expect(page.locator("#segments-title")).to_have_text("Segments: 2,000")
        page.locator("#segments-title").press("Enter")
        expect(page.locator("#segments-list li")).to_have_count(101)
        expect(page.locator("#segments-list li").last).to_have_text("1,900 more")
        visit.between.gives("/status", result(["1"]))
        with page.expect_request(re.compile("01$")):
            visit.between.gives(f"{ONE['jobId']}/explain", ONE)
