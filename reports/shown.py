"""A run as people get it: its tables as frames, its pictures by name, its headline as HTML."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from energy.table import Table
from hwmodels.given import chosen
from reports.kit.files import OutputError, write_atomically
from reports.kit.fit import Fit
from reports.run import run as data
from reports.views.baselines import baselines
from reports.views.blocks import blocks
from reports.views.phases import phase_bills, phases
from reports.views.tables import counts, layers, savings
from reports.views.times import times

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Made = TypeVar("Made")

#: How the name of a picture may end.
_FORMATS = (".png", ".svg", ".pdf")

#: The tables of a run, as `Run.to_frame` knows them.
TABLES: dict[str, Callable[[data.Run], Table[Any]]] = {
    "savings": savings,
    "layers": layers,
    "counts": counts,
    "phases": phases,
    "blocks": blocks,
    "times": times,
    "baselines": baselines,
}


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture that a notebook shows, and that can be saved."""

    figure: Figure  #: the matplotlib figure

    def save(self, path: Path | str) -> Path:
        """Write it; the suffix (`.png`, `.svg`, `.pdf`) decides the format.

        Raises:
            OutputError: If the file cannot be written, or its name says no format.
        """
        from reports.kit import style

        if (suffix := Path(path).suffix) not in _FORMATS:
            raise OutputError(
                f"a picture is a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, and the name "
                f"'{Path(path).name}' ends in {suffix or 'none of them'}; end it in one of them"
            )
        return write_atomically(Path(path), lambda file: style.save(self.figure, file))

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # As wide on the screen as on paper: the file has twice the points of a screen.
        return self._data("png"), {"width": round(100 * self.figure.get_figwidth())}

    def __repr__(self) -> str:
        """What it is."""
        return "<picture>"

    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        return self._data("svg").decode()

    def _data(self, suffix: str) -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            return self.save(Path(directory) / f"picture.{suffix}").read_bytes()


class Run(data.Run):
    """A run, with its tables and pictures for a notebook; see `reports.run.run.Run`."""

    def to_frame(self, table: str = "savings") -> pd.DataFrame:
        """A table of the run.

        Args:
            table: `savings`, `layers`, `counts`, `phases`, `blocks`, `times` or `baselines`.

        Raises:
            ValueError: If there is no such table.
        """
        return _chosen(TABLES, table, "table")(self).to_frame()

    def plot(
        self, picture: str = "layers", hw: str | None = None, fit: Fit | str = Fit.TWO
    ) -> Picture:
        """A picture of the run, which a notebook shows.

        Args:
            picture: `layers`, `components`, `phases`, `spike_rates` or `sensitivity`.
            hw: Name of the hardware; None for the first.
            fit: How wide it may be: `one` column of a paper (3.4 inches; not of `sensitivity`), or
                the width of `two` (7 inches).

        Raises:
            ChoiceError: If `fit` is neither.
            ValueError: If there is no such picture, there is nothing to draw, or the run was not
                priced on that hardware.
            SensitivityError: If the picture is `sensitivity` and there is no attention block.
        """
        from reports.sensitivity.picture import tornado
        from reports.sensitivity.study import Study
        from reports.views.plot_components import per_component
        from reports.views.plot_layers import per_layer
        from reports.views.plot_phases import per_phase
        from reports.views.plot_spike_rates import spike_rates

        hw = self.profiles[0].name if hw is None else hw
        asa, ssa = _chosen(self.estimates, hw, "hardware")
        about, fit = (self.title, self.subtitle), chosen("fit", fit, Fit)
        pictures: dict[str, Callable[[], Figure | None]] = {
            "layers": partial(per_layer, asa, ssa, *about, self.quality, fit),
            "components": partial(per_component, asa, ssa, *about, fit),
            "phases": lambda: per_phase(phase_bills(self, hw), *about, fit),
            "spike_rates": partial(spike_rates, self.ssa, self.steps, *about, fit),
            "sensitivity": lambda: tornado(Study(asa, ssa), "attention"),
        }
        if picture == "spike_rates" and self.command == "plan":
            raise ValueError(
                f"picture '{picture}' is for measured spikes, and a plan assumes the same rate "
                "everywhere; draw that of a profile"
            )
        if picture == "sensitivity" and fit is Fit.ONE:
            raise ValueError(
                "picture 'sensitivity' has names that leave one column no room for its bars; draw "
                "it with fit='two'"
            )
        figure = _chosen(pictures, picture, "picture")()
        if figure is None:
            raise ValueError(f"picture '{picture}' is empty: nothing in this run sends events")
        return Picture(figure)

    def to_latex(self, fit: Fit | str = Fit.ONE) -> str:
        r"""A `table` for a paper, to `\input`: what each part costs, and what is saved.

        It needs the packages booktabs and siunitx. What is the same in all rows stands in the
        caption, beside model, weights, hardware, time steps, phase and tokens; an energy that is
        not known is `unpriced`.

        Args:
            fit: `one` column of 8.5 cm, or the width of `two`, 17.8 cm.

        Raises:
            ChoiceError: If `fit` is neither.
        """
        from reports.views.latex import run_latex

        return run_latex(self, chosen("fit", fit, Fit))

    def _repr_html_(self) -> str:
        from reports.views.headline import run_html

        return run_html(self)


def _chosen(known: Mapping[str, Made], name: str, kind: str) -> Made:
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"{kind} '{name}' is not known; known are {', '.join(known)}")
    return known[name]
