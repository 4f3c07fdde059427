"""Write the card of a model."""

from __future__ import annotations

from pathlib import Path

from reports.card.card import Card
from reports.card.text import card_markdown, card_summary
from reports.kit.files import remove, write_json, write_text

#: What is written.
NAMES = ("card.md", "card.json")


def write_card(card: Card | None, out: Path) -> list[Path]:
    """Write `card.md` and `card.json` into a directory that exists.

    Without a card those of an earlier call go, since they would be of other numbers.

    Raises:
        OutputError: If a file cannot be written.
    """
    paths = [out / name for name in NAMES]
    if card is None:
        for path in paths:
            remove(path)
        return []
    markdown, summary = paths
    return [write_text(markdown, card_markdown(card)), write_json(summary, card_summary(card))]
