"""What differs between two profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwmodels.ops import Op
from hwmodels.prices import Cited, MemoryLevel
from hwmodels.profile import HardwareProfile


@dataclass(frozen=True)
class Entry:
    """One entry of a profile."""

    text: str  #: its value as it is read by people
    number: float | None = None  #: its value, where it is a number
    citation: Cited | None = None  #: what it rests on; None for what needs no source


@dataclass(frozen=True)
class Difference:
    """An entry that is not the same in two profiles."""

    key: str  #: where it is, as in TOML
    a: Entry | None  #: what the first profile says; None if nothing
    b: Entry | None  #: what the second says

    @property
    def ratio(self) -> float | None:
        """How many times the first the second is; None where either is no number, or zero."""
        if self.a is None or self.b is None or not self.a.number or self.b.number is None:
            return None
        return self.b.number / self.a.number


def differences(a: HardwareProfile, b: HardwareProfile) -> list[Difference]:
    """Everything that differs in value, spread or evidence, in the order of the schema.

    Names, titles, notes, assumptions and the wording of citations are not compared.
    """
    first, second = dict(_entries(a)), dict(_entries(b))
    compared = [Difference(key, first.get(key), second.get(key)) for key in first | second]
    changed = [entry for entry in compared if _claim(entry.a) != _claim(entry.b)]
    return sorted(changed, key=_section)


def size(count: float) -> str:
    """An amount of data for people: 1 MiB, 24 MiB, 1000 B."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= factor and (count * 16) % factor == 0:
            return f"{count / factor:g} {unit}"
    return f"{count:g} B"


def curve(level: MemoryLevel) -> str:
    """The points of a memory level: "8 KiB: 1.25, 1 MiB: 12.5"."""
    return ", ".join(f"{size(at)}: {pj:g}" for at, pj in level.curve)


_SECTIONS = (
    *("process_nm", "precision", "value_bytes", "widths", "scope"),
    *("dataflow", "fusion", "encoding", "room"),
    *("prices", "placement", "memory", "delivery", "static_power", "throughput", "bandwidth"),
    *("core", "system", "whole_chip"),
)


def _section(difference: Difference) -> int:
    return _SECTIONS.index(difference.key.partition(".")[0])


def _claim(entry: Entry | None) -> tuple[object, ...] | None:
    if entry is None:
        return None
    cited = entry.citation
    exact = entry.text if entry.number is None else entry.number
    return (exact, cited.spread, cited.evidence) if cited else (exact,)


def _entries(profile: HardwareProfile) -> Iterator[tuple[str, Entry]]:
    node = profile.process_nm
    yield "process_nm", Entry("unknown" if node is None else f"{node:g}", node)
    yield "value_bytes", Entry(f"{profile.value_bytes:g}", profile.value_bytes)
    for key in ("precision", "scope", "dataflow", "fusion", "encoding", "room"):
        yield key, Entry(str(getattr(profile, key)))
    for operand, bits in profile.widths:
        if bits is not None:
            yield f"widths.{operand}", Entry(f"{bits:g} bits", bits)
    for op in Op:
        if price := profile.prices.get(op):
            yield f"prices.{op}", Entry(f"{price.pj:g}", price.pj, price)
        elif op in profile.included:
            yield f"prices.{op}", Entry("included", 0.0)
    for buffer, levels in profile.placement.items():
        yield f"placement.{buffer}", Entry(" else ".join(levels))
    for name, level in profile.memory.items():
        for key, entry in _level(level):
            yield f"memory.{name}.{key}", entry
    yield from _chip(profile)


def _level(level: MemoryLevel) -> Iterator[tuple[str, Entry]]:
    for key in ("read_pj_per_byte", "write_pj_per_byte"):
        if (pj := getattr(level, key)) is not None:
            yield key, Entry(f"{pj:g}", pj, level)
    if level.curve:
        yield "curve", Entry(curve(level), None, level)
    if level.capacity_bytes is not None:
        yield "capacity_bytes", Entry(size(level.capacity_bytes), level.capacity_bytes, level)


def _chip(profile: HardwareProfile) -> Iterator[tuple[str, Entry]]:
    if static := profile.static_power:
        yield "static_power.watts", Entry(f"{static.watts:g}", static.watts, static)
    for op, rate in profile.throughput.items():
        yield f"throughput.{op}", Entry(f"{rate.per_second:g}", rate.per_second, rate)
    for name, fast in profile.bandwidth.items():
        yield f"bandwidth.{name}", Entry(f"{fast.bytes_per_second:g}", fast.bytes_per_second, fast)
    if fetch := profile.delivery:
        for key in ("pj_per_byte", "mac_reuse", "event_reuse"):
            number = getattr(fetch, key)
            yield f"delivery.{key}", Entry(f"{number:g}", number, fetch)
        if fetch.reuse_range:
            lowest, highest = fetch.reuse_range
            yield "delivery.reuse_range", Entry(f"{lowest:g} to {highest:g}", None, fetch)
    if (core := profile.core) is not None:
        yield "core.synapses", Entry(f"{core.synapses}", core.synapses, core)
        yield "core.neurons", Entry(f"{core.neurons}", core.neurons, core)
    if (chip := profile.whole_chip) is not None:
        for work, energy in chip.energy.items():
            yield f"whole_chip.energy.{work}", Entry(f"{energy.pj:.4g} pJ", energy.pj, energy)
        for target, costs in (("latency", chip.latency), ("step", chip.step)):
            for work, time in costs.items():
                key = f"whole_chip.{target}.{work}"
                yield key, Entry(f"{time.ps:.4g} ps", time.ps, time)
    for figure in profile.system:
        shown = Entry(f"{figure.value:g} {figure.unit}", figure.value, figure)
        yield f"system.{figure.what}", shown
