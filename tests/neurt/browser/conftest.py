from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browsers import browser as browser

from neurt.browser.closed_form import script

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def evaluate(browser: Browser) -> Iterator[Callable[[str, Any], Any]]:
    """Evaluate a JavaScript function, with the closed form at hand."""
    tab = browser.new_page()
    tab.set_content("<!DOCTYPE html>")
    tab.add_script_tag(content=script())
    yield tab.evaluate
    tab.close()
