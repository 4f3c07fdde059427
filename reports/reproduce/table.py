"""The published savings table, measured: for the terminal, and as files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from energy.table import Column, Table
from energy.words import NONE, energy, number
from reports.kit.caveats import PUBLISHED_SAVING, PUBLISHED_SOURCE
from reports.kit.files import prepare_directory, write_text
from reports.kit.latex import to_latex
from reports.kit.parts import BOUNDS
from reports.kit.pictures import Pictures, draw
from reports.kit.table import escaped, print_sentence, print_table, to_markdown
from reports.reproduce.rows import Line, Reproduction, against, model_saving, stands
from reports.sources.run import form_sources, sources_bib

_LOW, _HIGH = (f"{100 * share:.2f}" for share in PUBLISHED_SAVING)


class Lines(NamedTuple):
    """The accountings of one scope of one run on one piece of hardware."""

    compute: Line
    fused: Line
    unfused: Line


#: A row for people; None is the published one.
Shown = Lines | None


def _column(
    heading: str,
    text: Callable[[Line], str | None],
    published: str | None = None,
    *,
    words: bool = False,
    key: bool = False,
) -> Column[Shown]:
    """A column of MACs and accumulates; `published` is what the published row has in it."""

    def value(row: Shown) -> str | None:
        return published if row is None else text(row.compute)

    return Column(heading, value, heading, words=words, key=key)


def _name(heading: str, text: Callable[[Line], str], published: str = "?") -> Column[Shown]:
    return _column(heading, text, published, words=True, key=True)


def _percent(share: float | None) -> str:
    return number(share and 100 * share, 2)


def _event(name: str) -> Callable[[Line], str]:
    return lambda line: number(getattr(line.events, name))


def _ends(name: str) -> Callable[[Line], str | None]:
    """From the sparser end, which saves more, to the denser."""

    def text(line: Line) -> str | None:
        ends = [_event(f"{name}_at_{end}")(line) for end in ("high", "low")]
        return None if ends == [NONE, NONE] else "–".join(ends)

    return text


def _saved_at(bound: str) -> Column[Shown]:
    heading = f"saved, {bound} (%)"

    def value(row: Shown) -> str | None:
        return None if row is None else _percent(getattr(row, bound).saved.saving)

    return Column(heading, value, heading)


COLUMNS: tuple[Column[Shown], ...] = (
    _name("model", lambda line: line.measured.run.asa.model, "GPT-2"),
    _name("weights", lambda line: line.measured.run.asa.weights),
    _column("T", lambda line: str(line.measured.run.ssa.timesteps), "?", key=True),
    _name("constants", lambda line: line.ssa.profile.name),
    _name("form", lambda line: line.measured.form),
    _name("code", lambda line: line.measured.code),
    _name("streams", lambda line: line.measured.streams),
    _name("pairs", lambda line: line.measured.run.asa.attention),
    _name("proj.", lambda line: line.part.name),
    _column("ASA", lambda line: energy(line.saved.asa_pj)),
    _column("SSA", lambda line: energy(line.saved.ssa_pj)),
    _column("saved (%)", lambda line: _percent(line.saved.saving), f"{_LOW}–{_HIGH}"),
    _column("vs range", lambda line: stands(line.saved.saving) or None, words=True),
    _column("events/MAC", _event("events_per_mac")),
    _column("events/MAC implied", _ends("events_per_mac")),
    _column("spike rate", _event("spike_rate")),
    _column("rate implied", _ends("spike_rate")),
    *map(_saved_at, BOUNDS),
    _column("vs twin (%)", lambda line: _percent(against(line.twin, line))),
    _column("vs INT8 (%)", lambda line: _percent(against(line.int8, line))),
    _column("model saved (%)", lambda line: _percent(model_saving(line))),
)
#: Columns for which lines are too short in LaTeX and on the terminal.
_MARKDOWN_ONLY = {"vs twin (%)", "vs INT8 (%)", "model saved (%)"}
#: Columns that the terminal has in its title where all rows share them.
_SHARED = ("constants", "form", "code", "streams", "pairs", "proj.")
#: Those of them that share a column where they differ.
_CONVENTIONS = _SHARED[1:5]

NOTES = (
    "Energies and savings are MACs and accumulates (compute only) unless `fused` or `unfused`: "
    "everything with a price, at both bounds of what moves between products.",
    f"Published, and the range of `vs range`: {PUBLISHED_SOURCE}; its T, constants, conventions "
    "and rates are not disclosed.",
    f"`implied`: events and rates at which this profile would save {_HIGH} and {_LOW} %; a rate "
    "above what a slot can hold (1, or 7 for bursts) means that every rate saves more.",
    "`streams`: operands of the two products whose events are counted; `proj.`: the block "
    "with those of Q, K, V and output, or the products alone; `pairs`: query-key pairs counted.",
    "`vs twin`: against the analog model whose activations have as many bits as T spikes say; "
    "`vs INT8`: against the analog model at INT8, the spiking one as it is.",
)


def reproduction_table(reproduction: Reproduction) -> Table[Shown]:
    """The table for people, the published row first."""
    lines = reproduction.table.rows
    rows = [Lines(*lines[i : i + 3]) for i in range(0, len(lines), 3)]
    title = f"ASA and SSA of the attention block, {reproduction.facts}"
    return Table(COLUMNS, [None, *rows], title, group=_model)


def _model(row: Shown) -> Hashable:
    if row is None:
        return None
    run = row.compute.measured.run
    return run.asa.model, run.asa.weights, run.ssa.timesteps


def _without(table: Table[Shown], names: Collection[str]) -> Table[Shown]:
    return replace(table, columns=tuple(x for x in table.columns if x.name not in names))


def reproduce_markdown(reproduction: Reproduction) -> str:
    """The table in Markdown."""
    table = reproduction_table(reproduction)
    notes = [f"- {note}" for note in NOTES]
    return "\n".join([f"## {escaped(table.title)}", "", to_markdown(table), "", *notes, ""])


def reproduce_latex(reproduction: Reproduction) -> str:
    """The table as a `tabular` that needs booktabs."""
    return to_latex(_without(reproduction_table(reproduction), _MARKDOWN_ONLY), NOTES[:4])


def terminal_table(reproduction: Reproduction) -> Table[Shown]:
    """What was measured, on the terminal; what is the same in all rows stands in the title."""
    table = reproduction_table(reproduction)
    rows = table.rows[1:]
    shared, varying = _sharing(table.columns, rows)
    left_out = {"weights", *_MARKDOWN_ONLY, *(x.name for x in (*shared, *varying))}
    about = ", ".join([table.title, *(f"{x.heading} {x.cell(rows[0])}" for x in shared)])
    weights = dict.fromkeys(" ".join(x.cell(row) for x in COLUMNS[:2]) for row in rows)
    columns = (_joined(varying), *_without(table, left_out).columns)
    title = f"{about}\nweights: {', '.join(weights)}"
    return replace(table, columns=columns, rows=rows, title=title)


def _sharing(
    columns: Sequence[Column[Shown]], rows: Sequence[Shown]
) -> tuple[list[Column[Shown]], list[Column[Shown]]]:
    """The columns that all rows share, and the conventions in which rows differ."""
    shared = [x for x in columns if x.name in _SHARED and len({x.cell(row) for row in rows}) == 1]
    return shared, [x for x in columns if x.name in _CONVENTIONS and x not in shared]


def _joined(columns: Sequence[Column[Shown]]) -> Column[Shown]:
    """Several columns in one that names its rows; one that nobody sees where there are none."""
    return Column(
        "conventions",
        lambda row: ", ".join(column.cell(row) for column in columns),
        ", ".join(column.heading for column in columns),
        words=True,
        key=True,
    )


def print_reproduction(reproduction: Reproduction, console: Console) -> None:
    """Print the table and how to read it."""
    print_table(terminal_table(reproduction), console)
    for note in NOTES:
        print_sentence(f"- {note}", console)


def write_reproduction(
    reproduction: Reproduction, directory: Path, *, pictures: Pictures = Pictures.ALL
) -> list[Path]:
    """Write `reproduce.csv`, `.md`, `.tex`, `.png` and `.svg`, and the sources."""
    prepare_directory(directory)
    files = [
        write_text(directory / "reproduce.csv", reproduction.table.to_csv()),
        write_text(directory / "reproduce.md", reproduce_markdown(reproduction)),
        write_text(directory / "reproduce.tex", reproduce_latex(reproduction)),
    ]
    if pictures is not Pictures.NONE:
        from reports.reproduce.picture import reproduce_picture  # matplotlib takes half a second

        figure = partial(reproduce_picture, reproduction)
        files += draw(figure, directory / "reproduce", pictures)
    measured = reproduction.measured
    forms = [
        text for form in dict.fromkeys(x.form for x in measured) for text in form_sources(form)
    ]
    bib = sources_bib([x.run for x in measured], forms)
    files.append(write_text(directory / "sources.bib", bib))
    return files
