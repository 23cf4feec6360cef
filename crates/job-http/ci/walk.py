"""Every view at both widths, in both languages, light and dark: it fits, it speaks one language, and the focus is somewhere."""

import time

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result

WORDS_LEFT = """[...document.querySelectorAll('[data-word], button, dt, th, option, #pulse')].filter((it) =>
    it.checkVisibility() && !it.closest('#values, #help-keys') && !it.matches('.copy, #language, #keys')
    && /[a-z]{3}/i.test(it.textContent.replace(/curl/g, '')) && !/[\\u4e00-\\u9fff]/.test(it.textContent)
    && !['load', 'other'].includes(it.textContent)
).map((it) => it.outerHTML.slice(0, 90))"""
STATES = ["waiting", "running", "cancelling", "succeeded", "failed", "cancelled", "unreadable"]


def jobs():
    now = int(time.time() * 1000)
    times = {"submitted": now - 100_000_000, "started": now - 90_000_000, "finished": now - 1_000_000}
    made = [job(number, state, kind="label_propagation", rows=12_345_678_901, **times) for number, state in enumerate(STATES, 1)]
    made[0]["why"] = {"reason": "queued", "sentence": "it waits behind 1234 jobs of its graph", "jobs": 1234}
    made[1]["progress"] = {"done": 1234, "total": 5678, "tasks": []}
    made[4]["why"] = {"reason": "failed", "sentence": "it failed: " + "a_word_without_an_end" * 20}
    made[6].update(kind="", submitted=0)
    return made


class Walk:
    def __init__(self, visit, shots):
        self.visit, self.page, self.shots, self.step = visit, visit.page, shots, 0

    def see(self, name, focus=True, again=False):
        """What holds in every view. `again`: axe-core has read this view already."""
        self.step += 1
        self.visit.fits()
        scheme = self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        self.page.screenshot(path=f"{self.shots}/walk-{self.step:02}-{name}-{self.visit.width}-{scheme}.png")
        if not again:
            hears(self.page, name)
        if focus:
            assert self.page.evaluate("document.activeElement !== document.body"), f"the focus is lost: {name}"
        if self.page.evaluate("document.documentElement.lang") == "zh-CN":
            left = self.page.evaluate(WORDS_LEFT)
            assert left == [], (name, left)


def walk_the_list(walk, page, visit):
    expect(page.locator("tbody tr")).to_have_count(7)
    walk.see("list", focus=False)
    page.locator("#new-title").press("Enter")
    walk.see("new")
    page.locator("#new-title").press("Enter")
    page.locator("#pause").press("Enter")
    walk.see("paused")
    page.locator("#pause").press("Enter")
    page.locator(".chip[data-state=failed]").press("Enter")
    expect(page.locator("#clear")).to_be_visible()
    walk.see("filter")
    page.locator("#clear").press("Enter")
    walk.see("cleared", again=True)
    page.keyboard.press("Escape")
    page.locator("tbody tr").first.focus()
    page.keyboard.press("?")
    walk.see("help")
    page.keyboard.press("Escape")
    walk.see("help-closed", again=True)
    visit.row(jobs()[0]["jobId"]).focus()
    page.keyboard.press("c")
    walk.see("ask")
    page.keyboard.press("Escape")
    walk.see("ask-closed", again=True)


def walk_the_jobs(walk, page, visit):
    for one in jobs():
        visit.row(one["jobId"]).focus()
        page.keyboard.press("Enter")
        expect(page.locator("#facts .state")).to_be_visible()
        if one["state"] == "succeeded":
            expect(page.locator("#rows")).to_be_focused()
        walk.see(f"job-{one['state']}")
        page.keyboard.press("Escape")
        expect(page.locator("#job")).to_be_hidden()
        walk.see(f"back-from-{one['state']}", again=True)
        assert page.evaluate("document.activeElement.dataset.id") == one["jobId"]


def walk_the_troubles(walk, page, visit):
    visit.row(jobs()[0]["jobId"]).focus()
    visit.between.hangs("/jobs/overview")
    expect(page.locator("body")).to_have_attribute("data-pulse", "silent")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#pulse")).to_be_in_viewport()
    walk.see("silent")
    visit.between.gives("/jobs/overview", {"errorMessage": "拒绝 " + "x" * 300, "errorCode": "GES.8020"}, status=403)
    expect(page.locator("body")).to_have_attribute("data-pulse", "refused")
    walk.see("refused")
    visit.between.gives("/other/jobs/overview", {"jobs": []})
    page.select_option("#graph", "other")
    expect(page.locator("#none")).to_be_visible()
    page.locator("#graph").focus()
    walk.see("empty")
    page.locator("#first").press("Enter")
    walk.see("first-job")


def walked(browser, url, shots, width, locale, scheme):
    with Visit(browser, url, width, locale, scheme) as visit:
        visit.between.gives("/p/graphs$", {"graphs": ["load", "other"]})
        visit.has(*jobs())
        long = '{"id":"' + "v" * 300 + '"}'
        visit.between.gives("/status", result([long] * 30, modularity="0.123", path=f"[{','.join([long] * 9)}]"))
        page = visit.open()
        walk = Walk(visit, shots)
        walk_the_list(walk, page, visit)
        walk_the_jobs(walk, page, visit)
        walk_the_troubles(walk, page, visit)


def every_view_at_1280_in_english(browser, url, shots):
    walked(browser, url, shots, 1280, "en-GB", "light")


def every_view_at_1280_in_chinese(browser, url, shots):
    walked(browser, url, shots, 1280, "zh-CN", "dark")


def every_view_at_400_in_english(browser, url, shots):
    walked(browser, url, shots, 400, "en-GB", "dark")


def every_view_at_400_in_chinese(browser, url, shots):
    walked(browser, url, shots, 400, "zh-CN", "light")
