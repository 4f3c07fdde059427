"""A table of costs as the TOML file of a hardware profile, and what was made of each row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from energy.table import Column, Table, at
from hwmodels import Buffer, Evidence, HardwareProfile, Op, ProfileError
from hwmodels.template_text import SCHEMA_FILE
from reports.hardware.cost_rows import Costs, Row

ADDITION = "An accumulate of an event is taken to be an addition, at the price of the adder."
SHIFTED = "An event that is a power of two is taken to cost a shift and an accumulate."


class Frame(NamedTuple):
    """What a table of costs does not say, and a profile must."""

    name: str  #: what to type after --hw
    extends: str | None = None  #: the profile that all else is from
    base: HardwareProfile | None = None  #: that profile
    precision: str | None = None  #: the number format of the arithmetic, where it extends none

    @property
    def value_bytes(self) -> float:
        """Width of the arithmetic: that in the name of its format, `int8`, `bf16`.

        Raises:
            ProfileError: If the name has no number of bits.
        """
        bits = re.fullmatch(r"[a-z_]*?(\d{1,3})\w*", self.precision or "")
        if bits is None or not 1 <= int(bits[1]) <= 128:
            raise ProfileError(
                "a table of costs says no number format: give --precision with its bits, as int8 "
                "or fp32, or --extends with a profile that has one"
            )
        return int(bits[1]) / 8


COLUMNS: tuple[Column[Row], ...] = (
    Column("line", at("line"), "line"),
    Column("component", at("component"), "component", words=True),
    Column("action", at("action"), "action", words=True),
    Column("energy", at("energy"), "energy", words=True),
    Column("key", lambda row: row.key or None, "prices", words=True),
)


def costs_table(costs: Costs) -> Table[Row]:
    """A row for each number that became a price, and for each that did not."""
    pairs = [row for level in costs.memory.values() for row in level]
    rows = [*costs.prices.values(), *pairs, *costs.left_out]
    return Table(COLUMNS, sorted(rows, key=lambda row: row.line))


def notes(costs: Costs, base: HardwareProfile | None = None) -> Iterator[str]:
    """What somebody must know who uses the profile, a sentence each.

    Args:
        costs: A table of costs.
        base: The profile that all else is from, if any.
    """
    yield from _assumptions(costs)
    yield from costs.chosen
    for row in costs.left_out:
        why = f"; {row.why}" if row.why else ""
        yield f"In no price: {row.called} ({row.energy}){why}."
    for name in costs.homeless:
        yield (
            f"memory.{name} says no capacity, so that nothing is placed in it: give a column "
            "capacity (or --capacity), or a table [delivery] if it is the buffer beside the adders."
        )
    if Op.SHIFT_AC not in costs.prices:
        yield _event(costs, base)
    if Op.MAC not in costs.prices and Op.AC not in costs.prices:
        yield "Neither a multiply-accumulate nor an accumulate has a price in the table."


def _event(costs: Costs, base: HardwareProfile | None) -> str:
    """Where the price of the event of the default conversion is from, if not from a row."""
    if base is None or not base.is_priced(Op.SHIFT_AC):
        ways = "" if base else ", or take what is missing from a profile with --extends"
        return (
            f"No row{f' and not {base.name}' if base else ''} prices shift_ac, the event of the "
            "default conversion; give one the key prices.shift_ac, plan with --code "
            f"signed_if{ways}."
        )
    inherited = f"inherited from {base.name}, {base.energy_pj(Op.SHIFT_AC):g} pJ"
    if Op.AC not in costs.prices:
        return f"The price of shift_ac, the event of the default conversion, is {inherited}."
    return (
        f"The price of shift_ac, the event of the default conversion, is {inherited}, and of "
        f"another origin than that of ac, {costs.prices[Op.AC].energy}, which is of the table; "
        "give a row the key prices.shift_ac, or plan with --code signed_if."
    )


def _assumptions(costs: Costs) -> list[str]:
    return [ADDITION] * costs.additions + [SHIFTED] * costs.shifts


def costs_text(costs: Costs, frame: Frame) -> str:
    """The file; raises ProfileError if the width of the arithmetic is not known."""
    parts = (*_head(costs, frame), *_prices(costs), *_memory(costs), *_placement(costs))
    return "\n".join([*parts, ""])


def _head(costs: Costs, frame: Frame) -> Iterator[str]:
    yield f"#:schema ./{SCHEMA_FILE}"
    yield f"# Made of {costs.path.name} by `neurt-energy hw new --from`."
    for sentence in notes(costs, frame.base):
        yield f"# {sentence}"
    if frame.extends is not None:
        yield f"extends = {_quoted(frame.extends)}"
    yield f"name = {_quoted(frame.name)}"
    yield f"title = {_quoted(f'{frame.name}, from {costs.path.name}')}"
    if frame.extends is None:
        yield f"precision = {_quoted(str(frame.precision))}"
        yield f"value_bytes = {frame.value_bytes:g}"
        yield 'scope = "per_term"'
        yield 'dataflow = "layerwise"'
        yield 'fusion = "fused"'
    if assumed := _assumptions(costs):
        yield f"assumptions = [{', '.join(map(_quoted, assumed))}]"


def _prices(costs: Costs) -> Iterator[str]:
    for op, row in costs.prices.items():
        yield f"\n[prices.{op}]"
        yield f"pj = {_quoted(row.energy)}"
        yield from _cited(row)
    if not costs.prices:
        yield "\n[prices]"


def _memory(costs: Costs) -> Iterator[str]:
    for name, (read, write) in costs.memory.items():
        mark = "#" if name in costs.homeless else ""
        yield f"\n{mark}[memory.{name}]"
        yield f"{mark}read_pj_per_byte = {_quoted(read.energy)}"
        yield f"{mark}write_pj_per_byte = {_quoted(write.energy)}"
        sizes = {row.capacity_bytes for row in (read, write)} - {None}
        if len(sizes) > 1:
            raise ProfileError(
                f"costs '{costs.path}': memory.{name} has two capacities, of {read.called} and of "
                f"{write.called}; give one"
            )
        for size in sizes:
            yield f"{mark}capacity_bytes = {size}"
        alike = read.evidence == write.evidence
        both = read._replace(
            source=f"{read.source}; {write.source}" if read.source != write.source else read.source,
            evidence=read.evidence if alike else Evidence.UNVERIFIED.value,
        )
        yield from (f"{mark}{line}" for line in _cited(both))


def _placement(costs: Costs) -> Iterator[str]:
    if costs.homes:
        yield "\n[placement]"
        for buffer in Buffer:
            yield f"{buffer} = [{', '.join(map(_quoted, costs.homes))}]"


def _cited(row: Row) -> Iterator[str]:
    yield f"source = {_quoted(row.source)}"
    yield f"evidence = {_quoted(row.evidence)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
