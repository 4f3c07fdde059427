"""Energy per token over batches and contexts, as a file and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from rich.console import Console

from energy.table import Column, Table, at, attributes
from energy.words import energy, percent
from hwmodels.pair import TwoMachines
from reports.kit.caveats import OF_TWO_MACHINES
from reports.kit.parts import BOUNDS
from reports.kit.table import print_sentence, print_table
from reports.sizes.grid import Bill, Cell, SizeGrid


class Line(NamedTuple):
    """A cell at one bound."""

    grid: SizeGrid
    cell: Cell
    fusion: str

    @property
    def bill(self) -> Bill:
        """Both models."""
        return self.cell.bills[self.fusion]


#: Columns of `sizes.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("grid.profile.name")),
    *attributes("grid", "dataflow", "phase"),
    *attributes("cell", "batch", "context"),
    *attributes("", "fusion"),
    Column("asa_pj_per_token", at("bill.asa_pj")),
    Column("ssa_pj_per_token", at("bill.ssa_pj")),
    Column("saving", at("bill.saving")),
    Column("unpriced", lambda line: " ".join(line.cell.unpriced)),
    *attributes("grid", "timesteps", "spike_rate", "model", "weights"),
)


def sizes_table(grids: Sequence[SizeGrid]) -> Table[Line]:
    """`sizes.csv`: a row for each hardware, batch, context and bound."""
    rows = [Line(x, cell, bound) for x in grids for cell in x.cells for bound in BOUNDS]
    return Table(COLUMNS, rows)


def _shown(bound: str, has_spikes: bool) -> list[Column[Cell]]:
    def side(name: str, cell: Cell) -> str:
        return energy(getattr(cell.bills[bound], name))

    columns = [Column(f"asa_{bound}", partial(side, "asa_pj"), f"analog {bound}")]
    if has_spikes:
        columns += [
            Column(f"ssa_{bound}", partial(side, "ssa_pj"), f"spiking {bound}"),
            Column(f"saved_{bound}", lambda x: x.bills[bound].saving, f"saved {bound}", percent),
        ]
    return columns


def grid_table(grid: SizeGrid) -> Table[Cell]:
    """The same for people: a row for each batch and context."""
    tokens = "context" if grid.phase == "decode" else "tokens"
    bills = [column for bound in BOUNDS for column in _shown(bound, grid.has_spikes)]
    columns = (
        Column("batch", at("batch"), "batch", "{:,}".format, key=True),
        Column("context", at("context"), tokens, "{:,}".format, key=True),
        *bills,
    )
    what = f"energy per {grid.token}, {grid.phase}"
    title = f"{grid.title}\n{grid.profile.title}, {grid.dataflow}; {what}"
    apart = len(grid.axis("context")) > 1
    return Table(columns, grid.cells, title, group=lambda cell: cell.batch if apart else 0)


def print_sizes(grids: Sequence[SizeGrid], console: Console) -> None:
    """A table of each hardware."""
    for grid in grids:
        console.print()
        print_table(grid_table(grid), console)
        if isinstance(grid.profile, TwoMachines):
            print_sentence(OF_TWO_MACHINES, console, "yellow")
        if grid.unpriced:
            print_sentence(
                f"Without a price on {grid.profile.name}, so in no sum: "
                f"{', '.join(grid.unpriced)}.",
                console,
                "yellow",
            )
        if grid.spike_rate is not None:
            rate = f"The spike rate {grid.spike_rate:g} is assumed, not measured."
            print_sentence(rate, console)
