"""A map as a file, and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console

from energy.table import Column, Table, at, attributes, texts
from hwmodels.diff import size
from reports.kit.parts import BOUNDS
from reports.kit.table import print_sentence, print_table
from reports.map.cells import CONTENDERS, Bill, Cell, EnergyMap
from reports.map.verdict import verdict


class Line(NamedTuple):
    """A cell of a map at one bound."""

    map: EnergyMap
    cell: Cell
    fusion: str

    @property
    def bill(self) -> Bill:
        """The three bills."""
        found: Bill = getattr(self.cell, self.fusion)
        return found


def _pj(contender: str) -> Column[Line]:
    return Column(f"{contender}_pj_per_token", lambda line: line.bill.pj(contender))


#: Columns of `map.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("map.profile.name")),
    *attributes("map", "dataflow", "phase"),
    *attributes("cell", "batch", "context", "weight_bits", "sram_bytes"),
    *attributes("", "fusion"),
    *map(_pj, CONTENDERS),
    *attributes("bill", "winner", "saving", "runner_up", "margin", "decides"),
    Column("decides_pj_per_token", at("bill.decides_pj")),
    Column("unpriced", lambda line: " ".join(line.map.unpriced)),
    *attributes("map", "timesteps", "conversion", "spike_rates", "active_rates"),
    *attributes("map", "model", "weights"),
)


def map_table(maps: Sequence[EnergyMap]) -> Table[Line]:
    """`map.csv`: a row for each cell of each map, at both bounds."""
    return Table(
        COLUMNS, [Line(x, cell, bound) for x in maps for cell in x.cells for bound in BOUNDS]
    )


#: The models by a letter.
LETTERS = {"dense": "D", "zones": "Z", "spiking": "S"}
READING = (
    "The letter is the model that costs least on the whole bill per token, fused; the number is "
    "what it saves in % of the dense one, in brackets where the next one costs less than 1 % more; "
    "* is where another one costs least unfused. "
    + ", ".join(f"{LETTERS[name]}: {words}" for name, words in CONTENDERS.items())
    + "."
)

COSTS_ALONE = (
    "Costs alone: the dense model is as good as it is, the other two lose quality, which "
    "`neurt-energy evaluate` measures."
)


def panels_table(found: EnergyMap) -> Table[Sequence[Any]]:
    """A map for people: a row per context, width and SRAM; the batches beside each other."""
    rows: dict[tuple[Any, ...], list[str]] = {}
    for cell in found.cells:
        place = (cell.sram_bytes, cell.weight_bits, cell.context)
        rows.setdefault(place, []).append(_text(cell))
    batches = [f"batch {batch:,}" for batch in found.axis("batch")]
    keys = texts("SRAM", "weights", "context")
    named = [
        (size(sram) if sram else "as it is", f"{bits:g} bits", f"{context:,}", *cells)
        for (sram, bits, context), cells in rows.items()
    ]
    columns = tuple(
        Column(x, partial(_item, i), x, words=i < 2, key=i < 3)
        for i, x in enumerate([column.name for column in keys] + batches)
    )
    title = f"{found.title}\n{found.profile.title}, dataflow {found.dataflow}"
    return Table(columns, named, title, group=lambda row: row[:2])


def _item(place: int, row: Sequence[Any]) -> Any:
    return row[place]


def _text(cell: Cell) -> str:
    """The model that costs least in a cell, what it saves, and whether the other bound agrees."""
    letter = LETTERS[cell.fused.winner]
    saved = "0" if letter == "D" else cell.fused.saved_text
    saved = f"({saved})" if cell.fused.is_close else saved
    return f"{letter} {saved}{' ' if cell.bounds_agree else '*'}"


def print_maps(maps: Sequence[EnergyMap], console: Console) -> None:
    """Print a table of each map, and what it comes to."""
    for found in maps:
        console.print()
        print_table(panels_table(found), console)
        if found.unpriced:
            print_sentence(
                f"Without a price on {found.profile.name}, so in no bill: "
                f"{', '.join(found.unpriced)}.",
                console,
                "yellow",
            )
        for sentence in verdict(found):
            print_sentence(sentence, console)
    print_sentence(READING, console, "dim")
    print_sentence(COSTS_ALONE, console, "dim")
