"""The summary of a run in Markdown, fit for a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from energy import Estimate, LayerEnergy
from energy.table import Column, Table
from energy.words import energy, op_amounts, percent
from hwmodels.pair import Machine, TwoMachines
from reports.kit.caveats import (
    NOT_MODELLED,
    OF_TWO_MACHINES,
    PUBLISHED_SAVING,
    PUBLISHED_SOURCE,
    of_random_weights,
)
from reports.kit.machine import rates, rules
from reports.kit.parts import ACCOUNTING_NAMES, BOUNDS
from reports.kit.ran import ran_on
from reports.kit.table import escaped, to_markdown
from reports.run.run import Run
from reports.views.baselines import baseline_table
from reports.views.blocks import block_table
from reports.views.headline import headlines
from reports.views.quality import quality_sentence
from reports.views.times import time_table
from reports.views.touched import touched_sentences

#: The hardware is in the heading.
_HEADLINE = ("block", "accounting", "asa_pj", "ssa_pj", "saving", "interval")
#: Layers listed one by one.
_DEAREST = 5


def summary_markdown(run: Run) -> str:
    """`summary.md`: headline, baselines, interval, what is missing, where the weights came from."""
    made = run.versions.get("neurt-energy", "")
    parts = [
        f"### {escaped(run.title)}",
        f"{escaped(run.subtitle)}; `neurt-energy {escaped(run.command)}` {escaped(made)}, "
        f"{escaped(run.created)}".strip(),
        _weights(run),
        *([f"Ran on {escaped(words)}."] if (words := ran_on(run.settings, run.versions)) else []),
        f"**{escaped(quality_sentence(run))}**",
    ]
    for profile in run.profiles:
        pair = run.estimates[profile.name]
        parts += [
            f"#### {escaped(profile.title)}",
            *([OF_TWO_MACHINES] if isinstance(profile, TwoMachines) else []),
            to_markdown(headlines([pair]).only(*_HEADLINE)),
            "Saved by the spiking model against each baseline:",
            to_markdown(baseline_table(run, profile.name)),
            "What the energy is spent on:",
            to_markdown(block_table(run, profile.name)),
            *_times(run, profile.name),
            *(escaped(without_price(bill)) for bill in pair if bill.unpriced),
            *_assumed(profile, pair),
            _dearest(pair),
        ]
    parts += [escaped(sentence) for sentence in touched_sentences(run)]
    if beyond := run.settings.get("beyond"):
        parts.append(escaped(f"{beyond}."))
    if assumed := run.settings.get("assumed"):
        parts.append(escaped(f"Assumed: {assumed}."))
    low, high = (percent(share).removesuffix(" %") for share in PUBLISHED_SAVING)
    if not run.of_network:
        parts.append(
            f"Published: {low}-{high} % of the attention block, MACs and ACs, for other weights "
            f"and undisclosed settings ({escaped(PUBLISHED_SOURCE)})."
        )
    parts.append(f"Not modelled: {escaped('; '.join(NOT_MODELLED))}.")
    return "\n\n".join(parts) + "\n"


def _weights(run: Run) -> str:
    label = f"> Weights: **{escaped(run.asa.weights) or 'unknown'}**."
    if run.command == "plan":
        return f"{label} Closed form: the spike rate is assumed, not measured."
    drawn = of_random_weights(run.asa.weights)
    return f"> {escaped(drawn)}" if drawn else label


def without_price(bill: Estimate) -> str:
    """What has no price, and how much has one, in a sentence."""
    return (
        f"{bill.counts.variant.upper() or 'Counts'} without a price on {bill.profile.name}: "
        f"{op_amounts(bill.unpriced)} ({percent(bill.coverage)} of the operations have one)."
    )


def assumptions(bill: Estimate) -> Iterator[str]:
    """What a machine is taken to be, whether static energy is known, what the profile assumes."""
    yield from rules(bill.profile, bill.dataflow)
    yield from rates(bill.profile)
    if bill.static_pj is None:
        yield "static energy: unpriced, no latency or power"
    yield from bill.profile.assumptions


def _assumed(machine: Machine, pair: tuple[Estimate, Estimate]) -> Iterator[str]:
    """What is assumed of the machine, or of both."""
    two = isinstance(machine, TwoMachines)
    for bill in pair if two else pair[1:]:
        where = f" of {bill.profile.name}" if two else ""
        lines = "\n".join(f"- {escaped(x)}" for x in assumptions(bill))
        yield _folded(f"Assumptions{escaped(where)}", lines)


def _times(run: Run, hw: str) -> Iterator[str]:
    """How long it takes, where the hardware says how fast it is."""
    if (table := time_table(run, hw)).rows:
        yield f"{escaped(table.title)}:"
        yield to_markdown(table)


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


class _Dear(NamedTuple):
    """A layer, and the bill that it belongs to."""

    bill: Estimate
    layer: LayerEnergy
    place: int  #: of the layer in the bill

    def at(self, bound: str) -> float | None:
        """Its energy at a bound; None where a MAC or an AC has no price."""
        layer = self.bill.under(bound).layers[self.place]
        return None if layer.lacks_compute else layer.total_pj

    @property
    def share(self) -> float | None:
        """Of the bill of the model at the bound of the profile."""
        whole = self.bill.energy_pj()
        return None if self.bill.lacks_compute or not whole else self.layer.total_pj / whole


def _energy(bound: str) -> Column[_Dear]:
    name = ACCOUNTING_NAMES[bound]
    return Column(f"{bound}_pj", lambda x: energy(x.at(bound)), name)


def _dear(bound: str) -> tuple[Column[_Dear], ...]:
    """The columns of a profile of some bound."""
    return (
        Column("variant", lambda x: x.bill.counts.variant.upper(), "variant", words=True),
        Column("layer", lambda x: x.layer.count.name, "layer", words=True),
        *map(_energy, BOUNDS),
        Column("share", lambda x: x.share, f"share, {bound}", percent),
    )


def _dearest(pair: tuple[Estimate, Estimate]) -> str:
    rows = [
        _Dear(bill, layer, place)
        for bill in pair
        for place, layer in sorted(enumerate(bill.layers), key=lambda x: -x[1].total_pj)[:_DEAREST]
        if layer.total_pj
    ]
    if not rows:
        return "No layer has a price."
    return _folded("The dearest layers", to_markdown(Table(_dear(pair[0].profile.fusion), rows)))
