"""Walks the page in a headless Chromium. Needs Python's playwright package.

    crates/job-http/ci/page.py http://127.0.0.1:8090/ shots [CHECK ...]

with the `load` example at that address; `cargo xtask ci` does it with 200000 rows. It leaves screenshots in the
directory and fails at the first thing that is not as it should be. With names, only those checks are made.
"""

import inspect
import os
import shutil
import subprocess
import sys
import time
import traceback

from playwright.sync_api import expect, sync_playwright

import addresses
import deceives
import figures
import follow
import keyboard
import live
import new
import rows
import states
import view
import walk
from keyboard import FOCUS
from visit import Visit

# The arguments of each check.
PARAMETERS = ["browser", "url", "shots"]
# Rows that are asked for and not there yet.
PENDING = "[...document.querySelectorAll('#rows .line:not([hidden])')].some(d => d.textContent.endsWith('…'))"


def paced(page, keys):
    """Presses keys; says how long the slowest of them took until its rows were there."""
    slowest = 0.0
    for key in keys:
        start = time.perf_counter()
        page.keyboard.press(key)
        while page.evaluate(PENDING):
            time.sleep(0.005)
        slowest = max(slowest, time.perf_counter() - start)
    return slowest


def a_large_result_is_read_by_keyboard(browser, url, shots):
    with Visit(browser, url, width=1200) as visit:
        page = visit.open()
        show = page.locator("button.show:not([aria-disabled=true])").first
        expect(show).to_have_text("Result")
        page.keyboard.press("j")
        job = show.evaluate("(it) => it.closest('tr').dataset.id")
        while page.evaluate(FOCUS) != job:
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#rows .line").first).to_contain_text("vertex-00000000")
        total = int(page.evaluate("document.querySelector('#slider').max")) + 20
        print("rows:", total)
        page.screenshot(path=f"{shots}/english.png")
        print("page down, slowest of 200: %.0f ms" % (1000 * paced(page, ["PageDown"] * 200)))
        print("end and home, slowest of 10: %.0f ms" % (1000 * paced(page, ["End", "Home"] * 5)))
        page.keyboard.press("End")
        expect(page.locator("#rows .line").last).to_contain_text(f"vertex-{total - 1:08}")
        page.fill("#row", str(total // 2))
        page.keyboard.press("Enter")
        expect(page.locator("#rows .line").first).to_contain_text(f"vertex-{total // 2:08}")
        page.keyboard.press("Escape")
        expect(page.locator("#job")).to_be_hidden()
        assert page.evaluate(FOCUS) == job, "the focus is back in the list"


def the_language_is_kept_over_a_reload(browser, url, shots):
    with Visit(browser, url) as visit:
        page = visit.open()
        page.click("#language")
        expect(page.locator("h1")).to_have_text("作业")
        page.reload()
        expect(page.locator("h1")).to_have_text("作业")
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        page.locator("button.show:not([aria-disabled=true])").first.press("Enter")
        expect(page.locator("#range")).to_contain_text("共")
        page.screenshot(path=f"{shots}/chinese.png")


def a_new_job_is_submitted_and_cancelled(browser, url, shots):
    with Visit(browser, url) as visit:
        # The engine has no handler for the work, so it waits; such work is not among the kinds that it declares.
        visit.between.fails("/kinds$")
        page = visit.open()
        expect(page.locator("button.show:not([aria-disabled=true])").first).to_be_visible()
        before = page.locator("tbody tr").count()
        page.locator("#new-title").press("Enter")
        page.select_option("#kind", "edge_filter")
        page.locator("#new-submit").press("Enter")
        expect(page.locator("#message")).to_contain_text("is stored")
        # Before the list has it, the first job that can be cancelled is another one.
        expect(page.locator("tbody tr")).to_have_count(before + 1)
        page.locator("button.cancel:not([aria-disabled=true])").first.press("Enter")
        page.locator("#ask-yes").press("Enter")
        expect(page.locator("tbody tr").first.locator("td.state")).to_have_text("cancelled")
        page.screenshot(path=f"{shots}/cancelled.png")


def checks():
    named = [a_large_result_is_read_by_keyboard, the_language_is_kept_over_a_reload, a_new_job_is_submitted_and_cancelled]
    for module in [deceives, addresses, figures, follow, live, keyboard, new, rows, states, view, walk]:
        named += [value for value in vars(module).values() if inspect.isfunction(value) and list(inspect.signature(value).parameters) == PARAMETERS]
    return named


def halves(url, shots):
    """All checks, in two processes: most of their time is waiting."""
    names = [check.__name__ for check in checks()]
    running = [subprocess.Popen([sys.executable, __file__, url, shots, *names[part::2]]) for part in range(2)]
    if any([half.wait() for half in running]):
        sys.exit("not as it should be")
    print("the page works")


def main(url, shots, *wanted):
    os.makedirs(shots, exist_ok=True)
    if not wanted:
        return halves(url, shots)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for check in [check for check in checks() if check.__name__ in wanted]:
            start = time.perf_counter()
            try:
                check(browser, url, shots)
                print("ok  %4.1f s  %s" % (time.perf_counter() - start, check.__name__), flush=True)
            except Exception:
                failed.append(check.__name__)
                print("BAD %4.1f s  %s" % (time.perf_counter() - start, check.__name__), flush=True)
                traceback.print_exc()
        browser.close()
    if failed:
        sys.exit("not as it should be: " + ", ".join(failed))


main(*sys.argv[1:])
