"""CPU time that the page of configurations takes to answer a change of what is asked.

python benchmarks/config_page.py [--chromium /usr/bin/chromium] [--changes 9]

Of the main thread of the page, from the event of a control to the drawn frame: counting, pricing at
both bounds, tables, layout and paint. Of each model a change of the passes (one token more, which
counts again), of the machine (a width, which prices again), and of the spikes per slot where the
model has a spiking side; all for a prefill and for a whole request of 512 + 128 tokens.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from neurt.browser.closed_form import script
from neurt.browser.models import models
from reports.config_page.page import config_page

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

MODELS = (
    *("gpt2-small", "SmolLM2-135M", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-70B"),
    *("mistralai/Mixtral-8x7B-v0.1", "deepseek-ai/DeepSeek-V3"),
)
LENGTH = {"prefill": "seq_len", "request": "prompt"}

CHANGE = """async ([id, value]) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input"));
  await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
}"""
ROWS = """() => {
  const { view, spiking } = config.answer();
  return (spiking ? [view.asa, view.ssa] : [view.asa]).map(({ counts }) => counts.name.length);
}"""


def busy(session: CDPSession) -> float:
    """Seconds of CPU that the main thread has spent on tasks."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def changes(phase: str) -> Iterator[tuple[str, str, list[float]]]:
    """What is changed: its name, its control, and values to begin at and to go on by."""
    yield "passes", LENGTH[phase], [128, 1]
    yield "machine", "weights", [4, 0.01]
    yield "spikes", "rate", [0.1, 0.001]


def measured(tab: Page, session: CDPSession, control: str, values: list[float]) -> list[float]:
    """Milliseconds of CPU of each change of a control; the first two warm up."""
    took = []
    for value in values:
        before = busy(session)
        tab.evaluate(CHANGE, [control, value])
        took.append(1000 * (busy(session) - before))
    return took[2:]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    flags.add_argument("--changes", type=int, default=9, help="changes of each control")
    asked = flags.parse_args()
    text = config_page(script(), models(), "benchmark")
    print(f"page: {len(text.encode()) / 1e6:.2f} MB; milliseconds of CPU, median (most)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "index.html"
        path.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        session = tab.context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        for name in MODELS:
            for phase in LENGTH:
                tab.goto(f"{path.as_uri()}#model={name}&phase={phase}")
                tab.reload()
                sides = tab.evaluate(ROWS)
                parts = []
                for what, control, (first, step) in changes(phase):
                    if what == "spikes" and len(sides) == 1:
                        continue
                    values = [first + step * i for i in range(asked.changes + 2)]
                    took = measured(tab, session, control, values)
                    parts.append(f"{what} {statistics.median(took):5.1f} ({max(took):5.1f})")
                rows = " + ".join(map(str, sides))
                print(f"{name:>28} {phase:>7}, {rows} rows: {', '.join(parts)}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
