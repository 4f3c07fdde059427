from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsers import browser as browser

from reports import Run
from reports.run.run import Phase, merged

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ASSETS = Path(__file__).parents[4] / "reports" / "page" / "assets"


@pytest.fixture(scope="module")
def evaluate(browser: Browser) -> Iterator[Callable[[str, Any], Any]]:
    """Evaluate a JavaScript function, with the arithmetic of the page at hand."""
    tab = browser.new_page()
    names = (
        "traffic",
        "placement",
        "fusion",
        "scaling",
        "execution",
        "bill",
        "saving",
        "knobs",
        "settings",
        "documents",
    )
    script = "\n".join((ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in names)
    tab.set_content("<!DOCTYPE html>")
    tab.add_script_tag(content=script)
    yield tab.evaluate
    tab.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open the text of a page from disk; console messages and requests fail the test."""
    heard: list[str] = []
    contexts = []

    def show(text: str, link: str = "", waits: bool = True, **how: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(**({"viewport": {"width": 1400, "height": 900}} | how))
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: heard.append(f"error: {error}"))
        tab.on("request", lambda request: heard.append(request.url))
        tab.goto(path.as_uri() + link)
        if not waits or not how.get("java_script_enabled", True):
            return tab
        tab.wait_for_function("typeof page === 'object'")
        # The groups of the panel are folded at first; who changes something has opened its group.
        tab.evaluate("() => document.querySelectorAll('.group').forEach((x) => (x.open = true))")
        return tab

    yield show
    for context in contexts:
        context.close()
    local = (tmp_path / "report.html").as_uri()
    assert [line for line in heard if not line.startswith((local, "data:", "blob:"))] == []


@pytest.fixture
def request_run(make_run: Callable[..., Run]) -> Run:
    first, second = make_run("45nm", tokens=4), make_run("45nm", tokens=6)
    phases = (Phase("prefill", first.asa, first.ssa), Phase("decode", second.asa, second.ssa))
    sums = [merged(pair, "request") for pair in ((first.asa, second.asa), (first.ssa, second.ssa))]
    return replace(first, asa=sums[0], ssa=sums[1], request=phases)
