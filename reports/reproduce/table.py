"""The published savings table, measured: for the terminal, for Markdown and for LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from reports.kit.caveats import PUBLISHED_SAVING, PUBLISHED_SOURCE
from reports.kit.latex import latex_table
from reports.reproduce.rows import Reproduction, Row

_LOW, _HIGH = (f"{100 * share:.2f}" for share in PUBLISHED_SAVING)
_NONE = "-"


class _Line(NamedTuple):
    """Both accountings of one scope of one run on one piece of hardware."""

    compute: Row
    full: Row


class _Column(NamedTuple):
    """A column: two lines of heading, how to fill it, what the published row has in it.

    `terminal` and `latex`: also there, where lines are shorter than in Markdown.
    """

    heading: str
    unit: str
    cell: Callable[[_Line], str]
    published: str = _NONE
    terminal: bool = True
    latex: bool = True


def _text(name: str) -> Callable[[_Line], str]:
    return lambda line: str(line.compute[name]) or _NONE


def _number(name: str, form: str, scale: float = 1.0) -> Callable[[_Line], str]:
    return lambda line: _said(line.compute[name], form, scale)


def _said(value: Any, form: str, scale: float = 1.0) -> str:
    return _NONE if value is None else format(value * scale, form)


def _full(name: str) -> Callable[[_Line], str]:
    return lambda line: _said(line.full[name], ".2f", 100)


def _ends(name: str, form: str) -> Callable[[_Line], str]:
    """From the sparser end, which saves more, to the denser."""

    def cell(line: _Line) -> str:
        ends = [_said(line.compute[f"{name}_at_{end}"], form) for end in ("high", "low")]
        return _NONE if ends == [_NONE, _NONE] else "–".join(ends)

    return cell


COLUMNS = (
    _Column("model", "", _text("model"), "GPT-2"),
    _Column("weights", "", _text("weights"), "?", terminal=False),
    _Column("T", "", _text("timesteps"), "?"),
    _Column("constants", "", _text("hw"), "?"),
    _Column("form", "", _text("form"), "?"),
    _Column("code", "", _text("code"), "?"),
    _Column("streams", "", _text("streams"), "?"),
    _Column("pairs", "", _text("attention"), "?"),
    _Column("proj.", "", _text("projections"), "?"),
    _Column("ASA", "mJ", _number("asa_pj", ".4g", 1e-9)),
    _Column("SSA", "mJ", _number("ssa_pj", ".4g", 1e-9)),
    _Column("saved", "%", _number("saving", ".2f", 100), f"{_LOW}–{_HIGH}"),
    _Column("vs range", "", _text("stands")),
    _Column("events", "per MAC", _number("events_per_mac", ".3f")),
    _Column("events implied", "per MAC", _ends("events_per_mac", ".3f")),
    _Column("spike rate", "per slot", _number("spike_rate", ".3f")),
    _Column("rate implied", "per slot", _ends("spike_rate", ".3f")),
    _Column("saved, full", "%", _full("saving")),
    _Column("vs twin", "%", _number("saving_vs_twin", ".2f", 100), terminal=False, latex=False),
    _Column("vs INT8", "%", _number("saving_vs_int8", ".2f", 100), terminal=False, latex=False),
    _Column("model saved", "%", _number("model_saving", ".2f", 100), terminal=False, latex=False),
)
#: Columns that hold words.
_WORDS = {
    *("model", "weights", "constants", "form", "code", "streams", "pairs", "proj."),
    "vs range",
}
#: Columns that are conventions, told once on the terminal where all rows share them.
_CONVENTIONS = range(3, 9)

NOTES = (
    "Energies and savings are MACs and accumulates (compute only) unless `full`, which has "
    "everything with a price.",
    f"Published, and the range of `vs range`: {PUBLISHED_SOURCE}; its T, constants, conventions "
    "and rates are not disclosed.",
    f"`implied`: events and rates at which this profile would save {_HIGH} and {_LOW} %; a rate "
    "above what a slot can hold (1, or 7 for bursts) means that every rate saves more.",
    "`streams`: operands of the two products whose events are counted; `proj.`: the block "
    "with those of Q, K, V and output, or the products alone; `pairs`: query-key pairs counted.",
    "`vs twin`: against the analog model whose activations have as many bits as T spikes say; "
    "`vs INT8`: against the analog model at INT8, the spiking one as it is.",
)


def _lines(found: Reproduction) -> list[_Line]:
    rows = found.rows
    return [_Line(*pair) for pair in zip(rows[::2], rows[1::2], strict=True)]


def _title(found: Reproduction) -> str:
    return f"ASA and SSA of the attention block, {found.facts}"


def reproduce_markdown(found: Reproduction) -> str:
    """The table in Markdown, the published row first."""
    headings = [f"{x.heading} ({x.unit})" if x.unit else x.heading for x in COLUMNS]
    rows = [[x.published for x in COLUMNS], *_cells(found)]
    marks = ["---" if x.heading in _WORDS else "--:" for x in COLUMNS]
    table = [_markdown(headings), f"|{'|'.join(marks)}|", *map(_markdown, rows)]
    notes = [f"- {note}" for note in NOTES]
    return "\n".join([f"## {_title(found)}", "", *table, "", *notes, ""])


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(found: Reproduction) -> list[list[str]]:
    return [[column.cell(line) for column in COLUMNS] for line in _lines(found)]


def reproduce_latex(found: Reproduction) -> str:
    """The table as a `tabular` that needs booktabs, the published row first."""
    shown = [i for i, x in enumerate(COLUMNS) if x.latex]
    columns = [COLUMNS[i] for i in shown]
    return latex_table(
        [(x.heading, x.unit) for x in columns],
        "".join("l" if x.heading in _WORDS else "r" for x in columns),
        [
            [[x.published for x in columns]],
            *([[row[i] for i in shown] for row in group] for group in _groups(_cells(found))),
        ],
        [_title(found), *NOTES[:4]],
    )


def _groups(rows: Sequence[list[str]]) -> list[list[list[str]]]:
    """Rows that follow each other and are of one model and one T."""
    groups: list[list[list[str]]] = []
    for row in rows:
        if groups and groups[-1][-1][:3] == row[:3]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def print_reproduction(found: Reproduction, console: Console) -> None:
    """Print the table; what is the same in all rows stands in its title."""
    cells = _cells(found)
    same = {i for i in range(len(COLUMNS)) if i in _CONVENTIONS and len({x[i] for x in cells}) == 1}
    weights = dict.fromkeys(f"{row[0]} {row[1]}" for row in cells)
    title = [
        ", ".join([_title(found), *(f"{COLUMNS[i].heading} {cells[0][i]}" for i in sorted(same))]),
        f"weights: {', '.join(weights)}",
    ]
    table = Table(
        title=escape("\n".join(title)), title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    shown = [i for i, x in enumerate(COLUMNS) if x.terminal and i not in same]
    for i in shown:
        heading, unit = COLUMNS[i][:2]
        justify: JustifyMethod = "left" if heading in _WORDS else "right"
        words = [*heading.split(), *([f"({unit})"] if unit else [])]
        table.add_column("\n".join(words), justify=justify, vertical="bottom", overflow="fold")
    for group in _groups(cells):
        table.add_row()
        for row in group:
            table.add_row(*(escape(row[i]) for i in shown))
    console.print(table)
    for note in NOTES:
        console.print(f"- {note}", markup=False)
