"""What the panel lets one download is what the command line reads, and says the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from energy.counts.file import to_csv
from neurt.cli import main
from reports import Run
from reports.page.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]


def read_total(path: Path) -> dict[str, float]:
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "TOTAL"]
    return {row["variant"]: float(row["energy_pj"]) for row in rows}


def downloaded(tab: Page, button: str, folder: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name=button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_the_downloaded_profile_gives_the_totals_of_the_page(
    opened: Opened, run: Run, tmp_path: Path
) -> None:
    tab = opened(page(run))
    tab.get_by_label("Dataflow").select_option("stepwise")
    tab.get_by_label("mac", exact=True).fill("2.125")
    tab.get_by_label("dram read, slider").fill("-30")
    tab.get_by_label("sram, all sizes", exact=True).fill("1.7")
    tab.get_by_label("Accounting").select_option("unfused")
    tab.get_by_label("In memory").select_option("bitmap")
    tab.get_by_label("weights", exact=True).fill("4.156")
    tab.get_by_label("accumulators", exact=True).fill("20")
    tab.get_by_label("MACs per fetch", exact=True).fill("3")
    tab.get_by_label("sram capacity", exact=True).fill("0.001")
    for what in ("mac rate", "ac rate", "shift_ac rate", "sram bandwidth", "dram bandwidth"):
        if (rate := tab.get_by_label(what, exact=True)).count():
            rate.fill("2.5")
    tab.get_by_label("static power", exact=True).fill("0.25")
    profile = downloaded(tab, "Download TOML", tmp_path)
    bill = downloaded(tab, "Download CSV", tmp_path)
    counts = tmp_path / "counts-of-the-run.csv"
    counts.write_text(to_csv((run.asa, run.ssa)), encoding="utf-8")
    out = tmp_path / "priced"
    assert main(["price", str(counts), "--hw", str(profile), "--out", str(out)]) == 0
    assert read_total(bill) == pytest.approx(read_total(out / "energy.csv"), rel=1e-9)
    assert read_total(bill) != pytest.approx(
        {side.counts.variant: side.energy_pj() for side in run.estimates["45nm"]}, rel=0.01
    )
    header = (out / "energy.csv").read_text(encoding="utf-8").partition("\n")[0]
    assert bill.read_text(encoding="utf-8").partition("\n")[0] == header


def test_downloaded_counts_carry_time_steps_and_spike_rate(
    opened: Opened, request_run: Run, tmp_path: Path
) -> None:
    tab = opened(page(request_run))
    tab.get_by_label("Time steps T", exact=True).fill("6")
    tab.get_by_label("Spike rate", exact=True).fill("0.37")
    tab.get_by_label("Dataflow").select_option("event-driven")
    files = {
        name: downloaded(tab, f"Download {name}", tmp_path) for name in ("CSV", "TOML", "counts")
    }
    out = tmp_path / "priced"
    how = ["--hw", str(files["TOML"]), "--out", str(out)]
    assert main(["price", str(files["counts"]), *how]) == 0
    phases = read_total(out / "energy.csv")
    sums = {x: phases[f"{x} prefill"] + phases[f"{x} decode"] for x in ("asa", "ssa")}
    assert read_total(files["CSV"]) == pytest.approx(sums, rel=1e-9)
