"""Drives the page in a headless Chromium, by keyboard, in both languages. Needs Python's playwright package.

    crates/job-http/ci/page.py http://127.0.0.1:8090/ shots

with the `load` example at that address; `cargo xtask ci` does it with 200000 rows. It leaves screenshots in the directory and fails at the first thing that is not as it should be.
"""

import os
import shutil
import sys
import time

from playwright.sync_api import expect, sync_playwright

# The machine may be busy, so the time-out is long.
expect.set_options(timeout=120_000)

url, shots = sys.argv[1], sys.argv[2]
os.makedirs(shots, exist_ok=True)


# The placeholders of rows that are requested and have not arrived.
PENDING = "[...document.querySelectorAll('#rows div:not([hidden])')].some(d => d.textContent.endsWith('…'))"


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


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=["--no-sandbox"]
    )
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(url)
    show = page.locator("button.show:not(:disabled)").first
    expect(show).to_have_text("Result")
    expect(page.locator("td.why").first).not_to_be_empty()

    # With the keyboard alone, go from the list to the result of a job, and back.
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") in ("show", "cancel"):
            break
    while page.evaluate("document.activeElement.className") != "show":
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#rows div").first).to_contain_text("vertex-00000000")
    total = int(page.evaluate("document.querySelector('#slider').max")) + 20
    print("rows:", total)
    page.screenshot(path=f"{shots}/english.png")

    print("page down, slowest of 200: %.0f ms" % (1000 * paced(page, ["PageDown"] * 200)))
    print("end and home, slowest of 10: %.0f ms" % (1000 * paced(page, ["End", "Home"] * 5)))
    page.keyboard.press("End")
    expect(page.locator("#rows div").last).to_contain_text(f"vertex-{total - 1:08}")
    page.fill("#row", str(total // 2))
    page.keyboard.press("Enter")
    expect(page.locator("#rows div").first).to_contain_text(f"vertex-{total // 2:08}")
    page.keyboard.press("Escape")
    expect(page.locator("#result")).to_be_hidden()
    assert page.evaluate("document.activeElement.className") == "show", "the focus is back in the list"

    # Choose the other language, which a reload keeps.
    page.click("#language")
    expect(page.locator("h1")).to_have_text("作业")
    page.reload()
    expect(page.locator("h1")).to_have_text("作业")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.locator("button.show:not(:disabled)").first.press("Enter")
    expect(page.locator("#range")).to_contain_text("共")
    page.screenshot(path=f"{shots}/chinese.png")
    page.keyboard.press("Escape")

    # Submit a job from the page, and cancel it by the keyboard.
    before = page.locator("tbody tr").count()
    page.locator("summary").press("Enter")
    page.select_option("#kind", "edges")
    page.locator("#new button").press("Enter")
    expect(page.locator("#message")).to_contain_text("已保存")
    # Wait until the list has the new job. Before that, the first job that can be cancelled is another one.
    expect(page.locator("tbody tr")).to_have_count(before + 1)
    stop = page.locator("button.cancel:not(:disabled)").first
    stop.focus()
    page.keyboard.press("Delete")
    expect(page.locator("tbody tr").first.locator("td.state")).to_have_text("已取消")
    page.screenshot(path=f"{shots}/cancelled.png")
    assert not errors, errors
    browser.close()
    print("the page works")
