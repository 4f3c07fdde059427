from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from reports import Run
from reports.compare.comparison import compare_runs
from reports.compare.page import comparison_page

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def page(make_run: Callable[..., Run]) -> str:
    run = make_run("45nm")
    found = compare_runs({EVIL: run, "b": replace(run, ssa=replace(run.ssa, model=EVIL))})
    return comparison_page(found, found.plot())


def test_the_page_needs_no_network(page: str) -> None:
    assert page.count("<script") == 2  # the theme, and the row that others are held against
    # Names of XML namespaces and of the licence in the picture are no requests.
    assert not re.search(r'(?:src|href)="(?!#|data:,)', page.replace("xlink:href", "xlink"))
    assert "url(http" not in page
    assert "@import" not in page


def test_the_page_has_every_cell_of_the_table_once(page: str) -> None:
    class Cells(HTMLParser):
        count = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.count += tag in ("td", "th")

    cells = Cells()
    cells.feed(page)
    # run, model; five savings, two energies at both bounds; heading and two rows. Above it
    # run, and energy and saving at both bounds beside their differences.
    assert cells.count == 3 * (2 + 5 + 4) + 3 * (1 + 2 * 4)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_picture_is_in_the_page_once(page: str) -> None:
    assert page.count("<svg") == page.count("</svg>") == 1
    assert "<?xml" not in page
