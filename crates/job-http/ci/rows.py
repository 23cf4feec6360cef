"""The result of a job: rows as a table, a row as JSON, values as cards, a path as a chain, and a plot of a column."""

import json
import re

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result

ONE = job(1)
BOTH = ((1280, "en-GB"), (400, "zh-CN"))


def opened(visit, body, at=0):
    visit.has(ONE)
    visit.between.gives("/status", body)
    page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at={at}")
    expect(page.locator("#rows")).to_be_focused()
    return page


def cells(page, line):
    return page.locator("#rows .line").nth(line).locator("span").all_inner_texts()


def rows_are_a_table_by_their_shape(browser, url, shots):
    plain = ["1.0", "9007199254740993", "null", '"text, with \\" and \\n a break"', "true"]
    pairs = ['{"The Long Corridor":0.0170}', '{"A Cat":1.5e-7}']
    objects = [
        '{"id":"v1","label":"user","properties":{"Age":["18-24"],"Tags":["a","b"],"Score":[1.10]}}',
        '{"id":"v2","label":"user","properties":{"Age":["25-34"],"label":"inner","Score":[20]}}',
    ]
    table = [
        (plain, ["list"], [["0", "1.0"], ["1", "9007199254740993"], ["2", "null"], ["3", 'text, with " and   a break'], ["4", "true"]]),
        (pairs, ["id", "list"], [["0", "The Long Corridor", "0.0170"], ["1", "A Cat", "1.5e-7"]]),
        (objects, ["id", "label", "Age", "Tags", "Score", "properties.label"],
         [["0", "v1", "user", "18-24", '["a","b"]', "1.10", ""], ["1", "v2", "user", "25-34", "", "20", "inner"]]),
        (['{"id":1}', '{"id":2}'], ["id"], [["0", "1"], ["1", "2"]]),
        (["1", '{"a":"b"}', '["x"]'], ["list"], [["0", "1"], ["1", '{"a":"b"}'], ["2", '["x"]']]),
    ]
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            for number, (rows, columns, lines) in enumerate(table, 1):
                visit.has(job(number))
                visit.between.gives("/status", result(rows, name="list"))
                page = visit.open(f"#/jobs/{job(number)['jobId']}/rows?graph=load&at=0")
                expect(page.locator("#rows .head")).to_have_text("".join(["Row" if locale == "en-GB" else "行", *columns]))
                expect(page.locator("#rows .line:not([hidden])")).to_have_count(len(rows))
                assert [cells(page, line) for line in range(len(rows))] == lines, [cells(page, line) for line in range(len(rows))]
                visit.fits()


def a_row_that_is_not_like_the_others_is_shown_raw(browser, url, shots):
    rows = ['{"Zoe":1}', '{"Ann":2}'] + ['{"Bo":3}'] * 498
    later = ['{"a":1,"b":2}', "7"]
    with Visit(browser, url) as visit:
        visit.has(ONE)
        body = {"0": rows, "500": later}

        def page_of(route):
            offset = re.search(r"offset=(\d+)", route.request.url)[1]
            route.fulfill(content_type="application/json", body=result(body[offset], total=502))

        visit.between.on("/status", page_of)
        page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=0")
        expect(page.locator("#rows")).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator("#rows .line").nth(18)).to_have_text('500{"a":1,"b":2}')
        expect(page.locator("#rows .line").nth(19)).to_have_text("5017")
        expect(page.locator("#rows .line").nth(17)).to_have_text("499Bo3")


def a_row_is_opened_as_json(browser, url, shots):
    rows = [f'{{"id":"v{n}","properties":{{"Age":["18-24"],"seed":[9007199254740993.0]}}}}' for n in range(60)]
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit, result(rows))
            for _ in range(25):
                page.keyboard.press("j")
            active = page.locator("#rows").get_attribute("aria-activedescendant")
            expect(page.locator(f"#{active}")).to_have_attribute("aria-rowindex", "27")
            expect(page.locator(f"#{active}")).to_contain_text("v25")
            page.keyboard.press("Enter")
            expect(page.locator("#one-text")).to_contain_text('"id": "v25"')
            expect(page.locator("#one-text")).to_contain_text("9007199254740993.0")
            expect(page.locator("#one-text")).to_be_focused()
            visit.fits()
            hears(page, "rows")
            page.screenshot(path=f"{shots}/row-{width}-{locale}.png")
            page.keyboard.press("ArrowRight")
            expect(page.locator("#one-text")).to_contain_text('"id": "v26"')
            page.locator("#one-before").click()
            expect(page.locator("#one-text")).to_contain_text('"id": "v25"')
            page.locator("#one-copy").click()
            expect(page.locator("#message")).to_contain_text("v25")
            assert page.evaluate("navigator.clipboard.readText()") == rows[25]
            page.keyboard.press("Escape")
            expect(page.locator("#one")).to_be_hidden()
            expect(page.locator("#rows")).to_be_focused()
            expect(page.locator("#job")).to_be_visible()
            top = int(page.locator("#rows .line").first.get_attribute("aria-rowindex")) - 2
            page.locator("#rows .line").nth(3).click()
            expect(page.locator("#one-title")).to_contain_text(str(top + 3))
            page.locator("#one-close").click()
            expect(page.locator("#rows")).to_be_focused()


