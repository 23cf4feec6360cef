"""axe-core on a view: names, roles, contrast and the rest that it knows of what readers of screens need."""

import importlib.util
import pathlib

# The package around it asserts nothing more.
AXE = pathlib.Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js").read_text()
RUN = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.map((found) => [
    found.id, found.nodes.slice(0, 5).map((node) => `${node.html.slice(0, 160)} ${node.any.concat(node.all, node.none).map((it) => it.message).join('; ')}`)])"""


def hears(page, view):
    """No rule of axe-core is broken in this view."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate(RUN)
    assert found == [], (view, found)
