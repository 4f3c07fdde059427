"""What a run costs and saves as a table for a paper."""

from __future__ import annotations

from collections.abc import Sequence

from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.table import Column, Table
from energy.words import NONE, number, unit_of
from hwmodels import Op
from hwmodels.plain import several
from reports.kit.caveats import OF_TWO_MACHINES, of_random_weights
from reports.kit.fit import Fit
from reports.kit.latex_float import Float, Head, common_unit, in_unit, to_float
from reports.kit.parts import BLOCKS, BOUNDS, COMPUTE_ONLY
from reports.run.run import Run
from reports.views.headline import Headline
from reports.views.quality import quality_sentence

#: Parts of a model, in short: for little room.
PARTS: dict[str | None, str] = {"attention": "attention", "ffn": "FFN", None: "model"}
#: Accountings, likewise.
COUNTED = {COMPUTE_ONLY: "MACs, ACs", **{bound: bound for bound in BOUNDS}}

#: What the bounds are, wherever a table has them.
BOUNDS_IN_WORDS = (
    "MACs, ACs: these alone; fused, unfused: all that has a price, at both bounds of what moves "
    "between products."
)

#: One part of the model in each of `ACCOUNTINGS`.
_Each = Sequence[Headline]


def run_latex(run: Run, fit: Fit = Fit.ONE) -> str:
    """A run as a `table` for a paper: energy of both models and what is saved, of each part.

    Args:
        run: The run.
        fit: One column has a row for each part and accounting, two have a row for each part.
    """
    rows = [
        [Headline(asa, ssa, accounting, block) for accounting in ACCOUNTINGS]
        for asa, ssa in run.estimates.values()
        for block in BLOCKS
    ]
    rows = [row for row in rows if any(_costs(each) for each in row)]
    scale, unit = common_unit(
        pj for row in rows for each in row for pj in (each.saving.asa_pj, each.saving.ssa_pj)
    )
    table: Table[_Each]
    spread = any(each.interval for row in rows for each in row)
    if fit is Fit.ONE:
        single = [[each] for row in rows for each in row]
        # Beside the names of several pieces of hardware there is no room for intervals.
        spread = spread and len(run.profiles) == 1
        columns = (*_NAMES, _counted(), *_energies(0, scale, unit), *_savings(0, spread=spread))
        table = Table(columns, single, group=lambda row: (_hardware(row), row[0].block))
        heads: tuple[Head, ...] = ()
    else:
        numbers = [
            column
            for i, accounting in enumerate(ACCOUNTINGS)
            for column in (
                *_energies(i, scale, unit),
                *_savings(i, spread=spread and accounting != COMPUTE_ONLY),
            )
        ]
        table = Table((*_NAMES, *numbers), rows, group=_hardware)
        heads = tuple(
            Head(name, 5 if spread and accounting != COMPUTE_ONLY else 3)
            for accounting, name in COUNTED.items()
        )
    return to_float(table, _about(run, heads, spread=spread), fit)


def _costs(part: Headline) -> bool:
    return not part.saving.asa_pj == part.saving.ssa_pj == 0


def _hardware(row: _Each) -> str:
    return machine_of(row[0].asa, row[0].ssa).name


_NAMES: tuple[Column[_Each], ...] = (
    Column("hw", _hardware, "hardware", words=True, key=True),
    Column("part", lambda x: PARTS[x[0].block], "part", words=True, key=True),
)


def _counted() -> Column[_Each]:
    return Column("counted", lambda x: COUNTED[x[0].accounting], "counted", words=True, key=True)


def _energies(i: int, scale: float, unit: str) -> tuple[Column[_Each], ...]:
    return (
        Column(f"asa_{i}", lambda x: in_unit(x[i].saving.asa_pj, scale), f"analog ({unit})"),
        Column(f"ssa_{i}", lambda x: in_unit(x[i].saving.ssa_pj, scale), f"spiking ({unit})"),
    )


def _savings(i: int, *, spread: bool) -> tuple[Column[_Each], ...]:
    def saved(row: _Each) -> str:
        return row[i].saved.removesuffix(" %")  # `unpriced` stays

    def end(row: _Each, name: str) -> str:
        share = getattr(row[i].interval, name, None)
        return NONE if share is None else number(100 * share, 1)

    ends = (
        Column[_Each](f"low_{i}", lambda x: end(x, "low"), "5th (%)"),
        Column[_Each](f"high_{i}", lambda x: end(x, "high"), "95th (%)"),
    )
    return (Column(f"saved_{i}", saved, "saved (%)"), *(ends if spread else ()))


def _about(run: Run, heads: Sequence[Head], *, spread: bool) -> Float:
    hardware = ", ".join(profile.title for profile in run.profiles)
    missing = [op for op in Op if any(op in x.unpriced for y in run.estimates.values() for x in y)]
    random = of_random_weights(run.asa.weights)
    parts = [
        f"Energy of {_both(run)}; {run.subtitle}; {hardware}.",
        *([OF_TWO_MACHINES] if run.is_of_two else []),
        BOUNDS_IN_WORDS,
        "5th, 95th: percentiles of the saving over the ranges of the constants." if spread else "",
        f"Without a price, so in no sum: {', '.join(missing)}." if missing else "",
        random or (quality_sentence(run) if run.quality else "Quality: not measured."),
    ]
    counts = run.ssa
    label = [
        counts.model,
        counts.weights,
        *(profile.name for profile in run.profiles),
        f"T{counts.timesteps}",
        counts.phase,
        several(counts.tokens, unit_of(counts.phase)).replace(",", ""),
    ]
    return Float(" ".join(filter(None, parts)), label, heads, above="hw")


def _both(run: Run) -> str:
    """Both models: a network that spikes already was converted from nothing."""
    baseline = run.settings.get("baseline")
    if baseline is None:
        return f"{run.title}, and of its spiking conversion"
    return f"the spiking network {run.title}, and of an analog one: {baseline}"
