"""Several runs side by side: one row per run and hardware."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from energy.words import op_names as names
from energy.words import percent
from hwmodels.errors import UserError
from reports.compare.row import Row, words
from reports.kit.files import prepare_directory, write_text
from reports.kit.parts import SHOWN
from reports.kit.pictures import Pictures, draw
from reports.kit.table import escaped
from reports.run.run import Run
from reports.shown import Picture
from reports.views.markdown import table

#: Columns of `compare.csv`, in order; frozen by a test.
COMPARE_COLUMNS = (
    "run",
    "hw",
    "block",
    "accounting",
    "asa_pj",
    "ssa_pj",
    "asa_pj_per_token",
    "ssa_pj_per_token",
    "saving",
    "saving_p5",
    "saving_p95",
    "events_per_mac",
    "spike_rate",
    "unpriced",
    "dataflow",
    "timesteps",
    "form",
    "code",
    "phase",
    "batch",
    "tokens",
    "attention",
    "command",
    "model",
    "weights",
)


class CompareError(UserError, ValueError):
    """Runs that cannot be compared."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: By the name that each has in tables and pictures.
    """

    runs: Mapping[str, Run]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Each run on each of its hardware."""
        return tuple(
            Row(name, run, *pair)
            for name, run in self.runs.items()
            for pair in run.estimates.values()
        )

    @cached_property
    def same(self) -> dict[str, str]:
        """What is the same in all rows, by heading."""
        first, *others = (row.about for row in self.rows)
        return {
            key: value
            for key, value in first.items()
            if all(about[key] == value for about in others)
        }

    @property
    def same_text(self) -> str:
        """The same in words."""
        return words(self.same)

    def differing(self, row: Row) -> str:
        """What makes a row another one, in words."""
        return words({key: value for key, value in row.about.items() if key not in self.same})

    def to_frame(self) -> pd.DataFrame:
        """One row per run, hardware, block and accounting, with the columns of `compare.csv`."""
        return pd.DataFrame(self._records(), columns=list(COMPARE_COLUMNS))

    def _records(self) -> Iterator[dict[str, object]]:
        for row in self.rows:
            for (accounting, block), (part, spread) in row.parts.items():
                counts = row.ssa.counts.only(block=block)
                slots = sum(layer.tally.slots for layer in counts.layers)
                spikes = sum(layer.tally.spikes for layer in counts.layers)
                yield {
                    "run": row.name,
                    "hw": row.asa.profile.name,
                    "block": block or "total",
                    "accounting": accounting,
                    "asa_pj": part.asa_pj,
                    "ssa_pj": part.ssa_pj,
                    "asa_pj_per_token": row.per_token(part.asa_pj),
                    "ssa_pj_per_token": row.per_token(part.ssa_pj),
                    "saving": part.saving,
                    "saving_p5": spread and spread.low,
                    "saving_p95": spread and spread.high,
                    "events_per_mac": counts.events_per_mac,
                    "spike_rate": spikes / slots if slots else None,
                    "unpriced": names(part.unpriced),
                    "dataflow": row.about["dataflow"],
                    "timesteps": counts.timesteps,
                    "form": row.about["form"],
                    "code": row.about["code"],
                    "phase": row.about["phase"],
                    "batch": counts.batch,
                    "tokens": counts.tokens,
                    "attention": counts.attention,
                    "command": row.run.command,
                    "model": counts.model,
                    "weights": counts.weights,
                }

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of the table for people; not escaped."""
        varying = [key for key in self.rows[0].about if key not in self.same]
        headings = ["run", *varying]
        for heading, _, _ in SHOWN:
            headings += [heading, "5 to 95 %"]
        headings += ["analog (µJ/token)", "spiking (µJ/token)"]
        lines = []
        for row in self.rows:
            line = [row.name, *(row.about[key] for key in varying)]
            for _, accounting, block in SHOWN:
                part, spread = row.parts[accounting, block]
                priced = None not in (part.asa_pj, part.ssa_pj)
                line.append(percent(part.saving) if priced else "unpriced")
                line.append(f"{100 * spread.low:.1f} to {100 * spread.high:.1f}" if spread else "-")
            whole = row.parts["full", None].saving
            line += [_microjoule(row.per_token(pj)) for pj in (whole.asa_pj, whole.ssa_pj)]
            lines.append(line)
        return headings, lines

    def to_markdown(self) -> str:
        """The table in Markdown, after what is the same in all rows."""
        headings, lines = self.cells()
        left = 1 + len(self.rows[0].about) - len(self.same)
        body = table(headings, ([escaped(cell) for cell in line] for line in lines), left)
        return f"The same in all rows: {escaped(self.same_text)}.\n\n{body}\n"

    def plot(self) -> Picture:
        """Energy per token and savings, one line per row."""
        from reports.compare.picture import side_by_side

        return Picture(side_by_side(self))

    def _repr_html_(self) -> str:
        from energy.frames import html_table

        return html_table(self.same_text, *self.cells())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<comparison of {', '.join(self.runs)}>")


def _microjoule(pj: float | None) -> str:
    return "unpriced" if pj is None else f"{pj / 1e6:.4g}"


def compare_runs(runs: Mapping[str, Run]) -> Comparison:
    """Put runs side by side.

    Args:
        runs: By the name that each shall have.

    Raises:
        CompareError: If there are fewer than two rows: one run on one hardware.
    """
    found = Comparison(dict(runs))
    if len(found.rows) < 2:
        raise CompareError(
            f"comparing needs two rows, but there are {len(found.rows)}; give two runs, or one on "
            "two hardware profiles"
        )
    return found


def write_comparison(
    found: Comparison, out: Path, *, pictures: Pictures = Pictures.ALL, page: bool = True
) -> list[Path]:
    """Write `compare.csv`, `compare.md`, the picture and `compare.html`, which has it inside.

    Returns:
        The files, in the order written.

    Raises:
        OutputError: If a file cannot be written.
    """
    prepare_directory(out)
    plot = cache(found.plot)
    text = found.to_frame().to_csv(index=False, lineterminator="\n")
    files = [
        write_text(out / "compare.csv", text),
        write_text(out / "compare.md", found.to_markdown()),
        *draw(lambda: plot().figure, out / "compare", pictures),
    ]
    if page:
        from reports.compare.page import comparison_page

        files.append(write_text(out / "compare.html", comparison_page(found, plot())))
    return files
