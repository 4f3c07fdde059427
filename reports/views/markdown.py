"""The summary of a run in Markdown, fit for a pull request."""

from __future__ import annotations

from typing import NamedTuple

from energy import Estimate, LayerEnergy
from energy.table import Column, Table
from energy.words import energy, op_amounts, percent
from reports.kit.caveats import (
    NOT_MODELLED,
    PUBLISHED_SAVING,
    PUBLISHED_SOURCE,
    of_random_weights,
)
from reports.kit.table import escaped, to_markdown
from reports.run.run import Run
from reports.views.baselines import baseline_table
from reports.views.headline import headlines

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
    ]
    for profile in run.profiles:
        pair = run.estimates[profile.name]
        parts += [
            f"#### {escaped(profile.title)}",
            to_markdown(headlines([pair]).only(*_HEADLINE)),
            "Saved by the spiking model against each baseline:",
            to_markdown(baseline_table(run, profile.name)),
            *(escaped(without_price(bill)) for bill in pair if bill.unpriced),
            _dearest(pair),
        ]
    low, high = (percent(share).removesuffix(" %") for share in PUBLISHED_SAVING)
    parts += [
        f"Published: {low}-{high} % of the attention block, MACs and ACs, for other weights and "
        f"undisclosed settings ({escaped(PUBLISHED_SOURCE)}).",
        f"Not modelled: {escaped('; '.join(NOT_MODELLED))}.",
    ]
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


class _Dear(NamedTuple):
    """A layer, and the bill that it belongs to."""

    bill: Estimate
    layer: LayerEnergy

    @property
    def share(self) -> float | None:
        whole = self.bill.energy_pj()
        return None if self.bill.lacks_compute or not whole else self.layer.total_pj / whole


_DEAR: tuple[Column[_Dear], ...] = (
    Column("variant", lambda x: x.bill.counts.variant.upper(), "variant", words=True),
    Column("layer", lambda x: x.layer.count.name, "layer", words=True),
    Column(
        "energy_pj",
        lambda x: energy(None if x.layer.lacks_compute else x.layer.total_pj),
        "all that has a price",
    ),
    Column("share", lambda x: x.share, "share", percent),
)


def _dearest(pair: tuple[Estimate, Estimate]) -> str:
    rows = [
        _Dear(bill, layer)
        for bill in pair
        for layer in sorted(bill.layers, key=lambda layer: -layer.total_pj)[:_DEAREST]
        if layer.total_pj
    ]
    if not rows:
        return "No layer has a price."
    listed = to_markdown(Table(_DEAR, rows))
    return f"<details><summary>The dearest layers</summary>\n\n{listed}\n\n</details>"
