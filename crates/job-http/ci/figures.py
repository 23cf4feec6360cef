"""The figures of the engine at the head of the list, with the lines of their last 15 minutes."""

import re
import time

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job

BOTH = ((1280, "en-GB"), (400, "zh-CN"))


def figures(shared=False, **fields):
    at = int(time.time() * 1000) // 10_000 * 10_000
    samples = [{"at": at - 10_000 * (89 - n), "waiting": n, "running": n % 5, "starts": 12 * (n % 7), "waitP50": 4 + n, "waitP99": 90 + n} for n in range(90)]
    samples[40].update(waiting=None, running=None, waitP50=None, waitP99=None)
    return {"shared": shared, "workers": 4, "waiting": 1234, "running": 3, "startsPerSecond": 1.25, "waitP50": 12, "waitP99": 3400, "every": 10_000, "samples": samples, **fields}


def the_figures_stand_at_the_head(browser, url, shots):
    said = {"en-GB": ["1,234", "3 of 4", "1.25", "12 ms / 3.4 s"], "zh-CN": ["1,234", "3 / 4", "1.25", "12 毫秒 / 3.4 秒"]}
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(job(1))
            visit.between.gives("/figures$", figures())
            page = visit.open()
            expect(page.locator("#figures-list b")).to_have_text(said[locale])
            lines = page.locator("#figures path")
            # A gap is no line: the one with a sample that is not there has two beginnings.
            assert [len(re.findall("M", line.get_attribute("d"))) for line in lines.all()] == [2, 2, 1, 2]
            expect(page.locator("#figures svg").first).to_have_attribute("aria-label", re.compile("at most 89" if width == 1280 else "最高 89"))
            expect(page.locator("#figures-of")).to_be_empty()
            visit.fits()
            hears(page, "figures")
            page.screenshot(path=f"{shots}/figures-{width}-{locale}.png")


def the_figures_of_one_of_several_engines_say_so(browser, url, shots):
    for width, locale, said in ((1280, "en-GB", "figures of this process"), (400, "zh-CN", "本进程的指标")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(job(1))
            visit.between.gives("/figures$", figures(shared=True, waitP50=None, waitP99=None, samples=[]))
            page = visit.open()
            expect(page.locator("#figures-of")).to_contain_text(said)
            expect(page.locator("#figures-list b").last).to_have_text("–")
            visit.fits()


def a_service_without_figures_shows_none(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1))
        visit.between.gives("/figures$", {"errorMessage": "there is no such path", "errorCode": "GES.8006"}, status=404)
        with visit.page.expect_response(re.compile("/figures$")):
            page = visit.open()
        visit.settled()
        expect(page.locator("#figures")).to_be_hidden()
