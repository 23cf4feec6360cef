"""Everything is done by keyboard, and the focus is never lost."""

from playwright.sync_api import expect

from visit import Visit, job, result

FOCUS = "document.activeElement.closest('#jobs tr')?.dataset.id"
JOBS = [job(3, "running"), job(2), job(1, "failed", why={"reason": "failed", "sentence": "it failed: so it is"})]
IDS = [one["jobId"] for one in JOBS]


def focused(page):
    return page.evaluate(FOCUS)


def opened(visit):
    visit.has(*JOBS)
    visit.between.gives("/status", result(["1", "2"]))
    page = visit.open()
    expect(page.locator("tbody tr")).to_have_count(3)
    return page


def the_list_is_one_tab_stop(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        inside = []
        page.locator("#filter-label").focus()
        for _ in range(3):
            page.keyboard.press("Tab")
            inside.append(focused(page))
        assert inside == [IDS[0], None, None], inside
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        assert focused(page) == IDS[0]


def arrows_and_letters_move_in_the_list(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        page.keyboard.press("j")
        steps = [("j", 1), ("ArrowDown", 2), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0), ("End", 2), ("Home", 0), ("PageDown", 2)]
        assert focused(page) == IDS[0]
        for key, place in steps:
            page.keyboard.press(key)
            assert focused(page) == IDS[place], key
        # Where the list was left, it is entered again.
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert focused(page) == IDS[2]
        for name in ("INPUT", "A", "copy", "show", "cancel", "cancel"):
            page.keyboard.press("ArrowRight")
            assert page.evaluate("document.activeElement.className || document.activeElement.tagName") == name
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.tagName") == "TR"


def enter_opens_a_job_and_escape_comes_back_to_its_row(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("#rows")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#job")).to_be_hidden()
        assert focused(page) == IDS[1]
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("#job-title")).to_be_focused()
        expect(page.locator("#facts")).to_contain_text("so it is")
        page.go_back()
        expect(page.locator("#job")).to_be_hidden()
        assert focused(page) == IDS[2]
        page.goto(f"{url}#/jobs/{IDS[1]}?graph=load")
        page.reload()
        expect(page.locator("#facts")).to_contain_text("succeeded")
        page.keyboard.press("Escape")
        expect(page.locator("tbody tr")).to_have_count(3)
        page.wait_for_function(f"{FOCUS} === '{IDS[1]}'")


def a_question_that_follows_another_at_once_is_answered(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        sent = []
        visit.between.on("/jobs/01a[^/]*03$", lambda route: sent.append(route.request.method) or route.fulfill(json={}))
        page.keyboard.press("j")
        # The event of the first one's end comes when the second is open.
        page.evaluate("""() => {
            const asks = () => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'c', bubbles: true }));
            asks();
            document.getElementById('ask-no').click();
            asks();
        }""")
        page.locator("#ask-yes").press("Enter")
        expect(page.locator("#message")).not_to_be_empty()
        assert sent == ["DELETE"] and focused(page) == IDS[0]
        # Escape answers no.
        page.keyboard.press("c")
        page.keyboard.press("Escape")
        page.keyboard.press("c")
        with page.expect_request(lambda request: request.method == "DELETE"):
            page.locator("#ask-yes").press("Enter")
        assert sent == ["DELETE", "DELETE"] and focused(page) == IDS[0]


def letters_act_on_the_row_and_ask_first(browser, url, shots):
    for width, locale, title in ((1280, "en-GB", "Cancel pagerank 00000003?"), (400, "zh-CN", "取消 pagerank 00000003？")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit)
            sent = []
            visit.between.on("/jobs/01a[^/]*03$", lambda route: sent.append(route.request.method) or route.fulfill(json={}))
            page.keyboard.press("j")
            page.keyboard.press("c")
            expect(page.locator("#ask-title")).to_have_text(title)
            expect(page.locator("#ask-no")).to_be_focused()
            page.screenshot(path=f"{shots}/cancel-{width}-{locale}.png")
            page.keyboard.press("Enter")
            expect(page.locator("#ask")).to_be_hidden()
            assert not sent and focused(page) == IDS[0]
            page.keyboard.press("c")
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).not_to_be_empty()
            assert sent == ["DELETE"] and focused(page) == IDS[0]
            # A job that has ended is not asked about.
            page.keyboard.press("j")
            page.keyboard.press("c")
            expect(page.locator("#message")).to_contain_text("等待" if locale == "zh-CN" else "Only a job that waits")
            expect(page.locator("#ask")).to_be_hidden()
            visit.between.gives("02$", JOBS[1] | {"request": {}})
            visit.between.gives("execute-algorithm", {"jobId": "another"})
            page.keyboard.press("r")
            expect(page.locator("#ask")).to_be_visible()
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).to_contain_text("another")
            assert focused(page) == IDS[1]


