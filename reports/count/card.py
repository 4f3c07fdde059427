"""The card of a count: of the analog model alone."""

from __future__ import annotations

from reports.card.card import Card, entries_of
from reports.card.of_run import conditions
from reports.count.run import CountRun
from reports.kit.widths import widths_in_words


def count_card(run: CountRun, carbon_g_per_kwh: float | None = None) -> Card:
    """The energy per token of a count.

    Raises:
        CardError: If nothing of it has a price.
    """
    counts = run.counts
    phase = "decode" if counts.phase.startswith("decode") else "prefill"
    entries = tuple(
        entry
        for bill in run.estimates.values()
        for entry in entries_of(bill, "analog", phase, counts.tokens // counts.batch)
    )
    used = run.settings.get("widths_used")
    return Card(
        counts.model,
        counts.weights,
        "count",
        run.versions.get("neurt-energy", ""),
        run.created,
        conditions(run.settings) | {"text": run.settings.get("text")},
        {hw: widths_in_words(x) for hw, x in used.items()} if isinstance(used, dict) else {},
        entries,
        carbon_g_per_kwh,
    )
