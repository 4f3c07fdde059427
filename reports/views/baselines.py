"""The saving of a run against each baseline, as a file, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy.bill.estimate import ACCOUNTINGS
from energy.compare.baselines import Baseline, baselines
from hwmodels import HardwareProfile, load_profile, profile_names
from hwmodels.catalog import load_sibling
from reports.kit.files import write_text
from reports.run.run import Run
from reports.views.tables import names
from reports.views.terminal import percent

#: Columns of `baselines.csv`, in order; frozen by a test.
BASELINE_COLUMNS = (
    "hw",
    "baseline",
    "ann_precision",
    "ssa_precision",
    "activation_bits",
    "block",
    "accounting",
    "ann_pj",
    "ssa_pj",
    "saving",
    "unpriced",
    "note",
    "model",
    "weights",
    "timesteps",
)

#: Parts of the model that are compared; None is all of it.
BLOCKS = ("attention", "ffn", None)

#: What fits on a line: heading, accounting, block.
_SHOWN = (
    ("attention, compute", "compute", "attention"),
    ("attention, all", "full", "attention"),
    ("model, all", "full", None),
)

Comparisons = Mapping[str, tuple[Baseline, ...]]


def compare(
    run: Run,
    *,
    int8: Mapping[str, HardwareProfile] | None = None,
    bits: int | None = None,
    mixed: bool | None = None,
) -> Comparisons:
    """The baselines of a run, by the name of the hardware.

    Args:
        run: The run.
        int8: INT8 prices by the name of the hardware; those of the run unless given. Those of the
            catalogue need no mention.
        bits: Activation bits of the quantised twin; None for the published formula.
        mixed: Add the comparison across precisions, labelled as such; as the run was asked unless
            given.

    Raises:
        ValueError: If `bits` is less than 1.
        ProfileError: If the catalogue's INT8 prices are at fault.
    """
    prices = run.int8 if int8 is None else int8
    asked = bool(run.settings.get("mixed")) if mixed is None else mixed
    return {
        profile.name: baselines(
            [phase.asa for phase in run.phases],
            [phase.ssa for phase in run.phases],
            profile,
            int8=prices.get(profile.name) or _catalogued(profile, "int8"),
            bits=bits,
            mixed=asked,
            dataflow=run.dataflow,
            latency_s=run.latency_s,
        )
        for profile in run.profiles
    }


def _catalogued(profile: HardwareProfile, precision: str) -> HardwareProfile | None:
    """The same hardware at another precision; somebody's own chip is not the catalogue's."""
    if profile.name not in profile_names() or load_profile(profile.name) != profile:
        return None
    return load_sibling(profile.name, precision)


def baselines_frame(run: Run, found: Comparisons) -> pd.DataFrame:
    """One row per hardware, baseline, accounting and block; empty cells where nothing is known."""
    rows = [
        _row(hw, baseline, accounting, block)
        | {
            "model": run.ssa.model,
            "weights": run.ssa.weights,
            "timesteps": run.ssa.timesteps,
        }
        for hw, rows in found.items()
        for baseline in rows
        for accounting in ACCOUNTINGS
        for block in BLOCKS
    ]
    return pd.DataFrame(rows, columns=list(BASELINE_COLUMNS))


def _row(hw: str, baseline: Baseline, accounting: str, block: str | None) -> dict[str, object]:
    part = baseline.saving(accounting, block=block)
    return {
        "hw": hw,
        "baseline": baseline.name,
        "ann_precision": baseline.asa.profile.precision if baseline.asa else "",
        "ssa_precision": baseline.ssa.profile.precision if baseline.ssa else "",
        "activation_bits": "" if (bits := baseline.activation_bits) is None else f"{bits:g}",
        "block": block or "total",
        "accounting": accounting,
        "ann_pj": part.asa_pj if part else None,
        "ssa_pj": part.ssa_pj if part else None,
        "saving": part.saving if part else None,
        "unpriced": names(part.unpriced) if part else "",
        "note": baseline.note,
    }


def write_baselines(run: Run, found: Comparisons, path: Path) -> Path:
    """Write `baselines.csv`.

    Raises:
        OutputError: If the file cannot be written.
    """
    return write_text(path, baselines_frame(run, found).to_csv(index=False, lineterminator="\n"))


def _cells(baseline: Baseline) -> list[str]:
    cells = []
    for _, accounting, block in _SHOWN:
        part = baseline.saving(accounting, block=block)
        priced = part is None or None not in (part.asa_pj, part.ssa_pj)
        cells.append(percent(part.saving if part else None) if priced else "unpriced")
    return cells


def print_baselines(run: Run, found: Comparisons, console: Console) -> None:
    """Print one table per hardware: what is saved against each baseline."""
    for profile in run.profiles:
        title = escape(f"Saved by the SNN against each baseline, {profile.title}")
        table = Table(title=title, title_justify="left")
        table.add_column("baseline")
        for heading, _, _ in _SHOWN:
            table.add_column(heading, justify="right")
        table.add_column("note")
        for baseline in found[profile.name]:
            table.add_row(escape(baseline.title), *_cells(baseline), escape(baseline.note))
        console.print()
        console.print(table)


def baselines_markdown(run: Run, found: Comparisons) -> str:
    """The same tables in Markdown."""
    lines: list[str] = []
    for profile in run.profiles:
        headings = ["baseline", *(heading for heading, _, _ in _SHOWN), "note"]
        rows = [[x.title, *_cells(x), x.note] for x in found[profile.name]]
        lines += [f"**{run.title}, {run.subtitle}, {profile.title}**", ""]
        lines += [_line(headings), "|---|--:|--:|--:|---|", *map(_line, rows), ""]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
