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
    counts, (phase, tokens) = run.counts, _shared_by(run)
    entries = tuple(
        entry
        for bill in run.estimates.values()
        for entry in entries_of(bill, "analog", phase, tokens)
    )
    used = run.settings.get("widths_used")
    return Card(
        counts.model,
        counts.weights,
        run.command,
        run.versions.get("neurt-energy", ""),
        run.created,
        conditions({**run.settings, "phase": phase}),
        {hw: widths_in_words(x) for hw, x in used.items()} if isinstance(used, dict) else {},
        entries,
        carbon_g_per_kwh,
    )


def _shared_by(run: CountRun) -> tuple[str, int]:
    """The phase, and among how many tokens of each sequence its energy is shared.

    Those of a request are the generated ones; else those that were taken in.
    """
    counts, generated = run.counts, run.settings.get("generate")
    if isinstance(generated, int):
        windows = run.settings.get("windows", 1)
        return "request", generated * (windows if isinstance(windows, int) else 1)
    phase = "decode" if counts.phase.startswith("decode") else "prefill"
    return phase, counts.tokens // counts.batch
