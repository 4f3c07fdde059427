"""The card of a run: of the analog and of the spiking model."""

from __future__ import annotations

from collections.abc import Mapping

from reports.card.card import Card, entries_of
from reports.kit.widths import widths_in_words
from reports.run.run import Run
from reports.views.phases import phase_bills

#: What of the settings an energy per token depends on.
_CONDITIONS = (
    *("phase", "seq_len", "context", "prompt", "generate", "batch", "attention"),
    *("timesteps", "spike_rate", "active_rate", "text"),
)


def run_card(run: Run, carbon_g_per_kwh: float | None = None) -> Card:
    """The energy per token of each phase of a run.

    Raises:
        CardError: If nothing of it has a price.
    """
    entries = tuple(
        entry
        for profile in run.profiles
        for bills in phase_bills(run, profile.name)
        for bill, variant in ((bills.asa, "analog"), (bills.ssa, "spiking"))
        for entry in entries_of(bill, variant, bills.phase, bills.tokens)
    )
    used = run.settings.get("widths_used")
    conversion = run.settings.get("spiking")
    chosen = conversion if isinstance(conversion, dict) else {}
    return Card(
        run.asa.model,
        run.asa.weights,
        run.command,
        run.versions.get("neurt-energy", ""),
        run.created,
        conditions(run.settings) | {key: chosen[key] for key in ("form", "code") if key in chosen},
        {hw: widths_in_words(x) for hw, x in used.items()} if isinstance(used, dict) else {},
        entries,
        carbon_g_per_kwh,
    )


def conditions(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings that an energy per token depends on, of the lengths those of the phase."""
    found = {key: settings[key] for key in _CONDITIONS if settings.get(key) is not None}
    idle = {"seq_len"} if found.get("phase") == "decode" else {"context"}
    idle = {"seq_len", "context"} if "prompt" in found else idle
    return {key: value for key, value in found.items() if key not in idle}
