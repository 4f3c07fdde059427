"""How long the page of gpt2-large takes to price everything in sight again after a slider moves.

OMP_NUM_THREADS=1 python benchmarks/page_reprice.py [--chromium /usr/bin/chromium]

From the event of the slider to the frame that shows the new numbers, at each part of the page; the
run is a request of 128 + 16 tokens, so that two phases are priced.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from neurt.measure.planning import run_plan
from neurt.requests.passes import PlanRequest
from reports.page.page import page

PLACES = ("summary-heading", "plot-layers", "plot-rate", "savings-heading", "layers-heading")

MOVE = """async (step) => {
  const slider = document.getElementById("rate-slider");
  slider.value = 1 + step / 50;
  const start = performance.now();
  slider.dispatchEvent(new Event("input"));
  await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
  return performance.now() - start;
}"""


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    flags.add_argument("--moves", type=int, default=21, help="moves of the slider at each place")
    asked = flags.parse_args()
    what = {"model": "gpt2-large", "hw": ("45nm",), "prompt": 128, "generate": 16, "out": Path()}
    run = run_plan(PlanRequest.model_validate(what))
    text = page(run)
    print(f"page of gpt2-large: {len(text.encode()) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        tab.goto(path.as_uri())
        tab.wait_for_function("typeof page === 'object'")
        for place in PLACES:
            tab.evaluate("(id) => document.getElementById(id).scrollIntoView()", place)
            tab.wait_for_timeout(1000)
            took = [tab.evaluate(MOVE, step) for step in range(asked.moves + 2)][2:]
            print(
                f"{place:>16}: median {statistics.median(took):5.1f} ms of {asked.moves} moves "
                f"(least {min(took):.1f}, most {max(took):.1f})"
            )
        browser.close()


if __name__ == "__main__":
    main()
