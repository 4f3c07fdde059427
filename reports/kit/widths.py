"""How wide the values of a run are, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from reports.kit.table import print_sentence

#: Operands whose name for people is another.
_OPERANDS = {"kv": "KV cache"}


def widths_in_words(used: Mapping[str, Mapping[str, Any]]) -> str:
    """Bits of each operand, and whether a flag, the checkpoint or the profile says so.

    Args:
        used: By operand its lowest and highest bits and who says so, as settings of a run have it.
    """
    return ", ".join(
        f"{_OPERANDS.get(operand, operand)} {_span(*width['bits'])} ({width['from']})"
        for operand, width in used.items()
    )


def _span(low: float, high: float) -> str:
    """Bits of an entry, with its share of scales."""
    return f"{low:.4g} bits" if low == high else f"{low:.4g} to {high:.4g} bits"


def print_widths(settings: Mapping[str, Any], hw: str, console: Console, where: str = "") -> None:
    """Print how wide values are on some hardware, where the settings of a run say it."""
    if words := widths_in_words(settings.get("widths_used", {}).get(hw, {})):
        print_sentence(f"Widths{where}: {words}.", console)
