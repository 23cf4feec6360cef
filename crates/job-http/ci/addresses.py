"""Every view has an address: Back, a reload and a link that is passed on show the same again."""

import re

from playwright.sync_api import expect

from visit import Visit, job, result


def pressed(page):
    return [chip.get_attribute("data-state") for chip in page.locator(".chip[aria-pressed=true]").all()]


def filtered(url):
    """Waits for a list that is asked for in this way."""
    return re.compile(".*/jobs/overview.*" + url)


def the_list_is_filtered_and_the_filter_cleared(browser, url, shots):
    for width, locale, none in ((1280, "en-GB", "No job matches"), (400, "zh-CN", "没有符合")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = visit.open()
            rows = page.locator("tbody tr")
            expect(rows.first).to_be_visible()
            page.locator(".chip[data-state=succeeded]").click()
            expect(rows).to_have_count(1)
            expect(rows.locator("td.work")).to_have_text("vertex_filter")
            assert "state=succeeded" in page.url, page.url
            page.fill("#filter-kind", "edge_filter")
            page.keyboard.press("Enter")
            expect(page.locator("#nothing")).to_contain_text(none)
            expect(rows).to_have_count(0)
            visit.fits()
            page.screenshot(path=f"{shots}/nothing-{width}-{locale}.png")
            page.locator("#nothing button").click()
            expect(rows.nth(1)).to_be_visible()
            expect(page.locator("#filter-q")).to_be_focused()
            expect(page.locator("#filter-kind")).to_have_value("")
            assert pressed(page) == [], pressed(page)


def every_field_of_the_filter_is_asked_for(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1))
        page = visit.open()
        expect(page.locator("tbody tr")).to_have_count(1)
        steps = [
            (lambda: page.locator(".chip[data-state=failed]").click(), "state=failed"),
            (lambda: page.locator(".chip[data-state=waiting]").click(), "state=waiting(,|%2C)failed"),
            (lambda: page.fill("#filter-owner", " ada & co ") or page.keyboard.press("Tab"), r"owner=ada\+%26\+co"),
            (lambda: page.fill("#filter-label", "夜间") or page.keyboard.press("Enter"), "label=%E5%A4%9C%E9%97%B4"),
        ]
        for act, asked in steps:
            with page.expect_request(filtered(asked)):
                act()
        with page.expect_request(filtered("limit")) as again:
            page.reload()
        for asked in ("owner=ada", "label=%E5", "failed"):
            assert asked in again.value.url, again.value.url
        assert sorted(pressed(page)) == ["failed", "waiting"], pressed(page)
        expect(page.locator("#filter-owner")).to_have_value("ada & co")
        with page.expect_request(filtered("owner=ada((?!label).)*$")):
            page.go_back()
        expect(page.locator("#filter-label")).to_have_value("")


def a_link_to_rows_shows_these_rows(browser, url, shots):
    with Visit(browser, url) as visit:
        page = visit.open()
        page.locator("button.show:not([aria-disabled=true])").first.click()
        expect(page.locator("#rows")).to_be_focused()
        page.fill("#row", "58829")
        page.keyboard.press("Enter")
        page.wait_for_url("**at=58829")
        assert "graph=load" in page.url, page.url
        link = page.url[len(visit.url):]
        page.reload()
        expect(page.locator("#rows .line").first).to_contain_text("vertex-00058829")
        page.go_back()
        expect(page.locator("tbody tr").first).to_be_visible()
        page.go_forward()
        expect(page.locator("#rows .line").first).to_contain_text("vertex-00058829")
    with Visit(browser, url, width=400, locale="zh-CN") as visit:
        page = visit.open(link)
        expect(page.locator("#rows .line").first).to_contain_text("vertex-00058829")
        expect(page.locator("#row")).to_have_value("58829")
        visit.fits()
        page.screenshot(path=f"{shots}/rows-400-zh-CN.png")
        page.locator("#back").click()
        expect(page.locator("tbody tr").first).to_be_visible()


def a_link_names_the_graph_and_the_job(browser, url, shots):
    one = job(1, "failed", why={"reason": "failed", "sentence": "it failed: the source is unknown"})
    with Visit(browser, url) as visit:
        visit.between.gives("/p/graphs$", {"graphs": ["one", "two words/&"]})
        visit.has(one)
        page = visit.open()
        page.select_option("#graph", "two words/&")
        page.wait_for_url("**graph=two+words%2F%26")
        with page.expect_request(re.compile("/two%20words%2F%26/jobs/overview")):
            page.reload()
        expect(page.locator("#graph")).to_have_value("two words/&")
        page.goto(f"{url}#/jobs/{one['jobId']}?graph=one")
        expect(page.locator("#facts")).to_contain_text("the source is unknown")
        expect(page.locator("#graph")).to_have_value("one")
        page.keyboard.press("Escape")
        page.wait_for_url("**#/jobs?graph=one")