def rows_move_by_wheel_finger_and_slider(browser, url, shots):
    rows = [str(n) for n in range(400)]
    with Visit(browser, url, width=400) as visit:
        page = opened(visit, result(rows))
        first = page.locator("#rows .line").first
        page.locator("#rows").hover()
        page.mouse.wheel(0, 240)
        expect(first).to_have_text("1010")
        page.evaluate(FINGER, [-96])
        expect(first).to_have_text("1414")
        page.locator("#slider").fill("100")
        expect(first).to_have_text("100100")
        page.locator("#rows").press("Home")
        expect(first).to_have_text("00")
        # At the end of the rows a finger moves the page itself.
        page.set_viewport_size({"width": 400, "height": 300})
        page.evaluate("scrollTo(0, 400)")
        page.evaluate(FINGER, [96])
        page.wait_for_function("scrollY === 304")


FINGER = """([by]) => {
    const box = document.getElementById('rows');
    const touch = (type, y) => box.dispatchEvent(new TouchEvent(type, { bubbles: true, touches: [new Touch({ identifier: 1, target: box, clientX: 50, clientY: y })] }));
    touch('touchstart', 300); touch('touchmove', 300 + by / 2); touch('touchmove', 300 + by); touch('touchend', 300 + by);
}"""


def values_are_cards_and_a_path_is_a_chain(browser, url, shots):
    long = json.dumps([{"community": number, "size": 1.5} for number in range(40)])
    path = json.dumps([f"vertex {n}" for n in range(1, 8)])
    body = f'{{"data":{{"outputs":{{"path":{path},"source":"a","runtime":0.10,"communities":{long}}}}},"status":"complete"}}'
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(ONE)
            visit.between.gives("/status", body)
            page = visit.open(f"#/jobs/{ONE['jobId']}?graph=load")
            expect(page.locator(".chain li")).to_have_count(7)
            expect(page.locator(".chain li").nth(6)).to_have_text("vertex 7")
            expect(page.locator("#values")).to_contain_text("0.10")
            expect(page.locator("#browser")).to_be_hidden()
            page.locator("#values summary").press("Enter")
            expect(page.locator("#values pre")).to_contain_text('"community": 39')
            visit.fits()
            hears(page, "rows")
            page.screenshot(path=f"{shots}/values-{width}-{locale}.png")
            page.locator("#values button").click()
            expect(page.locator("#message")).to_contain_text("community")
            assert page.evaluate("navigator.clipboard.readText()") == long


