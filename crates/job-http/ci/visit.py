"""A browser on the page, and a service between them that can hang, fail and answer with what a check wants."""

import json
import os
import re
import time

from playwright.sync_api import expect

# A machine may be busy: nothing here measures it.
PATIENCE = int(os.environ.get("PATIENCE", "60000"))
expect.set_options(timeout=PATIENCE)


# The requests to the service; those for files of the page are not among them.
REQUESTS = re.compile("/(ges|operator)/|/(figures|health)$")


class Between:
    """Stands between the page and the service. The last rule that fits a request answers it; else the service does."""

    def __init__(self, context):
        self.rules, self.held, self.asked, self.routed = [], [], [], False
        self.context = context

    def answer(self, route):
        url = route.request.url
        self.asked.append(f"{route.request.method} {url}")
        for pattern, rule in reversed(self.rules):
            if re.search(pattern, url):
                return rule(route)
        return route.continue_()

    def on(self, pattern, rule):
        # Without a rule the browser asks the service itself, which is faster.
        if not self.routed:
            self.context.route(REQUESTS, self.answer)
            self.routed = True
        self.rules.append((pattern, rule))

    def gives(self, pattern, value, status=200):
        body = value if isinstance(value, str) else json.dumps(value)
        self.on(pattern, lambda route: route.fulfill(status=status, content_type="application/json", body=body))

    def hangs(self, pattern):
        self.on(pattern, self.held.append)

    def fails(self, pattern):
        self.on(pattern, lambda route: route.abort("connectionrefused"))

    def release(self, value):
        """Answers what was held, as late as it is. The page may have given it up."""
        held, self.held = self.held, []
        for route in held:
            try:
                route.fulfill(status=200, content_type="application/json", body=json.dumps(value))
            except Exception as error:
                print("a late answer met nobody:", str(error).splitlines()[0])

    def heals(self):
        self.rules.clear()


class Visit:
    def __init__(self, browser, url, width=1280, locale="en-GB", scheme="light"):
        self.context = browser.new_context(
            locale=locale, viewport={"width": width, "height": 900}, color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.context.set_default_timeout(PATIENCE)
        self.between = Between(self.context)
        self.page = self.context.new_page()
        self.url, self.width, self.errors = url, width, []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.line)

    def line(self, line):
        # A request that fails by intent is told by the browser as well.
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            self.errors.append(line.text)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.context.unroute_all(behavior="ignoreErrors")
        self.context.close()
        if kind is None:
            assert not self.errors, self.errors

    def open(self, address=""):
        self.page.goto(self.url + address)
        return self.page

    def has(self, *jobs):
        """The service has these jobs, in every graph."""
        newest = sorted(jobs, key=lambda one: one["jobId"], reverse=True)
        self.between.gives("/jobs/overview", {"jobs": newest})
        for one in jobs:
            self.between.gives(f"{one['jobId']}/explain", one)

    def row(self, job):
        return self.page.locator(f'tr[data-id="{job}"]')

    def settled(self):
        """Answers that were sent before now have come to the page: one that is sent later has."""
        for _ in range(2):
            self.page.evaluate("fetch('page/config.json', { cache: 'no-store' }).then((answer) => answer.text())")

    def rested(self):
        """The address has what the reader rests at: a timer of the page that begins now ends after that of the address."""
        self.page.evaluate("new Promise((done) => setTimeout(done, 301))")

    def fits(self):
        """Nothing of the page is wider than the screen."""
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.width, f"the page is {wide} wide on a screen of {self.width}"


def until(page, expression):
    """Waits until an expression is true. The page's policy lets no text be run inside of it, as `wait_for_function` does."""
    give_up = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < give_up, expression
        page.wait_for_timeout(50)


def job(number, state="succeeded", **fields):
    """A job as the overview has it."""
    return {
        "jobId": f"01a22222-0000-7000-8000-{number:012x}", "kind": "pagerank", "state": state, "attempt": 1, "rows": 3,
        "list": "", "submitted": 1795956640424, "started": 1795956640425, "finished": 1795956643725,
        "why": {"reason": state, "sentence": f"it {state}"}, **fields,
    }


def result(rows, name="pagerank", total=None, status="complete", **values):
    """The answer to a status query, as text; rows are texts, of `total` that there are."""
    head = "".join(f'"{key}":{value},' for key, value in values.items())
    sizes = f'"data_return_size":{len(rows)},"data_offset":0,"data_total_size":{total or len(rows)}'
    return f'{{"data":{{"outputs":{{{head}{sizes},"{name}":[{",".join(rows)}]}}}},"status":"{status}"}}'
