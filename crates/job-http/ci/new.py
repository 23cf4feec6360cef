"""A new job: fields for what the service declares, errors beside them, JSON on demand, and no text is lost."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from readers import hears
from visit import Visit, job, result, until

KINDS = {"kinds": [
    {"kind": "vertex_filter"},
    {"kind": "pagerank", "description": "how often a random walk visits each vertex", "parameters": [
        {"name": "alpha", "type": "number", "description": "the probability of going on", "required": False, "default": 0.85,
         "minimum": 0, "maximum": 1, "exclusiveMinimum": True, "exclusiveMaximum": True},
        {"name": "max_iterations", "type": "integer", "required": False, "default": 1000, "minimum": 1, "maximum": 2000},
        {"name": "directed", "type": "boolean", "required": False, "default": True},
        {"name": "source", "type": "string", "required": True, "format": "vertex"},
        {"name": "mode", "type": "string", "required": False, "enum": ["OUT", "IN", "ALL"]},
        {"name": "labels", "type": "array", "items": "string", "required": False},
        {"name": "sorts", "type": "array", "items": "object", "required": False},
    ]},
]}
BOTH = ((1280, "en-GB"), (400, "zh-CN"))


def opened(visit, *jobs):
    visit.has(*jobs)
    visit.between.gives("/kinds$", KINDS)
    page = visit.open()
    page.locator("#new-title").press("Enter")
    expect(page.locator("#kind option")).to_have_count(2)
    return page


def field(page, name):
    return page.locator(f"#parameter-{name}")


def fields_are_what_the_service_declares(browser, url, shots):
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit, job(1))
            expect(page.locator("#body")).to_be_visible()
            expect(page.locator("#as-json")).to_be_disabled()
            page.select_option("#kind", "pagerank")
            expect(page.locator("#kind-about")).to_contain_text("random walk")
            expect(page.locator("#body")).to_be_hidden()
            expect(page.locator("#parameter-alpha-about")).to_contain_text("> 0, < 1")
            expect(page.locator("#parameter-alpha-about")).to_contain_text("0.85 by default" if width == 1280 else "默认 0.85")
            for name, text in (("alpha", "0.850"), ("max_iterations", "9"), ("source", "it's \"v1\""), ("labels", "a, b"), ("sorts", '[{"key": "id", "by": 1.0}]')):
                field(page, name).fill(text)
            field(page, "directed").select_option("false")
            visit.fits()
            hears(page, "new")
            page.screenshot(path=f"{shots}/new-{width}-{locale}.png")
            visit.between.gives("execute-algorithm", {"jobId": "stored-now"})
            with page.expect_request("**/load/action?action_id=execute-algorithm") as sent:
                page.locator("#new-submit").press("Enter")
            expected = '{"algorithmName":"pagerank","parameters":{"alpha": 0.850, "max_iterations": 9, "directed": false, "source": "it\'s \\"v1\\"", "labels": ["a","b"], "sorts": [{"key": "id", "by": 1.0}]}}'
            assert sent.value.post_data == expected, sent.value.post_data
            expect(page.locator("#message")).to_contain_text("stored-now")
            expect(field(page, "alpha")).to_have_value("0.850")


def errors_stand_beside_their_fields(browser, url, shots):
    wrongs = {
        "en-GB": ["This is needed.", "This is not a number.", "This is not a whole number.", "This is out of range: ≥ 1, ≤ 2000.", "This is out of range: > 0, < 1."],
        "zh-CN": ["必填。", "不是数字。", "不是整数。", "超出范围：≥ 1, ≤ 2000。", "超出范围：> 0, < 1。"],
    }
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit, job(1))
            page.select_option("#kind", "pagerank")
            page.locator("#new-submit").press("Enter")
            expect(page.locator("#parameter-source-wrong")).to_have_text(wrongs[locale][0])
            expect(field(page, "source")).to_be_focused()
            expect(field(page, "source")).to_have_attribute("aria-invalid", "true")
            field(page, "source").fill("v1")
            expect(page.locator("#parameter-source-wrong")).to_be_empty()
            steps = [("alpha", "x"), ("max_iterations", "1.5"), ("max_iterations", "0"), ("alpha", "1")]
            for (name, text), wrong in zip(steps, wrongs[locale][1:]):
                field(page, name).fill(text)
                page.locator("#new-submit").press("Enter")
                expect(page.locator(f"#parameter-{name}-wrong")).to_have_text(wrong)
                expect(field(page, name)).to_be_focused()
                if text != "0" or name != "max_iterations":
                    field(page, name).fill("")
            for name in ("alpha", "max_iterations"):
                field(page, name).fill("")
            visit.between.gives("execute-algorithm", {"errorMessage": "parameter source is \"v1\", and the graph has no such vertex", "errorCode": "GES.8402"}, status=400)
            page.locator("#new-submit").press("Enter")
            expect(page.locator("#parameter-source-wrong")).to_contain_text("no such vertex")
            expect(field(page, "source")).to_be_focused()
            expect(field(page, "source")).to_have_value("v1")
            visit.fits()
            hears(page, "error")
            page.screenshot(path=f"{shots}/new-wrong-{width}-{locale}.png")
            visit.between.gives("execute-algorithm", {"errorMessage": "the queue is full", "errorCode": "GES.8602"}, status=503)
            page.locator("#new-submit").press("Enter")
            expect(page.locator("#new-trouble")).to_contain_text("the queue is full")
            expect(field(page, "source")).to_have_value("v1")
            expect(page.locator("#new-submit")).to_be_focused()


def fields_turn_into_json_and_back(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit, job(1))
        page.select_option("#kind", "pagerank")
        field(page, "alpha").fill("0.850")
        field(page, "labels").fill("a, b")
        page.locator("#as-json").press("Space")
        expect(page.locator("#as-json")).to_be_focused()
        text = page.locator("#body").input_value()
        assert '"alpha": 0.850' in text and '"a"' in text, text
        page.locator("#body").fill(text.replace("0.850", "0.750"))
        page.locator("#as-json").press("Space")
        expect(field(page, "alpha")).to_have_value("0.750")
        expect(field(page, "labels")).to_have_value("a, b")
        page.locator("#as-json").press("Space")
        page.locator("#body").fill("{no json")
        page.locator("#as-json").press("Space")
        expect(page.locator("#new-trouble")).to_contain_text("do not have")
        expect(page.locator("#body")).to_have_value("{no json")
        expect(page.locator("#as-json")).to_be_checked()


def the_request_of_a_job_opens_as_a_new_one(browser, url, shots):
    one = job(1)
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            visit.has(one)
            visit.between.gives("/kinds$", KINDS)
            visit.between.gives("01$", one | {"request": {"alpha": 0.5, "source": "v9"}})
            visit.between.gives("/status", result(['{"v7":1}', '{"v8":2}']))
            page = visit.open(f"#/jobs/{one['jobId']}?graph=load")
            expect(page.locator("#rows")).to_be_visible()
            page.locator("#request summary").press("Enter")
            expect(page.locator("#request-text")).to_contain_text("v9")
            page.locator("#request-new").press("Enter")
            expect(page.locator("#kind")).to_be_focused()
            expect(page.locator("#kind")).to_have_value("pagerank")
            expect(field(page, "alpha")).to_have_value("0.5")
            expect(field(page, "source")).to_have_value("v9")


OFFERED = "[...document.querySelectorAll('#vertices option')].map((it) => it.value)"


def ids_of_vertices_complete_what_is_typed(browser, url, shots):
    for width, locale in BOTH:
        with Visit(browser, url, width=width, locale=locale) as visit:
            page = opened(visit, job(1))
            asked = []

            def ids(route):
                prefix = parse_qs(urlsplit(route.request.url).query, keep_blank_values=True)["prefix"][0]
                asked.append(prefix)
                route.fulfill(json={"vertices": [f"{prefix}{n}" for n in range(3)]})

            visit.between.on("/vertices/ids", ids)
            page.select_option("#kind", "pagerank")
            source = field(page, "source")
            assert source.get_attribute("list") == "vertices"
            source.focus()
            until(page, f"{OFFERED}.length === 3")
            # A pause in typing asks, not each letter.
            page.keyboard.type("it's &")
            until(page, f"{OFFERED}[0] === \"it's &0\"")
            assert asked[0] == "" and asked[-1] == "it's &" and len(asked) <= 4, asked
            visit.fits()
            hears(page, "completed")
            page.screenshot(path=f"{shots}/new-ids-{width}-{locale}.png")
            expect(source).to_be_focused()


def a_service_without_ids_completes_nothing(browser, url, shots):
    with Visit(browser, url) as visit:
        page = opened(visit, job(1))
        asked = []
        absent = {"errorMessage": "this service completes no ids of vertices", "errorCode": "GES.8006"}
        visit.between.on("/vertices/ids", lambda route: asked.append(route.request.url) or route.fulfill(status=404, json=absent))
        page.select_option("#kind", "pagerank")
        with page.expect_response("**/vertices/ids*"):
            field(page, "source").focus()
        page.keyboard.type("v1")
        page.wait_for_timeout(500)
        assert len(asked) == 1 and page.evaluate(OFFERED) == [], asked
        for quiet in ("#message", "#new-trouble", "#parameter-source-wrong"):
            expect(page.locator(quiet)).to_be_empty()


def a_service_that_declares_nothing_takes_json(browser, url, shots):
    with Visit(browser, url) as visit:
        visit.has(job(1))
        visit.between.gives("/kinds$", {"errorMessage": "there is no such path", "errorCode": "GES.8006"}, status=404)
        page = visit.open()
        page.locator("#new-title").press("Enter")
        page.select_option("#kind", "algorithm")
        expect(page.locator("#body")).to_have_value('{"algorithmName": "pagerank", "parameters": {}}')
        page.locator("#body").fill('{"algorithmName": "mine"}')
        visit.between.gives("execute-algorithm", {"errorMessage": "algorithm mine is unknown", "errorCode": "GES.8402"}, status=400)
        page.locator("#new-submit").press("Enter")
        expect(page.locator("#new-trouble")).to_contain_text("mine is unknown")
        expect(page.locator("#body")).to_have_value('{"algorithmName": "mine"}')
