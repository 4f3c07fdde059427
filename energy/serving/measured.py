"""A table of measured servers: of one's own, of ML.ENERGY, or exported by Zeus or CodeCarbon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from energy.serving.columns import NAMES, NUMBERS, SIZES, WORDS
from energy.sheet import Say, Sheet, listed, open_sheet, warn
from hwmodels.errors import UserError
from hwmodels.plain import quoted

#: A column of an export of Zeus: joules of one GPU.
_ZEUS = re.compile(r"gpu\d+_energy")

#: What a unit in the name of a column says about energy that has none.
_UNITLESS = frozenset(("energy", "energy_per_token", "total_energy"))

#: The most that may be: 1 MJ for a token, an hour between two.
_MOST = {"energy_j": 1e6, "latency_s": 3600.0, "batch": 1e6, "output": 1e7, "prompt": 1e8}

#: What one chip can draw in watts, from the smallest board to a wafer.
_POWER_W = (0.1, 30e3)


class MeasuredError(UserError, ValueError):
    """A table of measured servers that cannot be used."""


@dataclass(frozen=True)
class Measured:
    """A row of such a table. A number that is not there is None."""

    line: int  #: where it stands in the file
    model: str  #: name, hub id or path
    batch: float  #: mean sequences side by side
    output: float  #: mean tokens of an answer
    energy_j: float  #: joules of all GPUs for each token of an answer
    gpus: int = 1
    config: str = ""  #: path of its configuration
    gpu: str = ""  #: which GPU
    task: str = ""  #: what was asked
    precision: str = ""  #: number format of the weights
    prompt: float | None = None  #: mean tokens of a prompt
    latency_s: float | None = None  #: median seconds between two tokens of a sequence
    rate: float | None = None  #: tokens of all answers per second
    sizes: Mapping[str, float] = field(default_factory=dict)  #: what of `SIZES` is given


def read_measured(path: Path, say: Say = warn) -> list[Measured]:
    """Read measured points, in the order of the file.

    Columns are those of `energy.serving.columns`, in any case; others are left out, and said.
    Joules may be for each token, or in all beside the numbers of requests and of their tokens;
    watt-hours and kilowatt-hours are converted where the name of the column says them.

    Args:
        path: A CSV file with a header.
        say: Told in a sentence each what was understood; a warning unless given.

    Raises:
        MeasuredError: If the file cannot be read, a column is missing, or a cell is no number that
            it can be; names the line and the column.
    """
    with open_sheet(path, "measured points", MeasuredError) as sheet:
        said = _understand(sheet)
        rows = [_row(sheet, line, cells) for line, cells in sheet.rows]
    for sentence in said + sheet.numerals.said():
        say(f"{sheet.called}: {sentence}")
    return rows


def _understand(sheet: Sheet) -> list[str]:
    """Refuse a table that lacks columns; what is to be said of the others."""
    if not any(sheet.header):
        raise MeasuredError(
            f"{sheet.called} are empty; the first line names the columns "
            "(`neurt-energy hw fit --help` lists them)"
        )
    sheet.header = [name.casefold().replace(" ", "_") for name in sheet.header]
    for name in _UNITLESS & set(sheet.header):
        raise MeasuredError(
            f"{sheet.called}: column '{name}' does not say its unit; call it energy_per_token_j "
            "(or _wh, _kwh) if it is for each token, energy_j if it is in all"
        )
    taken = [name for name in sheet.header if name in NAMES or _ZEUS.fullmatch(name)]
    fields = [_field(name) for name in taken]
    for one in fields:
        if one != "total_j" and fields.count(one) > 1:
            names = listed(name for name in taken if _field(name) == one)
            raise MeasuredError(f"{sheet.called} have {names}, which are the same; keep one")
    _check_needed(sheet, fields)
    said = []
    if "gpus" not in fields and not any(map(_ZEUS.fullmatch, taken)):
        whose = "those of 'tensor_parallel'" if "parallel" in fields else "taken to be 1 each"
        said.append(f"no column says the number of GPUs, which are {whose}")
    left = [name for name in sheet.header if name not in taken]
    if left:
        said.append(f"columns left out: {listed(left)}")
    for name in taken:
        if name.endswith("wh") or name.endswith("wh_per_token") or name == "gpu_energy":
            unit = "Wh" if NAMES[name].factor == 3600 else "kWh"
            said.append(f"column '{name}' is in {unit}, and is converted to J")
    return said


def _field(name: str) -> str:
    return "total_j" if _ZEUS.fullmatch(name) else NAMES[name].field


def _check_needed(sheet: Sheet, fields: list[str]) -> None:
    missing = [name for name in ("model", "batch", "output") if name not in fields]
    if "energy_j" not in fields:
        if "total_j" not in fields:
            missing.append("energy_j")
        elif "requests" not in fields:
            missing.append("requests")
    if missing:
        wanted = [(WORDS.get(name) or tuple(NUMBERS[name]))[0] for name in missing]
        known = "`neurt-energy hw fit --help` lists all"
        raise MeasuredError(
            f"{sheet.called} lack the column{'s' if len(wanted) > 1 else ''} {', '.join(wanted)}; "
            f"{known}"
        )


def _row(sheet: Sheet, line: int, cells: list[str]) -> Measured:
    words: dict[str, str] = {}
    numbers: dict[str, float] = {}
    joules = 0
    for name, text in zip(sheet.header, (cell.strip() for cell in cells), strict=True):
        if not text or not (name in NAMES or _ZEUS.fullmatch(name)):
            continue
        what = _field(name)
        if what in WORDS:
            words[what] = text
            continue
        value = _number(sheet, line, name, what, text)
        if what == "total_j":
            joules += bool(_ZEUS.fullmatch(name))
            value += numbers.get(what, 0.0)
        numbers[what] = value
    return _measured(sheet, line, words, numbers, joules)


def _number(sheet: Sheet, line: int, name: str, what: str, text: str) -> float:
    value = float(sheet.number(line, name, text.removeprefix("-"), suffixes=False))
    least = 0.0 if what in ("prompt", "size_state_bytes") else None
    wrong = text.startswith("-") or (value == 0 and least is None)
    if wrong:
        rule = "must be more than 0" if least is None else "must not be negative"
        raise sheet.fault(line, f", column '{name}' (= {quoted(text, 40)}) {rule}")
    value *= NAMES[name].factor if name in NAMES else 1.0
    if value > _MOST.get(what, 1e18):
        raise sheet.fault(
            line,
            f", column '{name}' (= {quoted(text, 40)}) is more than any server; check its unit",
        )
    return value


def _gpus(sheet: Sheet, line: int, numbers: Mapping[str, float], joules: int) -> int:
    """GPUs of a row: said, those that share a layer, those with joules of their own, or one."""
    parallel = numbers.get("parallel", float(joules or 1))
    gpus = numbers.get("gpus", max(parallel, float(joules)))
    if not gpus.is_integer() or gpus > 4096:
        raise sheet.fault(line, f" has {gpus:g} GPUs; give a whole number of at most 4096")
    if "parallel" in numbers and gpus % parallel:
        raise sheet.fault(
            line, f" has {gpus:g} GPUs, of which {parallel:g} share each layer: no whole number"
        )
    return int(gpus)


def _measured(
    sheet: Sheet, line: int, words: Mapping[str, str], numbers: dict[str, float], joules: int
) -> Measured:
    for what in ("model", "batch", "output"):
        if what not in words and what not in numbers:
            raise sheet.fault(line, f" has no {what}")
    gpus = _gpus(sheet, line, numbers, joules)
    tokens = numbers["output"] * numbers.get("requests", 0.0)
    if "energy_j" not in numbers:
        if "total_j" not in numbers or not tokens:
            raise sheet.fault(line, " has no energy, or no requests that it is of")
        numbers["energy_j"] = numbers["total_j"] / tokens
    rate = numbers.get("rate")
    if rate is None and tokens and "duration_s" in numbers:
        rate = tokens / numbers["duration_s"]
    made = rate or numbers["batch"] / numbers.get("latency_s", inf)
    power = numbers["energy_j"] * made / gpus
    if made and not _POWER_W[0] <= power <= _POWER_W[1]:
        raise sheet.fault(
            line,
            f" makes {power:.3g} W for each GPU, which none draws; check units of energy and time",
        )
    if numbers.get("replicas", 1.0) != 1:
        raise sheet.fault(
            line, " is of several replicas; give batch and GPUs of one, and data_parallel 1"
        )
    return Measured(
        line=line,
        model=words["model"],
        batch=numbers["batch"],
        output=numbers["output"],
        energy_j=numbers["energy_j"],
        gpus=gpus,
        config=words.get("config", ""),
        gpu=words.get("gpu", ""),
        task=words.get("task", ""),
        precision=words.get("precision", ""),
        prompt=numbers.get("prompt"),
        latency_s=numbers.get("latency_s"),
        rate=rate,
        sizes={name: numbers[name] for name in SIZES if name in numbers},
    )
