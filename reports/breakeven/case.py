"""Break-evens of a model, a layer or a run, and the files that hold them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from energy import Estimate
from energy.compare.breakeven import Bound, BreakEven
from energy.compare.thresholds import THRESHOLDS
from reports.kit.files import prepare_directory, slugs, write_text
from reports.kit.pictures import Pictures, draw

BREAKEVEN_COLUMNS = (
    "hw",
    "dataflow",
    "origin",
    "part",
    "kind",
    "includes",
    "accounting",
    "timesteps",
    "asa_pj",
    "silent_pj",
    "busy_pj",
    "busy_rate",
    "rate",
    "events_per_mac",
    "spikes_per_synapse",
    "verdict",
    "unpriced",
    "bound",
    "bounded_rate",
    "cancelled",
    "measured_rate",
    "measured_events_per_mac",
    "measured_spikes_per_synapse",
    "measured_saving",
    "mark",
    "margin",
    *(threshold.key for threshold in THRESHOLDS),
    "phase",
    "batch",
    "tokens",
    "attention",
    "model",
    "weights",
)

THRESHOLD_COLUMNS = ("name", "low", "high", "unit", "evidence", "source", "note")


@dataclass(frozen=True)
class Case:
    """The break-evens of one model, layer or run on one piece of hardware.

    Attributes:
        title: What it is.
        measured: Whether the events are those of a run; otherwise they are 1 per slot.
        asa: Bill of the analog side.
        ssa: Bill of the spiking side with events.
        found: Both accountings of each part.
    """

    title: str
    measured: bool
    asa: Estimate
    ssa: Estimate
    found: tuple[BreakEven, ...]

    def by_part(self) -> list[dict[str, BreakEven]]:
        """The accountings of each part, in order."""
        parts: dict[str, dict[str, BreakEven]] = {}
        for one in self.found:
            parts.setdefault(one.part.name, {})[one.accounting] = one
        return list(parts.values())


def mark(one: BreakEven) -> str:
    """Whether measured events are below or above the break-even; nothing where no price tells."""
    return {True: "below (saves)", False: "above (costs)", None: ""}[one.busy_saves]


def margin(one: BreakEven) -> float | None:
    """Share by which measured events may grow, or must shrink, to stand at the break-even."""
    return None if one.share is None else one.share - 1


def breakeven_rows(case: Case) -> list[dict[str, object]]:
    """One row per part and accounting, with the columns of `BREAKEVEN_COLUMNS`."""
    return [_row(case, one) for one in case.found]


def _row(case: Case, one: BreakEven) -> dict[str, object]:
    counts = case.ssa.counts
    row: dict[str, object] = {
        "hw": case.asa.profile.name,
        "dataflow": case.asa.dataflow.value,
        "origin": "run" if case.measured else "closed form",
        "part": one.part.name,
        "kind": one.part.kind,
        "includes": one.part.includes,
        "accounting": one.accounting,
        "timesteps": one.timesteps,
        "asa_pj": one.asa_pj,
        "silent_pj": one.silent_pj,
        "busy_pj": one.busy_pj,
        "busy_rate": one.busy_rate,
        "rate": one.rate,
        "events_per_mac": one.events_per_mac,
        "spikes_per_synapse": one.spikes_per_synapse,
        "verdict": one.verdict.value,
        "unpriced": " ".join(one.unpriced),
        "bound": one.bound.value if one.bound else "",
        "bounded_rate": one.priced_rate if one.bound in (Bound.AT_MOST, Bound.AT_LEAST) else None,
        "cancelled": " ".join(one.cancelled),
        "phase": counts.phase,
        "batch": counts.batch,
        "tokens": counts.tokens,
        "attention": counts.attention,
        "model": counts.model,
        "weights": counts.weights,
    }
    if case.measured:
        row |= {
            "measured_rate": one.busy_rate,
            "measured_events_per_mac": one.busy_events_per_mac,
            "measured_spikes_per_synapse": one.timesteps * one.busy_rate,
            "measured_saving": None if one.bound else one.saving(one.busy_rate),
            "mark": mark(one),
            "margin": margin(one),
        }
        for threshold in THRESHOLDS:
            row[threshold.key] = threshold.stands(one.timesteps * one.busy_rate)
    return row


def write_breakeven(
    cases: Sequence[Case], directory: Path, *, pictures: Pictures = Pictures.ALL
) -> list[Path]:
    """Write `breakeven.csv`, `thresholds.csv` and a picture of each hardware.

    The picture is that of the run where there is one, else of the model, else of the last shape.

    Raises:
        OutputError: If they cannot be written.
    """
    prepare_directory(directory)
    rows = [row for case in cases for row in breakeven_rows(case)]
    literature: list[dict[str, object]] = [
        {
            "name": threshold.name,
            "low": threshold.low,
            "high": threshold.high,
            "unit": "spikes per synapse per inference",
            "evidence": threshold.evidence.value,
            "source": threshold.source,
            "note": threshold.note,
        }
        for threshold in THRESHOLDS
    ]
    files = [
        write_text(directory / "breakeven.csv", _csv(BREAKEVEN_COLUMNS, rows)),
        write_text(directory / "thresholds.csv", _csv(THRESHOLD_COLUMNS, literature)),
    ]
    if pictures is not Pictures.NONE:
        from reports.breakeven.picture import breakeven_picture

        shown = {case.asa.profile.name: case for case in cases}
        for case, slug in zip(shown.values(), slugs(shown), strict=True):
            files += draw(
                partial(breakeven_picture, case), directory / f"breakeven_{slug}", pictures
            )
    return files


def _csv(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
