"""A table of components and actions, as Accelergy and its relatives make them, read as prices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from energy.sheet import Sheet, open_sheet
from hwmodels import Evidence, Op, ProfileError
from hwmodels.each import EACH, energy_of
from hwmodels.errors import did_you_mean
from hwmodels.plain import quoted
from hwmodels.units import DATA, ENERGY_PER_BYTE
from reports.hardware.cost_keys import SHIFT, is_off_chip, keys_of, level_of

#: Columns, and the names that they have elsewhere.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "component": ("name",),
    "class": ("type",),
    "action": (),
    "energy": ("energy_pj", "energy (pj)"),
    "unit": ("units",),
    "bits": ("width", "word_bits", "bits_per_action"),
    "capacity": ("size", "capacity_bytes"),
    "key": (),
    "source": (),
    "evidence": (),
}
DERIVED = Evidence.DERIVED.value
_NEEDED = ("component", "action", "energy")
_MEMORY_KEY = re.compile(r"memory\.(\w+)\.(read|write)")


class Row(NamedTuple):
    """One action of one component, as the price of something."""

    line: int  #: in the table
    component: str
    action: str
    key: str  #: the constant that it prices, `prices.mac` or `memory.sram.read`; empty for none
    energy: str  #: with its unit
    source: str  #: who says it
    evidence: str
    capacity_bytes: int | None = None
    off_chip: bool = False

    @property
    def called(self) -> str:
        """Where it stands, and what it is."""
        return f"line {self.line}: {self.component}, {self.action}"


class Costs(NamedTuple):
    """What a table says."""

    path: Path
    prices: Mapping[str, Row]  #: of operations, by name
    memory: Mapping[str, tuple[Row, Row]]  #: the read and the write of each level
    left_out: tuple[Row, ...]  #: rows that price nothing here
    additions: bool  #: whether an accumulate is taken to be an addition
    shifts: bool  #: whether a shift_ac is taken to be a shift and an accumulate

    @property
    def homes(self) -> tuple[str, ...]:
        """Levels that buffers may live in: the cheapest first, those beside the chip last.

        A memory on the chip has room for what its capacity says, and so none where it says none.
        """
        found = [
            (read.off_chip, float(ENERGY_PER_BYTE.read(read.energy)), name)
            for name, (read, _) in self.memory.items()
            if read.off_chip or read.capacity_bytes is not None
        ]
        return tuple(name for _, _, name in sorted(found))

    @property
    def homeless(self) -> tuple[str, ...]:
        """Levels on the chip that say no capacity."""
        return tuple(name for name in self.memory if name not in self.homes)


def read_costs(path: Path) -> Costs:
    """Read a table.

    Args:
        path: A CSV file with the columns component (or name), action and energy, and any of class,
            unit, bits, capacity, key, source and evidence.

    Raises:
        ProfileError: If it cannot be read, two rows are one price, or no row is one; names lines.
    """
    with open_sheet(path, "costs", ProfileError) as sheet:
        known = {alias: name for name, aliases in COLUMNS.items() for alias in (name, *aliases)}
        sheet.rename({name: known.get(name.casefold(), name) for name in sheet.header})
        _check_columns(sheet)
        rows: list[Row] = []
        for line, cells in sheet.rows:
            named = dict(zip(sheet.header, map(str.strip, cells), strict=True))
            rows += _rows(sheet, line, named, path.name)
    return _gathered(path, rows)


def _check_columns(sheet: Sheet) -> None:
    for name in _NEEDED:
        if name not in sheet.header:
            others = ", ".join(x for x in COLUMNS if x not in _NEEDED)
            raise ProfileError(
                f"{sheet.called} have no column '{name}'; a table of costs has "
                f"{', '.join(_NEEDED)}, and maybe {others}"
            )
    for name in sheet.header:
        if name not in COLUMNS:
            hint = did_you_mean(name.casefold(), COLUMNS) or f"; known are {', '.join(COLUMNS)}"
            raise ProfileError(f"{sheet.called} have a column {quoted(name)}{hint}")


def _rows(sheet: Sheet, line: int, cells: Mapping[str, str], file: str) -> list[Row]:
    """What a line prices: nothing, one thing, or, where it is an addition, two."""
    component, action, number = (cells[name] for name in _NEEDED)
    for name in _NEEDED:
        if not cells[name]:
            raise sheet.fault(line, f", column '{name}' is empty")
    evidence = cells.get("evidence") or Evidence.UNVERIFIED.value
    if evidence not in list(Evidence):
        raise sheet.fault(line, f", evidence {quoted(evidence)} is none of {', '.join(Evidence)}")
    about = f"{cells.get('class', '')} {level_of(component)}".casefold().replace("_", " ")
    keys = keys_of(component, about, action)
    if key := cells.get("key"):
        keys = (_checked_key(sheet, line, key),)
    unit = cells.get("unit") or ("" if number[-1].isalpha() else "pJ")  # as ERTs of Accelergy are
    size: int | None = None
    try:
        if text := cells.get("capacity"):
            size = int(DATA.read(text if text[-1].isalpha() else f"{text} bytes"))
        energy = f"{number} {unit}".strip()
        energies = [_energy(key, energy, cells.get("bits", "")) for key in keys]
    except ValueError as bad:
        raise sheet.fault(line, f" ({component}, {action}): {bad}") from bad
    source = cells.get("source") or f"{file}, line {line}: {component}, {action}"
    rest = (size, is_off_chip(about))
    return [
        # That an accumulate is an addition is our word, not that of the table.
        Row(line, component, action, key, pj, source, _grade(evidence, key, i), *rest)
        for i, (key, pj) in enumerate(zip(keys or ("",), energies or (energy,), strict=True))
    ]


def _grade(evidence: str, key: str, number: int) -> str:
    return DERIVED if number and key.startswith("prices.") else evidence


def _energy(key: str, energy: str, bits: str) -> str:
    """The price with its unit, as a profile may hold it; raises ValueError if it is none."""
    if not key.startswith("memory."):
        energy_of(Op.SHIFT_AC if key == SHIFT else Op(key.removeprefix("prices.")), energy)
        return energy
    if bits and not re.search(r"/|\bper\b", energy):
        energy = f"{energy} / {bits} bit"
    if not re.search(r"/|\bper\b", energy):
        raise ValueError(
            f"an access of how many bits? Give a column bits, or the unit as 'pJ / 64 bit', not "
            f"{quoted(energy)}"
        )
    ENERGY_PER_BYTE.read(energy)
    return energy


def _checked_key(sheet: Sheet, line: int, key: str) -> str:
    """The constant that a row names itself."""
    known = [f"prices.{op}" for op in dict.fromkeys(op for ops in EACH.values() for op in ops)]
    if key in known or _MEMORY_KEY.fullmatch(key):
        return key
    hint = did_you_mean(key, known)
    raise sheet.fault(
        line,
        f", key {quoted(key)} must be a price such as prices.mac, or memory.NAME.read or "
        f"memory.NAME.write{hint}",
    )


def _gathered(path: Path, rows: Iterable[Row]) -> Costs:
    """Rows by what they price; an accumulate that has a row of its own is no addition."""
    rows = list(rows)
    found: dict[str, Row] = {}
    added = {row.line for row in rows if row.key == "prices.add"}
    own = [row for row in rows if row.key == "prices.ac" and row.line not in added]
    for row in rows:
        if row.key in ("", SHIFT) or (own and row.key == "prices.ac" and row.line in added):
            continue
        if (other := found.setdefault(row.key, row)) is not row:
            raise ProfileError(
                f"costs '{path}': {row.key} has two numbers, {other.called} and {row.called}; "
                "leave one out, or say what it is in a column key"
            )
    shifts = [row for row in rows if row.key == SHIFT]
    ac = found.get("prices.ac")
    shifted = len(shifts) == 1 and ac is not None and "prices.shift_ac" not in found
    if shifted and ac is not None:
        found["prices.shift_ac"] = _shifted(shifts[0], ac)
    if not found:
        known = ", ".join(row.called for row in rows[:3])
        raise ProfileError(
            f"costs '{path}' price nothing that a model does ({known}); say what a row prices in a "
            "column key, such as prices.mac or memory.sram.read"
        )
    levels: dict[str, tuple[Row, Row]] = {}
    for name in dict.fromkeys(key.split(".")[1] for key in found if key.startswith("memory.")):
        ends = [found.get(f"memory.{name}.{kind}") for kind in ("read", "write")]
        read, write = ends
        if read is None or write is None:
            [there] = [end for end in ends if end is not None]
            missing = "read" if read is None else "write"
            raise ProfileError(
                f"costs '{path}': memory.{name} has no {missing} beside {there.called}; add a row, "
                "or call the action 'access' where both cost the same"
            )
        levels[name] = (read, write)
    prices = {key.removeprefix("prices."): row for key, row in found.items() if "prices." in key}
    unused = ("",) if shifted else ("", SHIFT)
    left = tuple(row._replace(key="") for row in rows if row.key in unused)
    return Costs(path, prices, levels, left, ac is not None and ac.line in added, shifted)


def _shifted(shift: Row, ac: Row) -> Row:
    """An accumulate of a shifted value; that it is both one after the other is our word."""
    pj = energy_of(Op.SHIFT_AC, shift.energy) + energy_of(Op.AC, ac.energy)
    return shift._replace(
        key="prices.shift_ac",
        energy=f"{pj:.12g} pJ",
        source=f"{shift.source} + {ac.source}",
        evidence=DERIVED,
    )
