"""A table of components and actions, as Accelergy and its relatives make them, read as prices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from energy.sheet import Sheet, open_sheet
from hwmodels import Evidence, Op, ProfileError
from hwmodels.each import EACH, energy_of
from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import quoted
from hwmodels.units import DATA, ENERGY_PER_BYTE
from reports.hardware.cost_keys import SHIFT, is_access, is_off_chip, keys_of, level_of
from reports.hardware.cost_levels import NOTHING, Access, check_levels, whole_levels, with_access
from reports.hardware.cost_rows import DERIVED, Costs, Row
from reports.hardware.ert import SUFFIXES, read_ert

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
#: Makes the error of a line.
Fault = Callable[[int, str], UserError]

#: Why what is read or written has no price.
NO_MEMORY = (
    "not known as a memory: give --bits {0}=64 and --capacity {0}=1MiB, or, in a CSV, a class such "
    "as SRAM or a key"
)

_NEEDED = ("component", "action", "energy")
_MEMORY_KEY = re.compile(r"memory\.(\w+)\.(read|write)")


def read_costs(path: Path, about: Mapping[str, Access] = NOTHING) -> Costs:
    """Read a table, or an energy reference table of Accelergy in YAML.

    Args:
        path: A CSV file with the columns component (or name), action and energy, and any of class,
            unit, bits, capacity, key, source and evidence; or a YAML file, see `ert.read_ert`.
        about: What a table does not say of memories, by the name of the level.

    Raises:
        ProfileError: If it cannot be read, two rows are one price, or no row is one; names lines.
    """
    if path.suffix.casefold() in SUFFIXES:
        return _of_ert(path, about)
    with open_sheet(path, "costs", ProfileError) as sheet:
        known = {alias: name for name, aliases in COLUMNS.items() for alias in (name, *aliases)}
        sheet.rename({name: known.get(name.casefold(), name) for name in sheet.header})
        _check_columns(sheet)
        rows: list[Row] = []
        for line, cells in sheet.rows:
            named = dict(zip(sheet.header, map(str.strip, cells), strict=True))
            rows += _rows(sheet.fault, line, named, about, path.name)
    check_levels(path, (row.component for row in rows), about)
    return _gathered(path, rows)


def _of_ert(path: Path, about: Mapping[str, Access]) -> Costs:
    """The same of a YAML file, in which no memory says how many bits an access has."""

    def fault(line: int, text: str) -> UserError:
        return ProfileError(f"costs '{path}', line {line}{text}")

    actions = read_ert(path)
    rows: list[Row] = []
    for entry, _ in actions:
        cells = {"component": entry.component, "action": entry.action}
        cells["energy"] = f"{entry.energy:.12g}"
        rows += _rows(fault, entry.line, cells, about, path.name, partial=True)
    check_levels(path, (row.component for row in rows), about)
    chosen = tuple(action.note for action in actions if action.note)
    return _gathered(path, whole_levels(rows))._replace(chosen=chosen)


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


def _rows(
    fault: Fault,
    line: int,
    cells: Mapping[str, str],
    given: Mapping[str, Access],
    file: str,
    *,
    partial: bool = False,
) -> list[Row]:
    """What a line prices: nothing, one thing, or, where it is an addition, two.

    A memory whose accesses have no bits is an error; of a `partial` table it has no price.
    """
    cells = with_access(cells, given)
    component, action, number = (cells[name] for name in _NEEDED)
    for name in _NEEDED:
        if not cells[name]:
            raise fault(line, f", column '{name}' is empty")
    evidence = cells.get("evidence") or Evidence.UNVERIFIED.value
    if evidence not in list(Evidence):
        raise fault(line, f", evidence {quoted(evidence)} is none of {', '.join(Evidence)}")
    level = level_of(component)
    about = f"{cells.get('class', '')} {level}".casefold().replace("_", " ")
    sized = bool(cells.get("bits") and cells.get("capacity"))
    keys = keys_of(component, about, action, named=level in given, sized=sized)
    if key := cells.get("key"):
        keys = (_checked_key(fault, line, key),)
    unit = cells.get("unit") or ("" if number[-1].isalpha() else "pJ")  # as ERTs of Accelergy are
    size: int | None = None
    why = "" if keys or not is_access(action) else NO_MEMORY.format(level)
    if partial and keys and keys[0].startswith("memory.") and not cells.get("bits"):
        keys, why = (), f"an access of how many bits? Give --bits {level}=64"
    try:
        if text := cells.get("capacity"):
            size = int(DATA.read(text if text[-1].isalpha() else f"{text} bytes"))
        energy = f"{number} {unit}".strip()
        energies = [_energy(key, energy, cells.get("bits", "")) for key in keys]
    except ValueError as bad:
        raise fault(line, f" ({component}, {action}): {bad}") from bad
    source = cells.get("source") or f"{file}, line {line}: {component}, {action}"
    rest = (size, is_off_chip(about), why)
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


def _checked_key(fault: Fault, line: int, key: str) -> str:
    """The constant that a row names itself."""
    known = [f"prices.{op}" for op in dict.fromkeys(op for ops in EACH.values() for op in ops)]
    if key in known or _MEMORY_KEY.fullmatch(key):
        return key
    hint = did_you_mean(key, known)
    raise fault(
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
