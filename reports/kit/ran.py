"""On what a measured run ran, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from reports.kit.table import print_sentence


def ran_on(settings: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Device, precision and version of torch; empty of what no model ran for.

    Args:
        settings: Of a run: `device`, `dtype`, and maybe `device_name` and `device_map`.
        versions: Of the software.
    """
    device, dtype = settings.get("device"), settings.get("dtype")
    if not device or not dtype:
        return ""
    name = f" ({settings['device_name']})" if settings.get("device_name") else ""
    place = "sizes alone" if device == "meta" else f"{device}{name}"
    if isinstance(parts := settings.get("device_map"), Mapping):
        others = sorted({*map(str, parts.values())} - {device})
        place = " and ".join([place, ", ".join(others)]) if others else place
    return f"{place} in {dtype}, torch {versions.get('torch', 'unknown')}"


def print_ran(settings: Mapping[str, Any], versions: Mapping[str, str], console: Console) -> None:
    """Print it, where the settings of a run say it."""
    if words := ran_on(settings, versions):
        print_sentence(f"Ran on {words}.", console)
