"""A run in a notebook: its tables as frames, its pictures by name, its headline as HTML."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from energy.frames import html_table
from reports.kit import style
from reports.kit.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reports.run.run import Run

Made = TypeVar("Made")

#: The tables of a run, as `Run.to_frame` knows them.
TABLES = ("savings", "layers", "counts", "phases", "baselines")
#: The pictures of a run, as `Run.plot` knows them.
PICTURES = ("layers", "components", "phases", "spike_rates", "sensitivity")


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows, and that can be saved.

    Attributes:
        figure: The matplotlib figure.
    """

    figure: Figure

    def save(self, path: Path | str) -> Path:
        """Write it; the suffix (`.png`, `.svg`, `.pdf`) decides the format.

        Raises:
            OutputError: If the file cannot be written.
        """
        return write_atomically(Path(path), lambda file: style.save(self.figure, file))

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # As wide on the screen as on paper: the file has twice the points of a screen.
        return self._data("png"), {"width": round(100 * self.figure.get_figwidth())}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("<picture>")

    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        return self._data("svg").decode()

    def _data(self, suffix: str) -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            return self.save(Path(directory) / f"picture.{suffix}").read_bytes()


def frame(run: Run, name: str) -> pd.DataFrame:
    """One of the tables of a run; see `TABLES`.

    Raises:
        ValueError: If there is no such table.
    """
    import pandas as pd

    from energy.frames import counts_frame
    from reports.views import tables as table
    from reports.views.baselines import baselines_frame, compare
    from reports.views.phases import PHASE_COLUMNS, phase_rows

    def counts() -> pd.DataFrame:
        sides = (side for phase in run.phases for side in (phase.asa, phase.ssa))
        return pd.concat([counts_frame(side) for side in sides], ignore_index=True)

    made: dict[str, Callable[[], pd.DataFrame]] = {
        "savings": lambda: table.savings_frame(run),
        "layers": lambda: table.layers_frame(run),
        "counts": counts,
        "phases": lambda: pd.DataFrame(phase_rows(run), columns=list(PHASE_COLUMNS)),
        "baselines": lambda: baselines_frame(run, compare(run)),
    }
    return _chosen(made, name, "table")()


def picture(run: Run, name: str, hw: str | None = None) -> Picture:
    """One of the pictures of a run; see `PICTURES`.

    Args:
        run: The run.
        name: Of the picture.
        hw: Name of the hardware; None for the first of the run.

    Raises:
        ValueError: If there is no such picture, there is nothing to draw, or the run was not priced
            on that hardware.
        SensitivityError: If the picture is `sensitivity` and there is no attention block.
    """
    from reports.sensitivity.picture import tornado
    from reports.sensitivity.study import Study
    from reports.views.phases import phase_bills
    from reports.views.plot_components import per_component
    from reports.views.plot_layers import per_layer
    from reports.views.plot_phases import per_phase
    from reports.views.plot_spike_rates import spike_rates

    hw = run.profiles[0].name if hw is None else hw
    asa, ssa = _chosen(run.estimates, hw, "hardware")
    about = (run.title, run.subtitle)
    made: dict[str, Callable[[], Figure | None]] = {
        "layers": lambda: per_layer(asa, ssa, *about),
        "components": lambda: per_component(asa, ssa, *about),
        "phases": lambda: per_phase(phase_bills(run, hw), *about),
        "spike_rates": lambda: spike_rates(run.ssa, run.steps, *about),
        "sensitivity": lambda: tornado(Study(asa, ssa), "attention"),
    }
    figure = _chosen(made, name, "picture")()
    if figure is None:
        raise ValueError(f"picture '{name}' is empty: nothing in this run sends events")
    return Picture(figure)


def _chosen(known: Mapping[str, Made], name: str, kind: str) -> Made:
    if name not in known:
        raise ValueError(f"{kind} '{name}' is not known; known are {', '.join(known)}")
    return known[name]


def run_html(run: Run) -> str:
    """What each hardware saves, in one table."""
    from energy import saving
    from energy.frames import picojoules
    from reports.kit.parts import SHOWN
    from reports.views.terminal import percent

    rows = []
    for hw, (asa, ssa) in run.estimates.items():
        for name, accounting, block in SHOWN:
            part = saving(asa, ssa, accounting, block=block)
            energies = (picojoules(part.asa_pj), picojoules(part.ssa_pj))
            rows.append([name, hw, *energies, percent(part.saving)])
    headings = ["part", "hardware", "analog", "spiking", "saved"]
    return html_table(f"{run.title}; {run.subtitle}", headings, rows)
