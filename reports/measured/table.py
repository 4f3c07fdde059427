"""Energies per token as tables: files, Markdown, terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from energy.table import Column, Table, attributes
from reports.kit.table import escaped, print_sentence, print_table, to_markdown
from reports.measured.lines import BILL, BOUNDARIES, CAUTION, PREDICTED, Line

_GENERATED, _PROMPT = "generated", "prompt"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 1000 else f"{per_second:.4g}"


#: Columns of `measured.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("system", lambda x: x.system, "system", words=True, key=True),
    Column("model", lambda x: x.model, "model", words=True),
    Column("phase", lambda x: x.phase, "phase", words=True),
    Column("token", lambda x: _PROMPT if x.of_prompt else _GENERATED),
    Column("batch", lambda x: x.batch, "batch", "{:.3g}".format),
    *attributes("", "low_j", "high_j"),
    Column("tokens_per_second", lambda x: x.tokens_per_second, "tokens/s", _rate),
    *attributes("", "boundary", "evidence", "what", "source"),
)

#: Columns for people.
_SHOWN: tuple[Column[Line], ...] = (
    *COLUMNS[:3],
    COLUMNS[4],
    Column("energy", lambda x: x.per_token, "energy per token"),
    COLUMNS[7],
    Column("boundary", lambda x: x.boundary, "inside", words=True),
    Column("evidence", lambda x: x.evidence, "evidence", words=True),
    Column("source", lambda x: x.source, "source", words=True),
)


def lines_table(lines: Sequence[Line]) -> Table[Line]:
    """`measured.csv`: one row per energy."""
    return Table(COLUMNS, lines)


def shelf_table(lines: Sequence[Line]) -> Table[Line]:
    """The measured systems for people, those of one system together."""
    title = "Measured systems, energy per token of the prompt (prefill) or generated (all else)"
    return Table(_SHOWN, lines, title, group=lambda line: line.system)


def beside_table(lines: Sequence[Line]) -> Table[Line]:
    """Runs (in bold) beside measured systems, for people."""
    return Table(
        _SHOWN,
        lines,
        "Beside measured systems, energy per token: generated, then of the prompt",
        group=lambda line: line.of_prompt,
        strong=lambda line: line.boundary in (BILL, PREDICTED),
    )


def beside_markdown(lines: Sequence[Line]) -> str:
    """The same in Markdown, with what must be known to read it."""
    table = beside_table(lines)
    return (
        f"{escaped(table.title)}.\n\n{to_markdown(table)}\n\n{CAUTION}\n\nInside: {BOUNDARIES}.\n"
    )


def print_lines(table: Table[Line], console: Console) -> None:
    """Print a table, its sources below it, and what must be known to read it."""
    shown = (column for column in table.columns if column.name != "source")
    print_table(replace(table, columns=tuple(shown)), console)
    for source in dict.fromkeys(line.source for line in table.rows):
        systems = dict.fromkeys(line.system for line in table.rows if line.source == source)
        print_sentence(f"{', '.join(systems)}: {source}", console)
    print_sentence(f"Inside: {BOUNDARIES}.", console)
    print_sentence(CAUTION, console)