def a_long_chain_shows_its_ends(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(ONE)
        visit.between.gives("/status", {"data": {"outputs": {"path": list(range(1000))}}, "status": "complete"})
        page = visit.open(f"#/jobs/{ONE['jobId']}?graph=load")
        expect(page.locator(".chain li")).to_have_count(101)
        expect(page.locator(".chain .left")).to_have_text("900 more")
        expect(page.locator(".chain li").last).to_have_text("999")


def a_column_of_numbers_is_plotted_from_small_pages(browser, url, shots):
    total = 1_000_000
    asked = []

    def page_of(route):
        offset, limit = map(int, re.search(r"offset=(\d+)&limit=(\d+)", route.request.url).groups())
        asked.append((offset, limit))
        rows = [f'{{"v{n}":{(total - n) / 1000:.3f}}}' for n in range(offset, min(total, offset + limit))]
        route.fulfill(content_type="application/json", body=result(rows, total=total))

    for width, locale, said in ((1280, "en-GB", "From 10,000 of 1,000,000 rows: 200 small pages, evenly spaced."), (400, "zh-CN", "取自 1,000,000 行中的 10,000 行")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(ONE)
            visit.between.on("/status", page_of)
            page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=0")
            expect(page.locator("#rows")).to_be_focused()
            expect(page.locator("#plot")).to_be_hidden()
            asked.clear()
            page.locator("#plot-column").focus()
            page.select_option("#plot-column", "pagerank")
            expect(page.locator("#plot-words")).to_contain_text(said)
            small = [one for one in asked if one[1] < 500]
            assert len(small) == 200 and {limit for _, limit in small} == {50}, small
            steps = sorted(offset for offset, _ in small)
            gaps = {b - a for a, b in zip(steps, steps[1:])}
            assert steps[0] == 0 and steps[-1] == total - 50 and max(gaps) - min(gaps) <= 1, gaps
            expect(page.locator("#plot-bars rect")).to_have_count(40)
            expect(page.locator("#plot-least")).to_have_text("0.001")
            expect(page.locator("#plot-most")).to_have_text("1,000")
            expect(page.locator("#plot-column")).to_be_focused()
            visit.fits()
            hears(page, "rows")
            page.screenshot(path=f"{shots}/plot-{width}-{locale}.png")
            page.select_option("#plot-column", "")
            expect(page.locator("#plot")).to_be_hidden()


def a_column_of_few_rows_is_plotted_as_a_whole(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit, result([f'{{"v{n}":{n % 7}}}' for n in range(160)]))
        with page.expect_request(re.compile("status[?]offset=0&limit=1000")):
            page.select_option("#plot-column", "pagerank")
        expect(page.locator("#plot-words")).to_have_text("Least 0, median 3, greatest 6. From all 160 rows.")


def rows_come_while_the_job_runs(browser, url, shots):
    def so_far(total):
        return result([str(n) for n in range(total)], status="running")

    running = {name: value for name, value in job(1, "running").items() if name != "finished"}
    for width, locale, said in ((1280, "en-GB", "The rows so far"), (400, "zh-CN", "目前已有的行")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(running | {"rows": 30})
            visit.between.gives("/operator/jobs/[^/]*/rows", so_far(30))
            page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=0")
            expect(page.locator("#so-far")).to_contain_text(said)
            expect(page.locator("#range")).to_contain_text("30")
            page.keyboard.press("End")
            expect(page.locator("#rows .line").last).to_have_text("2929")
            visit.fits()
            hears(page, "rows")
            page.screenshot(path=f"{shots}/so-far-{width}-{locale}.png")
            visit.between.gives("/operator/jobs/[^/]*/rows", so_far(45))
            visit.has(running | {"rows": 45})
            expect(page.locator("#range")).to_contain_text("45")
            page.keyboard.press("End")
            expect(page.locator("#rows .line").last).to_have_text("4444")
            visit.between.gives("/status", result([str(n) for n in range(50)]))
            visit.has(ONE | {"rows": 50})
            expect(page.locator("#so-far")).to_be_hidden()
            expect(page.locator("#range")).to_contain_text("50")
            # The reader stays at the same rows.
            expect(page.locator("#rows .line").last).to_have_text("4444")
            expect(page.locator("#rows")).to_be_focused()


def who_may_not_see_the_rows_so_far_sees_no_trouble(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1, "running", rows=30))
        visit.between.gives("/operator/", {"errorMessage": "no", "errorCode": "GES.8020"}, status=403)
        page = visit.open(f"#/jobs/{ONE['jobId']}?graph=load")
        with page.expect_request(re.compile("/explain")):
            expect(page.locator("#facts")).to_contain_text("running")
        expect(page.locator("#result")).to_be_hidden()
        expect(page.locator("#result-trouble")).to_be_hidden()


def a_whole_result_is_downloaded(browser, url, shots):
    asked = []

    def rows(route):
        asked.append((route.request.url.split("?")[1], route.request.headers.get("x-auth-token")))
        route.fulfill(body="id,pagerank\nv,1\n", content_type="text/csv", headers={"content-disposition": 'attachment; filename="job.csv"'})

    for width, locale, name in ((1280, "en-GB", "Download all rows as CSV"), (400, "zh-CN", "下载全部行（CSV）")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit, result(['{"v":1}']))
            link = page.get_by_role("link", name=name)
            assert link.get_attribute("href").endswith(f"/graphs/load/jobs/{ONE['jobId']}/rows?format=csv")
            visit.between.on("/rows[?]format", rows)
            page.fill("#token", "secret")
            with page.expect_download() as came:
                link.click()
            assert came.value.suggested_filename == f"{ONE['jobId']}.csv", came.value.suggested_filename
            assert open(came.value.path()).read() == "id,pagerank\nv,1\n"
            assert asked.pop() == ("format=csv", "secret")
            visit.between.gives("/rows[?]format", {"errorMessage": "the rows are gone", "errorCode": "GES.8302"}, status=500)
            page.locator("#downloads a").last.click()
            expect(page.locator("#message")).to_contain_text("the rows are gone")
