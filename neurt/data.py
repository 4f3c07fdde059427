"""Text in, windows of token ids out."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class TextError(ValueError):
    """A text that cannot be used."""


def read_text(path: Path | None) -> tuple[str, str]:
    """Read a text, or the English passage that the package ships.

    Args:
        path: A UTF-8 text file; None for the passage.

    Returns:
        The text, and what reports call it.

    Raises:
        TextError: If the file cannot be read, is not UTF-8, or holds nothing but white space.
    """
    if path is None:
        return packaged_text("passage.txt"), "Moby-Dick, chapters 1 and 3 (packaged)"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TextError(f"text '{path}' is not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise TextError(f"text '{path}' cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise TextError(f"text '{path}' is empty; give a text of at least one window")
    return text, path.name


def packaged_text(name: str) -> str:
    """One of the texts in `neurt/assets`."""
    return (files("neurt.assets") / name).read_text(encoding="utf-8")


def windows(tokenizer: Any, text: str, *, tokens: int, batch: int, count: int) -> list[Tensor]:
    """Cut the start of a text into `count` batches of `batch` windows of `tokens` tokens.

    Args:
        tokenizer: Turns text into ids with `encode`.
        text: The text.
        tokens: Tokens per window.
        batch: Windows side by side.
        count: Batches.

    Returns:
        `count` tensors of ids (batch, tokens).

    Raises:
        TextError: If the text is too short.
    """
    ids = tokenizer.encode(text)
    needed = tokens * batch * count
    if len(ids) < needed:
        raise TextError(
            f"the text has {len(ids):,} tokens, but {count} windows x batch {batch} x {tokens} "
            f"tokens need {needed:,}; give a longer --text, or lower --seq-len, --batch or "
            "--windows"
        )
    return list(torch.tensor(ids[:needed]).view(count, batch, tokens))


def check_ids(inputs: Iterable[Tensor], vocabulary: int) -> None:
    """Make sure that a model has an embedding for each token.

    Raises:
        TextError: If the tokenizer is not the model's.
    """
    largest = max(int(ids.max()) for ids in inputs)
    if largest >= vocabulary:
        raise TextError(
            f"the tokenizer gives the id {largest}, but the model's vocabulary has {vocabulary} "
            "entries; the two do not belong together"
        )


def calibration_windows(tokenizer: Any, *, tokens: int) -> list[Tensor]:
    """The packaged calibration text as windows of at most `tokens` tokens, 512 tokens in all.

    It is another chapter than the passage that is counted by default.
    """
    total = 512
    tokens = min(tokens, total)
    return windows(
        tokenizer, packaged_text("calibration.txt"), tokens=tokens, batch=1, count=total // tokens
    )
