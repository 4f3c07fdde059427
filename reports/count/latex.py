"""What one side alone counts and costs as a table for a paper."""

from __future__ import annotations

from collections.abc import Callable

from energy.bill.layer import ACCOUNTINGS
from energy.table import Column, Table
from energy.words import energy_unit, unit_of
from hwmodels import Op
from hwmodels.plain import several
from reports.count.parts import PartLine, count_ranges, part_lines, range_in_words
from reports.count.run import CountRun
from reports.kit.fit import Fit
from reports.kit.latex_float import Float, Head, in_unit, significant, to_float
from reports.kit.parts import BOUNDS
from reports.views.latex import BOUNDS_IN_WORDS, COUNTED, PARTS

#: Operations per unit, and what stands before their name.
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def count_latex(run: CountRun, fit: Fit = Fit.ONE) -> str:
    """A count as a `table` for a paper: what was counted in each component, and what it costs.

    Args:
        run: The count.
        fit: One column has MACs, and energies in all accountings; two have accumulates and other
            operations too, and the share of each part at both bounds.
    """
    lines = [
        line
        for bill in run.estimates.values()
        for line in part_lines(bill, components=True)
        if not _repeats(line)
    ]
    # That of the largest, which is the model: small components have zeros behind the point.
    known = [pj for line in lines for x in ACCOUNTINGS if (pj := line.pj(x)) is not None]
    scale, unit = energy_unit(max(known, default=0.0))
    counted = [_operations("MACs", lambda line: line.amounts[0], lines)]
    if _events(lines[-1]):
        counted.append(_operations("ACs", _events, lines))
    energies = [_energy(accounting, scale) for accounting in ACCOUNTINGS]
    heads = [Head("counted", len(counted)), Head(f"energy ({unit})", len(energies))]
    columns = (_HARDWARE, _PART, *counted, *energies)
    if fit is Fit.TWO:
        other = _operations("other", lambda line: line.amounts[1] - _events(line), lines)
        columns = (_HARDWARE, _BLOCK, _COMPONENT, *counted, other, *energies, *map(_share, BOUNDS))
        heads = [
            Head("counted", len(counted) + 1),
            Head(f"energy ({unit})", len(energies)),
            Head("share (%)", len(BOUNDS)),
        ]
    table = Table(columns, lines, group=lambda line: (line.bill.profile.name, line.block))
    return to_float(table, _about(run, heads, fit), fit)


def _repeats(line: PartLine) -> bool:
    """Whether a component is all that there is in its block."""
    counts = line.bill.counts.only(block=line.block)
    return line.component is not None and len({x.label.component for x in counts.layers}) == 1


def _events(line: PartLine) -> float:
    counts = line.bill.counts.only(block=line.block, component=line.component)
    return counts.total(Op.AC, Op.SHIFT_AC)


def _name(name: str, text: Callable[[PartLine], str], heading: str) -> Column[PartLine]:
    return Column(name, text, heading, words=True, key=True)


def _block(line: PartLine) -> str:
    return PARTS.get(line.block, str(line.block))


def _component(line: PartLine) -> str:
    return "all" if line.component is None else line.component.replace("_", " ")


_HARDWARE = _name("hw", lambda x: x.bill.profile.name, "hardware")
_BLOCK, _COMPONENT = _name("block", _block, "part"), _name("component", _component, "component")
#: Both in one, where there is no room for two.
_PART = _name("part", lambda x: _block(x) if x.component is None else _component(x), "part")


def _operations(
    name: str, amount: Callable[[PartLine], float], lines: list[PartLine]
) -> Column[PartLine]:
    most = max(map(amount, lines))
    scale, prefix = next((x for x in _SCALES if most >= x[0]), (1.0, ""))
    heading = f"{name} ({prefix})" if prefix else name
    return Column(name, lambda line: significant(amount(line) / scale), heading)


def _energy(accounting: str, scale: float) -> Column[PartLine]:
    return Column(accounting, lambda x: in_unit(x.pj(accounting), scale), COUNTED[accounting])


def _share(bound: str) -> Column[PartLine]:
    def text(line: PartLine) -> str:
        share = line.share(bound)
        return "unpriced" if share is None else f"{100 * share:.1f}"

    return Column(f"{bound}_share", text, bound)


def _about(run: CountRun, heads: list[Head], fit: Fit) -> Float:
    counts = run.counts
    hardware = ", ".join(profile.title for profile in run.profiles)
    missing = [op for op in Op if any(op in bill.unpriced for bill in run.estimates.values())]
    ranges = [
        f"{name}: {range_in_words(bound, found, counts)}"
        for name, bill in run.estimates.items()
        for bound, found in count_ranges(bill).items()
    ]
    parts = [
        f"What {run.title} counts and costs; {run.subtitle}; {hardware}.",
        "The last row of each group is its sum." if fit is Fit.ONE else "",
        BOUNDS_IN_WORDS,
        f"5th to 95th percentile over the ranges of the constants: {'; '.join(ranges)}."
        if ranges
        else "",
        f"Without a price, so in no sum: {', '.join(missing)}." if missing else "",
    ]
    label = [
        counts.model,
        counts.weights,
        *(profile.name for profile in run.profiles),
        counts.phase,
        several(counts.tokens, unit_of(counts.phase)).replace(",", ""),
    ]
    return Float(" ".join(filter(None, parts)), label, heads, above="hw")
