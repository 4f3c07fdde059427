"""Hardware profiles on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hwmodels import HardwareProfile, Op, ProfileError, load_profile, profile_names


def print_profiles(console: Console) -> None:
    """One line per profile; a plug-in that fails is named, the others are listed."""
    table = Table()
    for heading in ("name", "title", "precision", "MAC (pJ)", "AC (pJ)", "neuron (pJ)", "scope"):
        table.add_column(heading, justify="right" if "pJ" in heading else "left")
    for name in profile_names():
        try:
            profile = load_profile(name)
        except ProfileError as error:
            table.add_row(escape(name), f"[red]{escape(str(error))}[/red]", "", "", "", "", "")
            continue
        table.add_row(
            escape(name),
            escape(profile.title),
            escape(profile.precision),
            *(_price(profile, op) for op in (Op.MAC, Op.AC, Op.NEURON_UPDATE)),
            profile.scope,
        )
    console.print(table)


def _price(profile: HardwareProfile, op: Op) -> str:
    pj = profile.energy_pj(op)
    if pj is None:
        return "-"
    return "included" if op in profile.included else f"{pj:g}"


def print_profile(profile: HardwareProfile, console: Console) -> None:
    """Every number of a profile with its source and evidence, and what has no price."""
    console.print(f"[bold]{escape(profile.name)}[/bold]: {escape(profile.title)}")
    node = "unknown node" if profile.process_nm is None else f"{profile.process_nm:g} nm"
    width = f"{profile.value_bytes:g} bytes per value"
    console.print(f"{node}, {escape(profile.precision)}, {width}, {profile.scope}")
    table = Table()
    for heading in ("what", "pJ", "evidence", "source"):
        table.add_column(heading, justify="right" if heading == "pJ" else "left")
    for op, price in profile.prices.items():
        note = f" ({price.note})" if price.note else ""
        table.add_row(op.value, f"{price.pj:g}", price.evidence.value, escape(price.source + note))
    for name, level in profile.memory.items():
        buffers = ", ".join(b.value for b, where in profile.placement.items() if where == name)
        note = f" ({level.note})" if level.note else ""
        table.add_row(
            escape(f"{name}, per byte: {buffers or 'unused'}"),
            f"{level.read_pj_per_byte:g} / {level.write_pj_per_byte:g}",
            level.evidence.value,
            escape(level.source + note),
        )
    console.print(table)
    if profile.static_power:
        static = profile.static_power
        console.print(
            f"static power {static.watts:g} W ({static.evidence}; {escape(static.source)})"
        )
    for reason in dict.fromkeys(profile.included.values()):
        ops = ", ".join(op.value for op, why in profile.included.items() if why == reason)
        console.print(f"[dim]{ops}: {escape(reason)}[/dim]")
    unpriced = [op.value for op in Op if profile.energy_pj(op) is None]
    if unpriced:
        console.print(f"[yellow]without a price: {', '.join(unpriced)}[/yellow]")
    for assumption in profile.assumptions:
        console.print(f"- {escape(assumption)}")
