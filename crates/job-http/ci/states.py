"""Every state that the page can be in says what it is, offers what can be done, and ends by itself."""

import re

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result

ONE = job(1)
IN_ENGLISH, IN_CHINESE = (1280, "en-GB"), (400, "zh-CN")


def seen(visit, shots, name):
    visit.fits()
    hears(visit.page, name)
    visit.page.screenshot(path=f"{shots}/state-{name}-{visit.width}.png")


def the_first_load_says_that_it_reads(browser, url, shots):
    for (width, locale), said in ((IN_ENGLISH, "Reading …"), (IN_CHINESE, "正在读取")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.between.hangs("/jobs/overview")
            page = visit.open()
            expect(page.locator("#reading")).to_contain_text(said)
            expect(page.locator("#pulse")).to_contain_text(said)
            seen(visit, shots, "first")
            visit.between.heals()
            expect(page.locator("tbody tr").first).to_be_visible()
            expect(page.locator("#reading")).to_be_hidden()


def an_empty_store_offers_a_sample(browser, url, shots):
    for (width, locale), said, stored in ((IN_ENGLISH, "No jobs yet", "is stored"), (IN_CHINESE, "还没有作业", "已保存")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has()
            page = visit.open()
            expect(page.locator("#none")).to_contain_text(said)
            expect(page.locator("#sample-text")).to_contain_text(f"curl -s '{url}ges/v1.0/p/graphs/load/action?action_id=execute-algorithm'")
            seen(visit, shots, "empty")
            page.locator("#sample-copy").press("Enter")
            expect(page.locator("#message")).to_contain_text("curl")
            assert "pagerank" in page.evaluate("navigator.clipboard.readText()")
            sent = []
            visit.between.on("execute-algorithm", lambda route: sent.append(route.request.post_data_json) or route.fulfill(json={"jobId": ONE["jobId"]}))
            page.locator("#sample").press("Enter")
            expect(page.locator("#message")).to_contain_text(stored)
            assert sent[0]["algorithmName"] == "pagerank", sent
            visit.has(ONE)
            expect(page.locator("#none")).to_be_hidden()


def an_unknown_graph_offers_those_that_are_there(browser, url, shots):
    for (width, locale), said in ((IN_ENGLISH, "Graphs of the project"), (IN_CHINESE, "该项目的图")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.between.gives("/p/graphs$", {"graphs": ["one", "two words"]})
            visit.has(ONE)
            visit.between.gives("/graphs/lost/", {"errorMessage": "graph lost is not found", "errorCode": "GES.8006"}, status=404)
            page = visit.open("#/jobs?graph=lost")
            expect(page.locator("#trouble")).to_contain_text("graph lost is not found")
            expect(page.locator("#elsewhere")).to_contain_text(said)
            seen(visit, shots, "graph")
            page.locator("#graphs a").nth(1).press("Enter")
            page.wait_for_url("**graph=two+words")
            expect(visit.row(ONE["jobId"])).to_be_visible()
            for gone in ("#trouble", "#elsewhere"):
                expect(page.locator(gone)).to_be_hidden()


def an_unknown_client_is_asked_for_a_token_there(browser, url, shots):
    for (width, locale), said in ((IN_ENGLISH, "Enter a token"), (IN_CHINESE, "请输入令牌")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            def guard(route):
                known = route.request.headers.get("x-auth-token") == "secret"
                route.continue_() if known else route.fulfill(status=401, json={"errorMessage": "who is it?", "errorCode": "GES.8007"})

            visit.between.on(".", guard)
            page = visit.open()
            expect(page.locator("#trouble")).to_contain_text(said)
            expect(page.locator("#who-token")).to_be_focused()
            seen(visit, shots, "token")
            page.keyboard.type("secret")
            page.keyboard.press("Enter")
            expect(page.locator("tbody tr").first).to_be_visible()
            expect(page.locator("#who")).to_be_hidden()
            expect(page.locator("#trouble")).to_be_hidden()


def what_a_client_may_not_do_is_hidden(browser, url, shots):
    refusal = {"errorMessage": "ada may not cancel jobs", "errorCode": "GES.8020"}
    for width, locale in (IN_ENGLISH, IN_CHINESE):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(job(1, "running"))
            visit.between.gives("01$", refusal, status=403)
            visit.between.gives("/action", refusal, status=403)
            page = visit.open()
            page.locator("button.cancel").press("Enter")
            page.locator("#ask-yes").press("Enter")
            expect(page.locator("#message")).to_contain_text("ada may not")
            expect(page.locator("button.cancel")).to_be_hidden()
            assert page.evaluate("document.activeElement.closest('tr')?.dataset.id") == ONE["jobId"]
            page.locator("#new-title").press("Enter")
            page.locator("#new-submit").press("Enter")
            expect(page.locator("#new-job")).to_be_hidden()
            assert page.evaluate("document.activeElement !== document.body")
            seen(visit, shots, "may-not")
            page.fill("#token", "another")
            page.keyboard.press("Enter")
            expect(page.locator("button.cancel")).to_be_visible()
            expect(page.locator("#new-job")).to_be_visible()


def who_may_not_list_sees_why_and_no_actions(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1, "running"))
        page = visit.open()
        expect(page.locator("button.cancel")).to_be_visible()
        visit.between.gives("/jobs/overview", {"errorMessage": "ada may not", "errorCode": "GES.8020"}, status=403)
        expect(page.locator("#trouble")).to_contain_text("ada may not")
        for hidden in ("button.cancel", "#new-job"):
            expect(page.locator(hidden)).to_be_hidden()
        visit.has(job(1, "running"))
        expect(page.locator("button.cancel")).to_be_visible()


def an_unhealthy_engine_says_its_sentence(browser, url, shots):
    sentence = "outcomes of jobs cannot be stored: the disk is full"
    for (width, locale), said in ((IN_ENGLISH, "The engine is not well"), (IN_CHINESE, "引擎状态异常")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(ONE)
            visit.between.gives("/health$", {"errorMessage": sentence, "errorCode": "GES.8602"}, status=503)
            page = visit.open()
            expect(page.locator("#unwell")).to_contain_text(said)
            expect(page.locator("#unwell")).to_contain_text(sentence)
            expect(visit.row(ONE["jobId"])).to_be_visible()
            seen(visit, shots, "unwell")
            visit.between.gives("/health$", {"status": "ok"})
            expect(page.locator("#unwell")).to_be_hidden()


def a_removed_job_says_so(browser, url, shots):
    gone = {"errorMessage": f"can not find job, jobId is {ONE['jobId']}", "errorCode": "GES.8301"}
    for (width, locale), state, why in ((IN_ENGLISH, "removed", "It was removed"), (IN_CHINESE, "已删除", "作业已被删除")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(ONE)
            visit.between.gives("/status", result(["1", "2"]))
            page = visit.open(f"#/jobs/{ONE['jobId']}?graph=load")
            expect(page.locator("#rows .line").first).to_have_text("01")
            visit.between.gives(f"{ONE['jobId']}/explain", gone, status=400)
            expect(page.locator("#facts .state")).to_have_text(state)
            expect(page.locator("#trouble")).to_contain_text(why)
            expect(page.locator("#job-again")).to_have_attribute("aria-disabled", "true")
            # The rows that were read are still there.
            expect(page.locator("#rows .line").first).to_have_text("01")
            seen(visit, shots, "removed")


def a_result_without_rows_says_so(browser, url, shots):
    for (width, locale), said in ((IN_ENGLISH, "The result has no rows"), (IN_CHINESE, "结果没有行")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(ONE | {"rows": 0})
            visit.between.gives("/status", result([], runtime="0.5"))
            page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=0")
            expect(page.locator("#no-rows")).to_contain_text(said)
            expect(page.locator("#rows")).to_be_hidden()
            expect(page.locator("#values")).to_contain_text("0.5")
            seen(visit, shots, "no-rows")


def damaged(visit, total, first, last, breaks=False):
    """A result of numbers, of which some are in a block that is damaged. `breaks`: the answer breaks off there."""
    def page_of(route):
        offset, limit = map(int, re.search(r"offset=(\d+)&limit=(\d+)", route.request.url).groups())
        end = min(total, offset + limit)
        if offset <= last and end > first:
            return route.abort("connectionreset") if breaks else route.fulfill(status=500, json={"errorMessage": "block 7 is damaged", "errorCode": "GES.8302"})
        route.fulfill(content_type="application/json", body=result([str(n) for n in range(offset, end)], total=total))

    visit.has(ONE | {"rows": total})
    visit.between.on("/status", page_of)


def damaged_rows_are_named_and_the_rest_is_read(browser, url, shots):
    for (width, locale), said in ((IN_ENGLISH, "⚠ Rows 1,207 to 1,390 cannot be read: block 7 is damaged (GES.8302)"), (IN_CHINESE, "⚠ 第 1,207 至 1,390 行无法读取")):
        with Visit(browser, url, width=width, locale=locale) as visit:
            damaged(visit, 2000, 1207, 1390)
            page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=1200")
            lines = page.locator("#rows .line")
            expect(lines.nth(6)).to_have_text("1,2061206")
            expect(lines.nth(7)).to_contain_text(said)
            expect(lines.nth(19)).to_contain_text(said)
            seen(visit, shots, "damaged")
            page.fill("#row", "1385")
            page.keyboard.press("Enter")
            expect(lines.nth(5)).to_contain_text(said)
            expect(lines.nth(6)).to_have_text("1,3911391")


def damaged_rows_that_break_an_answer_off_are_named(browser, url, shots):
    with Visit(browser, url) as visit:
        damaged(visit, 2000, 7, 9, breaks=True)
        page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=0")
        lines = page.locator("#rows .line")
        expect(lines.nth(6)).to_have_text("66")
        expect(lines.nth(9)).to_contain_text("Rows 7 to 9 cannot be read")
        expect(lines.nth(10)).to_have_text("1010")


def a_page_that_is_damaged_as_a_whole_is_asked_for_few_times(browser, url, shots):
    with Visit(browser, url) as visit:
        damaged(visit, 2000, 400, 1100)
        page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=600")
        expect(page.locator("#rows .line").first).to_contain_text("Rows 500 to 999 cannot be read")
        asked = [line for line in visit.between.asked if re.search("offset=([5-9]..|1000)&", line)]
        assert len(asked) < 8, asked


def rows_that_could_not_be_read_are_read_again(browser, url, shots):
    with Visit(browser, url) as visit:
        damaged(visit, 2000, 1207, 1390)
        page = visit.open(f"#/jobs/{ONE['jobId']}/rows?graph=load&at=1300")
        expect(page.locator("#rows .line").first).to_contain_text("cannot be read")
        visit.between.hangs("explain")
        expect(page.locator("body")).to_have_attribute("data-pulse", "silent")
        damaged(visit, 2000, 9999, 9999)
        expect(page.locator("#rows .line").first).to_have_text("1,3001300")
