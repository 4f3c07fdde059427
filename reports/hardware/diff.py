"""What differs between two hardware profiles, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwmodels import HardwareProfile
from hwmodels.diff import Difference, Entry, differences


def print_differences(a: HardwareProfile, b: HardwareProfile, console: Console) -> None:
    """A row per difference, with the ratio of the second to the first and both sources."""
    for letter, profile in (("A", a), ("B", b)):
        console.print(f"{letter} [bold]{escape(profile.name)}[/bold]: {escape(profile.title)}")
    table = Table(show_lines=True)
    for heading in ("what", "A", "B", "B / A", "source of A", "source of B"):
        number = heading in ("A", "B", "B / A")
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for difference in differences(a, b):
        cells = (_value(difference.a), _value(difference.b), _ratio(difference))
        sources = (_source(difference.a), _source(difference.b))
        table.add_row(escape(difference.key), *map(escape, (*cells, *sources)))
    if table.row_count:
        console.print(table)
    else:
        console.print("no number, placement or rule differs")


def _value(entry: Entry | None) -> str:
    return "-" if entry is None else entry.text


def _ratio(difference: Difference) -> str:
    return "" if difference.ratio is None else f"{difference.ratio:.3g}"


def _source(entry: Entry | None) -> str:
    if entry is None or entry.citation is None:
        return ""
    cited = entry.citation
    spread = f" x{cited.spread[0]:g} to x{cited.spread[1]:g}" if cited.spread else ""
    return f"{cited.evidence}{spread}: {cited.source}"
