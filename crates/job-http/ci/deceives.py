"""Nothing on the page may be of another job, another graph, another time, or other digits than were sent."""

import json
import re

from playwright.sync_api import expect

from visit import Visit, job, result

A, B = job(0xA), job(0xB)


def the_page_works_under_a_path_prefix(browser, url, shots):
    with Visit(browser, url) as visit:
        def forward(route):
            route.fulfill(response=route.fetch(url=route.request.url.replace("/x/y/", "/")))

        visit.context.route("**/x/y/**", forward)
        page = visit.open("x/y/")
        page.locator("button.show:not([aria-disabled=true])").first.click()
        expect(page.locator("#rows .line").first).to_contain_text("vertex-00000000")


def rows_of_one_job_never_stand_under_another(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(A, B)
        visit.between.hangs(f"{A['jobId']}/status")
        visit.between.gives(f"{B['jobId']}/status", result(['"row of b"']))
        page = visit.open()
        visit.row(A["jobId"]).locator("button.show").click()
        expect(page.locator("#job-title")).to_contain_text(A["jobId"])
        page.keyboard.press("Escape")
        visit.row(B["jobId"]).locator("button.show").click()
        expect(page.locator("#rows .line").first).to_contain_text("row of b")
        visit.between.release({"data": {"outputs": {"data_total_size": 1, "pagerank": ["row of a"]}}})
        visit.settled()
        expect(page.locator("#rows .line").first).to_contain_text("row of b")


def jobs_of_one_graph_never_stand_under_another(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.between.gives("/p/graphs$", {"graphs": ["one", "two"]})
        visit.between.hangs("/one/jobs/overview")
        visit.between.gives("/two/jobs/overview", {"jobs": [B]})
        page = visit.open()
        page.select_option("#graph", "two")
        expect(visit.row(B["jobId"])).to_be_visible()
        # The next lists of graph two hang, so that none of them corrects the list after a late answer.
        visit.between.hangs("/two/jobs/overview")
        visit.between.release({"jobs": [A]})
        visit.settled()
        expect(visit.row(A["jobId"])).to_have_count(0)


def the_result_of_another_graph_closes(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.between.gives("/p/graphs$", {"graphs": ["one", "two"]})
        visit.has(A)
        visit.between.gives("/status", result(['"row"']))
        page = visit.open()
        visit.row(A["jobId"]).locator("button.show").click()
        expect(page.locator("#rows")).to_be_visible()
        page.select_option("#graph", "two")
        expect(page.locator("#rows")).to_be_hidden()


def falls_silent_and_lives(visit, silence):
    visit.has(job(0xA, "waiting"), B)
    page = visit.open()
    cancel = visit.row(A["jobId"]).locator("button.cancel")
    expect(cancel).to_have_attribute("aria-disabled", "false")
    expect(page.locator("body")).not_to_have_attribute("data-pulse", "silent")
    silence("/jobs/overview")
    expect(page.locator("body")).to_have_attribute("data-pulse", "silent")
    expect(page.locator("#pulse")).to_contain_text("no answer for")
    expect(page.locator("#news")).to_contain_text("no answer for")
    expect(cancel).to_have_attribute("aria-disabled", "true")
    asked = len(visit.between.asked)
    cancel.click(force=True)
    assert not any(line.startswith("DELETE") for line in visit.between.asked[asked:]), "nothing is asked of a silent service"
    assert float(page.evaluate("getComputedStyle(document.querySelector('#jobs td')).opacity")) < 1
    visit.between.heals()
    visit.has(job(0xA, "waiting"), B)
    expect(page.locator("body")).to_have_attribute("data-pulse", "live")
    expect(page.locator("#pulse")).to_contain_text("live")
    expect(cancel).to_have_attribute("aria-disabled", "false")
    expect(page.locator("text=does not answer")).to_have_count(0)


def a_service_that_hangs_is_told_and_forgotten(browser, url, shots):
    with Visit(browser, url) as visit:
        falls_silent_and_lives(visit, visit.between.hangs)


def a_service_that_cannot_be_reached_is_told_and_forgotten(browser, url, shots):
    with Visit(browser, url) as visit:
        falls_silent_and_lives(visit, visit.between.fails)


def a_refusal_is_told_and_forgotten(browser, url, shots):
    with Visit(browser, url) as visit:
        refusal = {"errorMessage": "the store is full", "errorCode": "GES.9999"}
        visit.between.gives("/jobs/overview", refusal, status=503)
        page = visit.open()
        expect(page.locator("#trouble")).to_have_text("the store is full (GES.9999)")
        visit.between.heals()
        expect(page.locator("#trouble")).to_be_hidden()


def digits_are_shown_as_sent(browser, url, shots):
    rows = ["9007199254740993", "1.0", "1e400", "-0.0", '{"a\\"]":1.10}', '[1.0,{"b":[2.50]}]', '"text, with ] and \\\\"', "null"]
    with Visit(browser, url) as visit:
        visit.has(A)
        visit.between.gives("/status", result(rows, runtime="1.0", big="12345678901234567890"))
        page = visit.open()
        visit.row(A["jobId"]).locator("button.show").click()
        for place, row in enumerate(rows):
            line = page.locator("#rows .line").nth(place)
            expect(line).to_have_text(re.compile(f"^{place}{re.escape(row)}$"))
        expect(page.locator("#values")).to_contain_text("1.0")
        expect(page.locator("#values")).to_contain_text("12345678901234567890")


def ids_are_short_and_copied_whole(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(A, B)
        page = visit.open()
        ids = page.locator("td.id button")
        expect(ids.last).to_have_text("0000000a")
        expect(ids.last).to_have_attribute("title", A["jobId"])
        ids.last.click()
        expect(page.locator("#message")).to_contain_text(A["jobId"])
        assert page.evaluate("navigator.clipboard.readText()") == A["jobId"]


def states_and_buttons_stay_on_a_narrow_screen(browser, url, shots):
    jobs = [job(1, "waiting", kind="k" * 60), job(2, "cancelling"), job(3, "succeeded", rows=12345678901), job(4, "failed", why={"reason": "failed", "sentence": "it failed: " + "so " * 200})]
    for width in (1280, 400):
        for locale in ("en-GB", "zh-CN"):
            with Visit(browser, url, width=width, locale=locale) as visit:
                visit.has(*jobs)
                page = visit.open()
                expect(page.locator("tbody tr")).to_have_count(4)
                visit.fits()
                for cell in page.locator("td.state, td.actions button").all():
                    box = cell.bounding_box()
                    assert box["x"] >= 0 and box["x"] + box["width"] <= width, (cell.inner_text(), box)
                    assert box["height"] < 60, ("two lines", cell.inner_text(), box)
                    assert cell.evaluate("(it) => it.scrollWidth <= it.clientWidth + 1"), cell.inner_text()
                page.screenshot(path=f"{shots}/list-{width}-{locale}.png")


def a_list_that_is_not_updated_says_so(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(A)
        page = visit.open()
        expect(page.locator("tbody tr")).to_have_count(1)
        visit.between.gives("/jobs/overview", {"errorMessage": "the store is full", "errorCode": "GES.9999"}, status=503)
        expect(page.locator("#pulse")).to_contain_text("not updated, 4 s ago")
        assert float(page.evaluate("getComputedStyle(document.querySelector('#jobs td')).opacity")) < 1
        visit.has(A)
        expect(page.locator("#pulse")).to_contain_text("live")


def a_question_is_taken_back_with_its_job(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.between.gives("/p/graphs$", {"graphs": ["one", "two"]})
        visit.has(job(1, "running"))
        deletes = []
        visit.between.on("/jobs/01a[^/]*$", lambda route: deletes.append(route.request.url) or route.fulfill(json={}))
        page = visit.open()
        page.select_option("#graph", "two")
        page.locator("button.cancel").click()
        expect(page.locator("#ask")).to_be_visible()
        page.go_back()
        expect(page.locator("#graph")).to_have_value("one")
        expect(page.locator("#ask")).to_be_hidden()
        assert not deletes, deletes


def the_place_in_one_result_is_not_that_of_the_next(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(A, B)
        visit.between.gives("/status", result([str(row) for row in range(100)]))
        page = visit.open()
        visit.row(B["jobId"]).locator("button.show").click()
        expect(page.locator("#rows")).to_be_focused()
        visit.between.hangs(f"{A['jobId']}/status")
        page.evaluate(f"""
            document.querySelector('#rows').dispatchEvent(new KeyboardEvent('keydown', {{key: 'PageDown'}}));
            location.hash = '#/jobs/{A['jobId']}/rows?graph=load&at=0';
        """)
        expect(page.locator("#job-title")).to_contain_text(A["jobId"])
        visit.rested()
        assert page.url.endswith(f"{A['jobId']}/rows?graph=load&at=0"), page.url


def a_link_outlives_an_outage(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.between.hangs("/jobs/")
        page = visit.open(f"#/jobs/{A['jobId']}/rows?graph=load&at=50")
        expect(page.locator("body")).to_have_attribute("data-pulse", "silent")
        visit.between.heals()
        visit.has(A)
        visit.between.hangs("/status")
        with page.expect_request(re.compile("/status")):
            expect(page.locator("#facts")).to_contain_text("succeeded")
        visit.rested()
        visit.between.release(json.loads(result([str(row) for row in range(100)])))
        expect(page.locator("#rows .line").first).to_have_text("5050")
        assert page.url.endswith("at=50"), page.url


def a_lost_answer_makes_no_second_job(browser, url, shots):
    with Visit(browser, url) as visit:
        keys = []

        def submitted():
            with page.expect_request(re.compile("/vertices/action")) as asked:
                page.locator("#new-submit").click()
            keys.append(asked.value.headers["idempotency-key"])

        visit.between.on("/vertices/action", lambda route: route.abort("connectionreset"))
        page = visit.open()
        page.locator("#new-title").press("Enter")
        for _ in range(2):
            submitted()
            expect(page.locator("#message")).to_contain_text("does not answer")
        for stored in ("stored-now", "stored-then"):
            visit.between.gives("/vertices/action", {"jobId": stored})
            submitted()
            expect(page.locator("#message")).to_contain_text(stored)
        assert keys[0] == keys[1] == keys[2] != keys[3], keys


def a_project_without_graphs_says_so(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.between.gives("/p/graphs$", {"graphs": []})
        page = visit.open()
        expect(page.locator("#trouble")).to_have_text("The project has no graph.")
