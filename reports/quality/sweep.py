"""The table of a sweep, and which of its points nothing beats."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.kit.files import prepare_directory, write_text
from reports.kit.pictures import Pictures, draw
from reports.quality.table import QUALITY_COLUMNS

#: Columns of `sweep.csv`; frozen by a test.
SWEEP_COLUMNS = (
    *QUALITY_COLUMNS,
    "attention_code",
    "dead_zone",
    "threshold",
    "attention_threshold",
    "pareto",
)

#: One point on one hardware, by column.
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Sweep:
    """The points of a sweep.

    Attributes:
        points: One per conversion and hardware, with the columns of `SWEEP_COLUMNS` but `pareto`.
    """

    points: tuple[Point, ...]

    @property
    def hardware(self) -> list[str]:
        """Names of the hardware, in order."""
        return list(dict.fromkeys(str(point["hw"]) for point in self.points))

    def on(self, hw: str) -> list[Point]:
        """The points on one hardware that have a price there."""
        return [p for p in self.points if p["hw"] == hw and priced(p)]


def priced(point: Point) -> bool:
    """Whether the attention block of a point has a saving."""
    return point["attention_block_saving_compute"] is not None


def pareto(points: Sequence[Point], saving: str = "attention_block_saving_compute") -> list[Point]:
    """The points that no other beats: none saves as much at less perplexity, or more at as much.

    Of points that are equal in both, the first. The thriftiest comes last.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p[saving], p["perplexity_change"])):
        if not best or point["perplexity_change"] < best[-1]["perplexity_change"]:
            best.append(point)
    return best[::-1]


def write_sweep(sweep: Sweep, directory: Path, *, pictures: Pictures = Pictures.ALL) -> list[Path]:
    """Write `sweep.csv` and, for each hardware, `pareto_HW.png` and `.svg`.

    Raises:
        OutputError: If they cannot be written.
    """
    prepare_directory(directory)
    fronts = {id(p) for hw in sweep.hardware for p in pareto(sweep.on(hw))}
    text = io.StringIO()
    table = csv.DictWriter(text, SWEEP_COLUMNS, lineterminator="\n")
    table.writeheader()
    for point in sweep.points:
        table.writerow({**point, "pareto": id(point) in fronts})
    files = [write_text(directory / "sweep.csv", text.getvalue())]
    if pictures is not Pictures.NONE:
        from reports.quality.pareto_picture import pareto_picture

        for hw in filter(sweep.on, sweep.hardware):
            files += draw(
                partial(pareto_picture, sweep.on(hw)), directory / f"pareto_{hw}", pictures
            )
    return files


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print the points that nothing beats."""
    for hw in sweep.hardware:
        points = sweep.on(hw)
        if not points:
            console.print(f"{hw} has no price for the events of any point.", markup=False)
            continue
        first = points[0]
        table = Table(
            title=f"{first['model']} on {hw}: {len(points)} points, those that none beats "
            f"(analog perplexity {first['analog_perplexity']:.2f})",
            title_justify="left",
            title_style="bold",
        )
        for heading in ("attention", "code"):
            table.add_column(heading)
        for heading in (
            "T",
            "threshold",
            "perplexity",
            "change",
            "cosine",
            "same top-1",
            "events/MAC",
            "attention block",
            "model",
        ):
            table.add_column(heading, justify="right")
        for p in pareto(points):
            table.add_row(
                p["form"],
                p["code"],
                str(p["timesteps"]),
                f"{p['threshold']:g} / {p['attention_threshold']:g}",
                f"{p['spiking_perplexity']:.2f}",
                f"{p['perplexity_change']:+.2%}",
                f"{p['cosine_final']:.4f}",
                f"{p['top1_agreement']:.1%}",
                "" if p["events_per_mac"] is None else f"{p['events_per_mac']:.2f}",
                f"{p['attention_block_saving_compute']:.1%}",
                "" if p["model_saving_compute"] is None else f"{p['model_saving_compute']:.1%}",
            )
        console.print(table)
