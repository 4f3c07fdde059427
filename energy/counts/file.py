"""Counts as a CSV file, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from energy.counts.counts import COUNT_COLUMNS, CountRow, Counts
from energy.counts.layer import Label, LayerCount, Tally
from energy.table import Table, read_rows
from hwmodels import Op
from hwmodels.errors import UserError


class CountsError(UserError, ValueError):
    """A table of counts that cannot be read."""


def to_csv(passes: Iterable[Counts]) -> str:
    """The counts of variants, and of the phases of each, as the text of one `counts.csv`."""
    rows = [CountRow(counts, layer) for counts in passes for layer in counts.layers]
    return Table(COUNT_COLUMNS, rows).to_csv()


def variants_of(passes: Iterable[Counts], path: Path) -> tuple[list[Counts], list[Counts]]:
    """The phases of the analog and of the spiking variant, or a CountsError if one has none."""
    phases: dict[str, list[Counts]] = {}
    for counts in passes:
        phases.setdefault(counts.variant, []).append(counts)
    for variant in ("asa", "ssa"):
        if variant not in phases:
            raise CountsError(
                f"counts '{path}' have no variant '{variant}' (they have: "
                f"{', '.join(name or 'one without a name' for name in phases)}); a saving compares "
                "'asa' with 'ssa'"
            )
    return phases["asa"], phases["ssa"]


def read_csv(path: Path) -> list[Counts]:
    """Read counts back, one `Counts` per variant and phase, in the order of the file.

    The phases of a whole request stay apart, since each may live in another memory: the bill of a
    variant is the sum of the bills of its phases.

    Counts from elsewhere are welcome: `layer` and one column named after an `Op` are enough, and a
    mean-rate count may have a fraction. Other columns are taken where they are known and left
    alone where they are not. An empty `zero_macs` is a layer whose zeros nobody counted.

    Args:
        path: A CSV file with a header.

    Raises:
        CountsError: If the file cannot be read, lacks a column, has a value that is not a finite
            number >= 0, or more multiply-accumulates by zero than there are; names line and column.
    """

    def check(header: list[str]) -> None:
        known = {*(column.name for column in COUNT_COLUMNS), *Op}
        if "layer" not in header or not any(op in header for op in Op):
            raise CountsError(
                f"counts '{path}' need the column 'layer' and at least one of {', '.join(Op)}; "
                f"the header is: {', '.join(header) or 'empty'}"
            )
        for column in header:
            if column not in known and (meant := _meant(column)):
                raise CountsError(
                    f"counts '{path}' have the column '{column}', which is not known; if "
                    f"'{meant}' is meant, call it so, else give it a name that cannot be taken "
                    "for one"
                )

    layers: dict[tuple[str, str], list[LayerCount]] = {}
    about: dict[tuple[str, str], dict[str, Any]] = {}
    for where, row in read_rows(path, "counts", CountsError, check):
        key = row.get("variant", ""), row.get("phase", "")
        layers.setdefault(key, []).append(_parse_layer(row, where))
        described = _parse_about(row, where)
        if about.setdefault(key, described) != described:
            raise CountsError(
                f"{where} describes another run than the rows above it of the same variant and "
                "phase; give each run a 'variant'"
            )
    return [Counts(key[0], tuple(rows), **about[key]) for key, rows in layers.items()]


def _meant(column: str) -> str | None:
    """The operation that an unknown column is likely to be: in another case, or in the plural."""
    word = column.strip().casefold()
    return next((op.value for op in Op if word.rstrip("s") == op.value.rstrip("s")), None)


def _index(row: Mapping[str, str], column: str, where: str, minimum: int) -> int | None:
    text = row.get(column, "").strip()
    if not text:
        return None
    if not text.isdecimal() or len(text) > 1000 or int(text) < minimum:
        raise CountsError(
            f"{where}, column '{column}' (= {text!r}) must be an integer, at least {minimum}"
        )
    return int(text)


def _parse_layer(row: Mapping[str, str], where: str) -> LayerCount:
    def number(column: str) -> float:
        text = row.get(column, "").strip()
        if not text:
            return 0
        with suppress(ValueError):
            return int(text)
        value = math.nan
        with suppress(ValueError):
            value = float(text)
        if not math.isfinite(value):
            raise CountsError(f"{where}, column '{column}' (= {text!r}) must be a number")
        # A mean-rate count from elsewhere may be fractional; our own never is.
        return int(value) if value.is_integer() else value

    def positive(column: str) -> float:
        if (value := number(column)) < 0:
            raise CountsError(f"{where}, column '{column}' (= {value}) must not be negative")
        return value

    ops = {op: value for op in Op if (value := positive(op.value))}
    zero_macs = positive("zero_macs") if row.get("zero_macs", "").strip() else None
    if zero_macs is not None and zero_macs > (macs := ops.get(Op.MAC, 0)):
        raise CountsError(
            f"{where}, column 'zero_macs' (= {zero_macs}) must not exceed column 'mac' (= {macs})"
        )
    return LayerCount(
        name=row["layer"],
        kind=row.get("kind", ""),
        label=Label(
            row.get("block") or "other", row.get("component", ""), _index(row, "depth", where, 0)
        ),
        calls=positive("calls"),
        tally=Tally(ops, positive("dense_macs"), positive("spikes"), positive("slots"), zero_macs),
    )


def _parse_about(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """The fields of `Counts` that every row of a run repeats."""
    about: dict[str, Any] = {
        key: row[key] for key in ("model", "weights", "phase", "attention") if row.get(key)
    }
    for key, minimum in (("batch", 1), ("tokens", 0), ("timesteps", 1), ("value_bytes", 1)):
        if (value := _index(row, key, where, minimum)) is not None:
            about[key] = value
    return about
