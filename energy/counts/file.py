"""Counts as a CSV file, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from energy.counts.counts import COUNT_COLUMNS, CountRow, Counts
from energy.counts.header import understand
from energy.counts.names import is_total, names_of
from energy.counts.plain import read_plain
from energy.counts.rows import Group, Key, Reader
from energy.counts.sums import without_sums
from energy.sheet import Say, Sheet, listed, open_sheet, warn
from energy.table import Table
from hwmodels.errors import UserError
from hwmodels.ops import IN_BYTES
from hwmodels.plain import quoted

#: Columns that tell a table of this program, where each row is work of its own: all but those that
#: were added later.
_OWN = {"variant", "layer", "kind", "block", "component", "depth", "calls", "dense_macs", "phase"}


class CountsError(UserError, ValueError):
    """A table of counts that cannot be read."""


def to_csv(passes: Iterable[Counts]) -> str:
    """The counts of variants, and of the phases of each, as the text of one `counts.csv`."""
    rows = [CountRow(counts, layer) for counts in passes for layer in counts.layers]
    return Table(COUNT_COLUMNS, rows).to_csv()


def by_variant(passes: Iterable[Counts], path: Path) -> dict[str, list[Counts]]:
    """The phases of each variant, in the order of the file.

    Raises:
        CountsError: If the phases of a variant are not of one model, counted in the same way.
    """
    phases: dict[str, list[Counts]] = {}
    for counts in passes:
        phases.setdefault(counts.variant, []).append(counts)
    for variant, (first, *others) in phases.items():
        for other in others:
            if difference := first.difference(other):
                raise CountsError(
                    f"counts '{path}': the phases '{first.phase}' and '{other.phase}' of variant "
                    f"'{variant}' have {difference}, so they are not passes of one model; give "
                    "each model a 'variant' or a file of its own"
                )
    return phases


def variants_of(passes: Iterable[Counts], path: Path) -> tuple[list[Counts], list[Counts]]:
    """The phases of the analog and of the spiking variant, or a CountsError if one has none."""
    phases = by_variant(passes, path)
    for variant in ("asa", "ssa"):
        if variant not in phases:
            raise CountsError(
                f"counts '{path}' have no variant '{variant}' (they have: "
                f"{', '.join(name or 'one without a name' for name in phases)}); a saving compares "
                "'asa' with 'ssa'"
            )
    return phases["asa"], phases["ssa"]


def read_csv(path: Path, say: Say = warn) -> list[Counts]:
    """Read counts back, one `Counts` per variant and phase, in the order of the file.

    The phases of a whole request stay apart, since each may live in another memory: the bill of a
    variant is the sum of the bills of its phases.

    Counts from elsewhere are welcome: `layer` and one column named after an `Op` are enough, and a
    mean-rate count may have a fraction. Headings in another case, semicolons, marks between
    thousands and suffixes are understood; rows that are the sum of others are left out; columns
    that are not known are left alone. An empty `zero_macs` is a layer whose zeros nobody counted;
    without `value_bytes`, bytes are those that the hardware moves.

    Args:
        path: A CSV file with a header.
        say: Told in a sentence each what was understood or left out; a warning unless given.

    Raises:
        CountsError: If the file cannot be read, lacks a column, has a cell that is no number from 0
            to 1e30, more spikes than slots or zeros than MACs, a row twice, or one that may be a
            sum or a layer; names line and column.
    """
    found, sheet, said = _found(path)
    counts = []
    own = {*sheet.header} >= _OWN
    _refuse_stray_totals(found, sheet)
    for key, group in found.items():
        layers, left_out = without_sums(group.layers, group.lines, sheet, own=own)
        said += left_out
        counts.append(Counts(key[0], layers, **group.about))
        if not own and len(layers) == len(group.layers):
            said += _like_sums(counts[-1])
    said += sheet.numerals.said()
    if "value_bytes" not in sheet.header and any(x in sheet.header for x in IN_BYTES):
        said.append("bytes are taken as those that the hardware moves, without 'value_bytes'")
    for sentence in said:
        say(f"{sheet.called}: {sentence}")
    return counts


def counts_bytes(path: Path) -> bool:
    """Whether a table of others says what moves in bytes; CountsError if it cannot be read."""
    with open_sheet(path, "counts", CountsError) as sheet:
        understand(sheet)
        header = {*sheet.header}
    return not header >= _OWN and not header.isdisjoint(IN_BYTES)


def _found(path: Path) -> tuple[dict[Key, Group], Sheet, list[str]]:
    """The rows of a table, the table, and what was understood of its header."""
    with open_sheet(path, "counts", CountsError) as sheet:
        said = understand(sheet)
        if (plain := read_plain(sheet)) is not None:
            return plain, sheet, said
    with open_sheet(path, "counts", CountsError) as sheet:
        understand(sheet)
        return Reader(sheet).read(), sheet, said


def _like_sums(counts: Counts) -> list[str]:
    """Says of a first or last row that its operations are those of all others; chance or a sum."""
    every = {op: counts.total(op) for op in counts.columns.ops}
    return [
        f"row {listed([layer.name])} has as many operations as all others together; it is added to "
        "them, so leave it out if it is their sum"
        for layer in (counts.layers[0], counts.layers[-1])
        if len(counts.layers) > 2
        and every
        and all(n == 2 * layer.tally.ops.get(op, 0) for op, n in every.items())
    ]


def _refuse_stray_totals(found: Mapping[Key, Group], sheet: Sheet) -> None:
    """Refuse totals that do not say of which variant or phase they are, beside rows that do."""
    for key, group in found.items():
        if all(map(is_total, names_of(group.layers))) and any(
            ours == "" != theirs for other in found for ours, theirs in zip(key, other, strict=True)
        ):
            raise sheet.fault(
                group.lines[0],
                f": the total {quoted(group.layers[0].name, 40)} does not say of which variant and "
                "phase it is; leave it out, or name both",
            )
