"""How many times longer a tokenizer may make a text before it looks for tokens in it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from hwmodels.inputs import parse_json, read_utf8
from neurt.loading.source import ModelError

#: No script grows 18 times in any normal form of Unicode; a chain of rules may multiply that.
MOST_GROWTH = 1000


def check_growth(path: Path, called: str, limit_bytes: int) -> None:
    """Raise ModelError if the replacements of a tokenizer.json blow a text up.

    Each rule multiplies what the one before it has left, so that twenty short ones fill any memory.
    """
    document = parse_json(read_utf8(path, called, ModelError, limit_bytes), called, ModelError)
    if not isinstance(document, dict):
        return  # no tokenizer, which whoever reads it says
    growth = prod(_growths([document.get("normalizer"), document.get("pre_tokenizer")]))
    if growth > MOST_GROWTH:
        raise ModelError(
            f"{called} has replacements that make a text up to {growth:.3g} times longer, and more "
            f"than {MOST_GROWTH:,} times is no tokenizer's; give the model's own"
        )


def _growths(rules: Any) -> Iterator[float]:
    """How many times longer each replacement makes a text of nothing but its pattern."""
    if isinstance(rules, list):
        for rule in rules:
            yield from _growths(rule)
    elif isinstance(rules, dict):
        content, pattern = rules.get("content"), rules.get("pattern")
        if rules.get("type") == "Replace" and isinstance(content, str):
            fixed = pattern.get("String") if isinstance(pattern, dict) else None
            # An expression may match a single character.
            yield max(1.0, len(content) / max(1, len(fixed) if isinstance(fixed, str) else 1))
        yield from _growths([x for x in rules.values() if isinstance(x, (list, dict))])