def keys_for_the_filter_and_for_help(browser, url, shots):
    for width, locale, first in ((1280, "en-GB", "move in the list"), (400, "zh-CN", "在列表中移动")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit)
            page.keyboard.press("j")
            page.keyboard.press("?")
            expect(page.locator("#help")).to_contain_text(first)
            visit.fits()
            page.screenshot(path=f"{shots}/help-{width}-{locale}.png")
            page.keyboard.press("Escape")
            assert focused(page) == IDS[0]
            page.keyboard.press("/")
            expect(page.locator("#filter-q")).to_be_focused()
            page.keyboard.type("c/?r")
            expect(page.locator("#filter-q")).to_have_value("c/?r")


def the_focus_stays_in_its_row_whatever_comes(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        page.keyboard.press("j")
        page.keyboard.press("j")
        visit.has(job(9, "waiting"), job(3, "succeeded"), JOBS[1])
        expect(page.locator("#fresh")).to_have_text("1 new job")
        expect(visit.row(IDS[0]).locator("td.state")).to_have_text("succeeded")
        assert focused(page) == IDS[1]
        expect(page.locator("#news")).to_contain_text("pagerank 00000003: succeeded.")
        expect(page.locator("#news")).to_have_attribute("aria-live", "polite")
        page.locator("#language").press("Enter")
        expect(page.locator("#language")).to_be_focused()
        expect(visit.row(IDS[0]).locator("td.state")).to_have_text("成功")


def each_control_has_a_name_of_its_own(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit)
        expect(page.get_by_role("button", name="Cancel pagerank 00000003", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Result of pagerank 00000002", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Copy the id of pagerank 00000001", exact=True)).to_be_visible()
        expect(page.get_by_role("grid", name="Jobs")).to_have_attribute("aria-rowcount", "4")
        expect(page.get_by_role("row", name="failed pagerank")).to_have_attribute("aria-rowindex", "4")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_role("grid", name="pagerank")).to_have_attribute("aria-rowcount", "3")
        expect(page.get_by_role("button", name=f"Run pagerank {IDS[1]} again")).to_be_visible()
        for view in ("", f"#/jobs/{IDS[1]}/rows?graph=load"):
            page = visit.open(view)
            expect(page.locator("#rows" if view else "tbody tr").first).to_be_visible()
            nameless = page.evaluate(NAMELESS)
            assert nameless == [], nameless


def pressed(page, selector):
    """The focus after Enter on this, which may open a dialog: back from it."""
    page.locator(selector).first.press("Enter")
    if page.locator("dialog[open]").count():
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    return page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")


def the_focus_stays_on_what_was_pressed(browser, url, shots):
    # The button itself, or the element that takes its place.
    in_list = {
        "#pause": "pause", "#keys": "keys", "#language": "language", "#new-title": "new-title", "#new-copy": "new-copy",
        ".chip[data-state=failed]": "chip", "#clear": "filter-q", "#newer": "newer", "#older": "older",
        "tr button.copy": "copy", "tr button.cancel": "cancel",
    }
    in_job = {
        "#job-cancel": "job-cancel", "#job-again": "job-again", "#job-copy": "job-copy", "#request summary": "SUMMARY",
        "#request-copy": "request-copy", "#rows-copy": "rows-copy", "#rows": "rows", "#pause": "pause", "#language": "language",
    }
    with Visit(browser, url) as visit:
        page = opened(visit)
        for selector, expected in in_list.items():
            assert pressed(page, selector) == expected, (selector, pressed(page, selector))
        page.goto(f"{url}#/jobs/{IDS[1]}?graph=load")
        expect(page.locator("#rows")).to_be_visible()
        for selector, expected in in_job.items():
            assert pressed(page, selector) == expected, (selector, pressed(page, selector))


# Controls that can be seen and have no text, label or title.
NAMELESS = """[...document.querySelectorAll('button, input, select, textarea, a, [tabindex="0"], dialog[open]')].filter((it) =>
    it.checkVisibility() && !(it.ariaLabel || it.textContent.trim() || it.labels?.length || it.getAttribute('aria-labelledby'))
).map((it) => it.outerHTML.slice(0, 80))"""