def pages_of_the_list_have_addresses(browser, url, shots):
    jobs = [job(number) for number in range(120, 0, -1)]

    def page_of(route):
        before = re.search("before=([^&]*)", route.request.url)
        left = [one for one in jobs if not before or one["jobId"] < before[1]]
        answer = {"jobs": left[:50], **({"next": left[49]["jobId"]} if len(left) >= 50 else {})}
        route.fulfill(json=answer)

    with Visit(browser, url) as visit:
        visit.between.on("/jobs/overview", page_of)
        page = visit.open()
        first = page.locator("tbody tr").first
        expect(first).to_have_attribute("data-id", jobs[0]["jobId"])
        expect(page.locator("#newer")).to_have_attribute("aria-disabled", "true")
        page.locator("#older").press("Enter")
        expect(first).to_have_attribute("data-id", jobs[50]["jobId"])
        expect(page.locator("#older")).to_be_focused()
        page.locator("#older").press("Enter")
        expect(page.locator("tbody tr")).to_have_count(20)
        expect(page.locator("#older")).to_have_attribute("aria-disabled", "true")
        page.reload()
        expect(first).to_have_attribute("data-id", jobs[100]["jobId"])
        page.locator("#newer").press("Enter")
        expect(first).to_have_attribute("data-id", jobs[50]["jobId"])
        page.go_back()
        expect(first).to_have_attribute("data-id", jobs[100]["jobId"])


def an_address_that_names_nothing_says_so(browser, url, shots):
    for address, said in (("#/jobs/no%20id?graph=load", "can not find job"), ("#/jobs?state=bogus", "bogus")):
        with Visit(browser, url) as visit:
            page = visit.open(address)
            expect(page.locator("#trouble")).to_contain_text(said)


def all_graphs_are_listed_and_a_job_opens_in_its_own(browser, url, shots):
    for width, locale, name in ((1280, "en-GB", "all graphs"), (400, "zh-CN", "所有图")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            jobs = [job(2, "running", graph="two"), job(1, graph="one"), job(0, graph="not served")]
            visit.between.gives("/p/graphs$", {"graphs": ["one", "two"]})
            visit.has(jobs[0])
            visit.between.gives("/operator/jobs[?]", {"jobs": jobs})
            visit.between.gives("/operator/jobs/counts[?]", {"counts": {"failed": {"jobs": 7, "more": False}}})
            visit.between.gives("/status", result(["1"]))
            page = visit.open("#/jobs?graph=two&state=running,succeeded")
            expect(page.locator("tbody tr")).to_have_count(1)
            with page.expect_request(re.compile("/operator/jobs[?]limit=50$")):
                page.select_option("#graph", label=name)
            page.wait_for_url("**#/jobs?graph=*")
            expect(page.locator("tbody tr")).to_have_count(3)
            expect(page.locator("td.time").nth(1)).to_contain_text("one")
            assert page.locator("td.work a").last.get_attribute("href").endswith("/rows?graph=*&at=0")
            expect(page.locator(".chip[data-state=failed]")).to_contain_text("7")
            expect(page.locator("#new-job")).to_be_hidden()
            visit.fits()
            page.screenshot(path=f"{shots}/all-graphs-{width}.png")
            # It is cancelled by the operator's route, and opened in its own graph.
            visit.row(jobs[0]["jobId"]).locator("button.cancel").press("Enter")
            with page.expect_request(lambda asked: asked.method == "DELETE") as cancelled:
                page.locator("#ask-yes").press("Enter")
            assert cancelled.value.url.endswith(f"/operator/jobs/{jobs[0]['jobId']}"), cancelled.value.url
            visit.between.gives("/graphs/one/.*/explain", jobs[1])
            visit.row(jobs[1]["jobId"]).locator("button.show").press("Enter")
            page.wait_for_url("**/rows?graph=one&at=0")
            expect(page.locator("#rows")).to_be_focused()
            page.keyboard.press("Escape")
            page.wait_for_url("**#/jobs?graph=*")
            expect(page.locator("tbody tr")).to_have_count(3)
            assert page.evaluate("document.activeElement.dataset.id") == jobs[1]["jobId"]
