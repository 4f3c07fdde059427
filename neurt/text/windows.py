"""Which part of a text a model reads at a time, and which of its tokens are then scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from hwmodels.errors import UserError
from hwmodels.plain import several

#: A little more than WikiText-103, the largest text that models of this size are trained on.
MAX_TEXT_BYTES = 600 * 10**6


class QualityError(UserError, ValueError):
    """A text, a window or a model that cannot be evaluated."""


@dataclass(frozen=True)
class Window:
    """A stretch of a text, of which the tokens from `first` on are scored."""

    start: int  #: index of its first token in the text
    stop: int  #: index after its last token
    first: int  #: index of the first token that is scored in it

    @property
    def tokens(self) -> int:
        """Tokens that a model reads."""
        return self.stop - self.start

    @property
    def predicting(self) -> slice:
        """Positions in the window whose next token is scored."""
        return slice(self.first - self.start - 1, self.tokens - 1)


def check_windows(window: int, stride: int, positions: int | None = None) -> None:
    """Make sure that windows can cover a text.

    Args:
        positions: Longest sequence of the model; None for any.

    Raises:
        QualityError: If they would skip tokens or score none, or are too long for the model.
    """
    if positions is not None and window > positions:
        raise QualityError(
            f"the window (= {window}) is longer than the {positions} positions of the model; "
            "lower --window"
        )
    if window < 2:
        raise QualityError(
            f"a window of {several(window, 'token')} predicts nothing; give --window 2 or more"
        )
    if not 1 <= stride <= window:
        raise QualityError(
            f"the stride (= {stride}) must be at least 1 and at most the window (= {window}), or "
            "windows would skip tokens; change --stride or --window"
        )


def plan_windows(tokens: int, window: int, stride: int) -> list[Window]:
    """Windows of `window` tokens every `stride` tokens, the last one shorter if need be.

    Each token but the first of the text is scored once, in the first window that has it. With
    `stride` = `window` the windows share no token, so that the first of each has nothing before
    it and is not scored: the common recipe, which a stride below the window avoids.

    Args:
        tokens: Tokens of the text, at least 2.
        window: Tokens per window, at least 2.
        stride: Tokens from the start of a window to that of the next, 1 to `window`.

    Raises:
        QualityError: If one of them is out of range.
    """
    check_windows(window, stride)
    if tokens < 2:
        raise QualityError(
            f"the text has {several(tokens, 'token')}, but each prediction needs one "
            "before it; give a text of at least 2 tokens"
        )
    windows: list[Window] = []
    stop = 1  # the first token of the text has nothing before it
    for start in range(0, tokens, stride):
        first, stop = max(stop, start + 1), min(start + window, tokens)
        if first < stop:
            windows.append(Window(start, stop, first))
        if stop == tokens:
            break
    return windows


def batches(plan: Sequence[Window], size: int) -> Iterator[list[Window]]:
    """At most `size` consecutive windows of equal length at a time."""
    for _, same in groupby(plan, key=lambda window: window.tokens):
        windows = list(same)
        for start in range(0, len(windows), size):
            yield windows[start : start + size]
