"""The pages from disk in Firefox: they open without an error, and price again as Python does."""

from __future__ import annotations

from pathlib import Path

import pytest
from firefox import FIREFOX, running

from energy import estimate, saving
from hwmodels import load_profile
from reports import Run
from reports.compare.comparison import compare_runs
from reports.compare.page import comparison_page
from reports.page.page import page

CHANGE = """
const chosen = document.getElementById("precision");
chosen.value = "45nm-int8";
chosen.dispatchEvent(new Event("change"));
return document.querySelector(".card .big").innerText;
"""
DRAWN = """
const [done] = arguments;
const plot = document.getElementById("plot-layers");
plot.scrollIntoView();
const look = () => plot.querySelector(".bars path") ? done(true) : setTimeout(look, 50);
look();
"""
AGAINST = """
const chosen = document.getElementById("against");
chosen.selectedIndex = 3;
chosen.dispatchEvent(new Event("change"));
return [...document.querySelectorAll("[data-against]")].map((x) => x.innerText);
"""


@pytest.mark.skipif(FIREFOX is None, reason="needs Firefox: apt-get install firefox-esr")
def test_the_pages_work_from_disk(run: Run, tmp_path: Path) -> None:
    report, compared = tmp_path / "report.html", tmp_path / "compare.html"
    report.write_text(page(run), encoding="utf-8")
    comparison = compare_runs({"a": run, "b": run})
    compared.write_text(comparison_page(comparison, comparison.plot()), encoding="utf-8")
    (tmp_path / "profile").mkdir()
    with running(tmp_path / "profile") as firefox:
        firefox.open(report)
        sides = [estimate(x, load_profile("45nm-int8")) for x in (run.asa, run.ssa)]
        share = saving(*sides, "fused").saving
        assert share is not None
        assert share > 0
        assert firefox.evaluate(CHANGE) == f"saves {100 * share:.1f}\xa0%"
        answer = firefox.evaluate("return document.getElementById('summary-heading').innerText")
        assert answer.startswith("The spiking model ")
        assert firefox.awaited(DRAWN)
        assert firefox.evaluate("return document.documentElement.scrollWidth <= innerWidth")
        firefox.open(compared)
        # Rows are a and b, each on 45nm and loihi: the last has no price, so none has a distance.
        assert set(firefox.evaluate(AGAINST)) == {"reference", "-"}
