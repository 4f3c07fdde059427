"""What differs between two hardware profiles, on the terminal."""

from __future__ import annotations

from rich.console import Console

from energy.table import Column, Table, at
from hwmodels import HardwareProfile
from hwmodels.diff import Difference, Entry, differences
from reports.kit.table import print_sentence, print_table

COLUMNS: tuple[Column[Difference], ...] = (
    Column("key", at("key"), "what", words=True, key=True),
    Column("a", at("a.text"), "A", words=True),
    Column("b", at("b.text"), "B", words=True),
    Column("ratio", at("ratio"), "B / A", "{:.3g}".format),
    Column("source_a", lambda row: _source(row.a), "source of A", words=True),
    Column("source_b", lambda row: _source(row.b), "source of B", words=True),
)


def print_differences(a: HardwareProfile, b: HardwareProfile, console: Console) -> None:
    """A row per difference, with the ratio of the second to the first and both sources."""
    for letter, profile in (("A", a), ("B", b)):
        print_sentence(f"{letter} {profile.name}: {profile.title}", console, "bold")
    table = Table(COLUMNS, differences(a, b))
    if table.rows:
        print_table(table, console)
    else:
        console.print("no number, placement or rule differs")


def _source(entry: Entry | None) -> str:
    if entry is None or entry.citation is None:
        return ""
    cited = entry.citation
    spread = f" x{cited.spread[0]:g} to x{cited.spread[1]:g}" if cited.spread else ""
    return f"{cited.evidence}{spread}: {cited.source}"
