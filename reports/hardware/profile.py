"""Hardware profiles on the terminal: all, one, and what differs between two."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Console

from energy.formulas.arithmetic import ARITHMETIC
from energy.table import Column, Table, at, texts
from hwmodels import HardwareProfile, MemoryLevel, Op, ProfileError, load_profile, profile_names
from hwmodels.catalog import unused_plug_ins
from hwmodels.diff import Difference, Entry, curve, differences, size
from hwmodels.prices import Cited, Throughput
from hwmodels.usage import unpriced
from reports.hardware.whole_chip import print_whole_chip
from reports.kit.machine import rules
from reports.kit.table import print_sentence, print_table

_PRICES = ("MAC (pJ)", "AC (pJ)", "neuron (pJ)")
_WORDS = ("scope", "title", "sources")

#: Columns of the list of profiles.
LISTED = texts("name", "precision", *_PRICES, *_WORDS, words=("precision", *_WORDS))

#: Columns of the numbers of a profile.
NUMBERS = texts("what", "pJ", "range", "evidence", "source", words=("evidence", "source"))

#: A row in words; None where there is nothing to say.
Texts = tuple[str | None, ...]


def list_profiles() -> tuple[Table[Texts], list[str]]:
    """One row per profile, and a sentence for each plug-in that is not among them."""
    rows, left_out = [], unused_plug_ins()
    for name in profile_names():
        try:
            rows.append(_listed(name, load_profile(name)))
        except ProfileError as error:
            left_out.append(str(error))
    return Table(LISTED, rows), left_out


def _listed(name: str, profile: HardwareProfile) -> Texts:
    neuron = _price(profile, Op.NEURON_UPDATE) or _leaky(profile)
    prices = _price(profile, Op.MAC), _price(profile, Op.AC), neuron
    return name, profile.precision, *prices, profile.scope, profile.title, _agreement(profile)


def _price(profile: HardwareProfile, op: Op) -> str | None:
    pj = profile.energy_pj(op)
    if pj is None:
        return None
    return "included" if op in profile.included else f"{pj:g}"


def _leaky(profile: HardwareProfile) -> str | None:
    """A step of a leaky neuron, where it is charged by what it is made of."""
    parts = ARITHMETIC["LIF"].ops(values=0, steps=1)
    known = [pj * each for op, each in parts.items() if (pj := profile.energy_pj(op)) is not None]
    return f"{math.fsum(known):g}" if len(known) == len(parts) else None


def _agreement(profile: HardwareProfile) -> str:
    worst = max(profile.prices, key=lambda op: profile.prices[op].conflict, default=None)
    if worst is None or profile.prices[worst].conflict == 1:
        return ""
    return f"{worst} differs x{profile.prices[worst].conflict:.3g}"


def print_profile(profile: HardwareProfile, console: Console) -> None:
    """Every number of a profile with its range, evidence and source, and what has no price."""
    print_sentence(f"{profile.name}: {profile.title}", console, "bold")
    node = "unknown node" if profile.process_nm is None else f"{profile.process_nm:g} nm"
    width = f"{profile.value_bytes:g} bytes per value"
    print_sentence(f"{node}, {profile.precision}, {width}, {profile.scope}", console)
    if profile.whole_chip is not None:
        print_whole_chip(profile.whole_chip, console)
    else:
        _print_prices(profile, console)
    for assumption in profile.assumptions:
        print_sentence(f"- {assumption}", console)


def _print_prices(profile: HardwareProfile, console: Console) -> None:
    """Those of operations, and of memory."""
    for line in rules(profile):
        print_sentence(line, console)
    if (table := profile_table(profile)).rows:
        print_table(table, console)
    for line, style in _lines(profile):
        print_sentence(line, console, style)


def profile_table(profile: HardwareProfile) -> Table[Texts]:
    """One row per price and memory level."""
    return Table(NUMBERS, list(_numbers(profile)))


def _numbers(profile: HardwareProfile) -> Iterator[Texts]:
    for op, price in profile.prices.items():
        source = source_of(price)
        if price.others:
            others = "; ".join(f"{other.pj:g} pJ, {other.source}" for other in price.others)
            source += f". Sources conflict by a factor of {price.conflict:.3g}; others: {others}"
        spread = _range(price, price.pj)
        yield op.value, f"{price.pj:g}", spread, price.evidence, source
    for name, level in profile.memory.items():
        yield f"{name}, per byte", *_memory(level), level.evidence, source_of(level)


def _memory(level: MemoryLevel) -> tuple[str, str]:
    read, write = level.read_pj_per_byte, level.write_pj_per_byte
    if read is None or write is None:
        times = f"x{level.spread[0]:g} to x{level.spread[1]:g}" if level.spread else ""
        return curve(level).replace(", ", "\n"), times
    if read == write:
        return f"{read:g}", _range(level, read)
    ranges = dict.fromkeys(r for r in (_range(level, read), _range(level, write)) if r)
    return f"{read:g} / {write:g}", " / ".join(ranges)


def _range(number: Cited, value: float) -> str:
    return "" if number.spread is None else " to ".join(f"{value * x:g}" for x in number.spread)


def _lines(profile: HardwareProfile) -> Iterator[tuple[str, str]]:
    """What a table cannot hold: lines and their styles."""
    for line in (*_memories(profile), *_limits(profile)):
        yield line, ""
    for reason in dict.fromkeys(profile.included.values()):
        ops = ", ".join(op.value for op, why in profile.included.items() if why == reason)
        yield f"{ops}: {reason}", "dim"
    if missing := unpriced(profile):
        yield f"without a price: {', '.join(missing)}", "yellow"


def _memories(profile: HardwareProfile) -> Iterator[str]:
    for name, level in profile.memory.items():
        buffers = ", ".join(b.value for b, where in profile.placement.items() if name in where)
        held = f" of {size(level.capacity_bytes)}" if level.capacity_bytes else ""
        yield f"{name}{held}: {buffers or 'unused'}"
    for levels in dict.fromkeys(profile.placement.values()):
        if len(levels) > 1:
            buffers = ", ".join(b for b, where in profile.placement.items() if where == levels)
            yield f"{buffers}: in {', else in '.join(levels)}"


def _limits(profile: HardwareProfile) -> Iterator[str]:
    if (fetch := profile.delivery) is not None:
        yield (
            f"delivery {fetch.pj_per_byte:g} pJ per byte fetched beside the adders, for "
            f"{fetch.mac_reuse:g} multiply-accumulates or {fetch.event_reuse:g} events"
            f"{_reuses(fetch.reuse_range)} ({_grounds(fetch)})"
        )
    if (static := profile.static_power) is not None:
        yield f"static power {static.watts:g} W ({_grounds(static)})"
    rates: dict[Throughput, list[str]] = {}
    for op, rate in profile.throughput.items():
        rates.setdefault(rate, []).append(op)
    for rate, ops in rates.items():
        yield f"throughput {rate.per_second:g} {', '.join(ops)} per second ({_grounds(rate)})"
    for name, fast in profile.bandwidth.items():
        yield f"bandwidth of {name} {fast.bytes_per_second:g} bytes per second ({_grounds(fast)})"
    if not profile.throughput:
        yield "no throughput: latency, and what follows from it, is unknown"
    if (core := profile.core) is not None:
        yield f"core of {core.synapses:,} synapses, {core.neurons:,} neurons ({_grounds(core)})"
    for figure in profile.system:
        shown = f"{figure.value:g} {figure.unit}, {figure.what}"
        yield f"measured system, not part of a bill: {shown} ({_grounds(figure)})"


def _reuses(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f", from {ends[0]:g} to {ends[1]:g} of either"


def source_of(number: Cited) -> str:
    """Citation and note of a number."""
    return f"{number.source} ({number.note})" if number.note else number.source


def _grounds(number: Cited) -> str:
    return f"{number.evidence}; {source_of(number)}"


COLUMNS: tuple[Column[Difference], ...] = (
    Column("key", at("key"), "what", words=True, key=True),
    Column("a", at("a.text"), "A", words=True),
    Column("b", at("b.text"), "B", words=True),
    Column("ratio", at("ratio"), "B / A", "{:.3g}".format),
    Column("source_a", lambda row: _source(row.a), "source of A", words=True),
    Column("source_b", lambda row: _source(row.b), "source of B", words=True),
)


def differences_table(a: HardwareProfile, b: HardwareProfile) -> Table[Difference]:
    """A row per difference."""
    return Table(COLUMNS, differences(a, b))


def print_differences(a: HardwareProfile, b: HardwareProfile, console: Console) -> None:
    """A row per difference, with the ratio of the second to the first and both sources."""
    for letter, profile in (("A", a), ("B", b)):
        print_sentence(f"{letter} {profile.name}: {profile.title}", console, "bold")
    table = differences_table(a, b)
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
