"""The Content-Security-Policy of our pages: they work under it, what is put into them does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports import Run
from reports.compare.comparison import compare_runs
from reports.compare.page import comparison_page
from reports.page.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

INJECTED = """<img src="x" onerror="window.hurt = 1">
<a id="link" href="javascript:window.hurt = 1">a</a>
<script>window.hurt = 1</script><style>h1 { color: rgb(1, 2, 3) }</style>"""


@pytest.fixture(params=["report", "comparison"])
def text(request: pytest.FixtureRequest, run: Run) -> str:
    if request.param == "report":
        return page(run)
    compared = compare_runs({"a": run, "b": run})
    return comparison_page(compared, compared.plot())


@pytest.mark.parametrize("injected", ["", INJECTED], ids=["as it is", "injected"])
def test_only_what_is_of_the_page_runs(
    browser: Browser, tmp_path: Path, text: str, injected: str
) -> None:
    path, refused = tmp_path / "page.html", list[str]()
    path.write_text(text.replace("</main>", f"{injected}</main>"), encoding="utf-8")
    tab = browser.new_page()
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(path.as_uri())
    if injected:
        tab.locator("#link").click()
    tab.wait_for_timeout(100)
    assert tab.evaluate("window.hurt") is None
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(1, 2, 3)"
    # The image is not loaded, its handler, the link, the script and the style are not run.
    assert all("Content Security Policy" in line for line in refused)
    assert len(refused) == (5 if injected else 0)
    tab.close()
