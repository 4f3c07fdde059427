"""What two models that read the same tokens think of the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from torch import Tensor

from hwmodels.errors import UserError
from neurt.measure.stages import Counting
from neurt.progress import Progress, silent
from neurt.spiking.precision import widest
from reports.kit.closeness import Closeness, Scored

#: Scored tokens whose predictions over the whole vocabulary are compared at a time.
_ROWS = 128


class ScoreError(UserError, ValueError):
    """Predictions that cannot be scored."""


def score(analog: Tensor, spiking: Tensor, targets: Tensor) -> Scored:
    """Compare the predictions of two models with each other and with what came.

    Args:
        analog: Logits of the analog model (tokens, vocabulary).
        spiking: Those of the spiking model.
        targets: The tokens that came (tokens,).
    """
    sums = Scored()
    for p, q, came in zip(*(x.split(_ROWS) for x in (analog, spiking, targets)), strict=True):
        logs = [logits.float().log_softmax(-1) for logits in (p, q)]
        best = [logits.argmax(-1) for logits in (p, q)]
        nats = [-_total(log.gather(-1, came.unsqueeze(-1))) for log in logs]
        right = [int((guess == came).sum()) for guess in best]
        found = Scored(
            len(came),
            nats[0],
            nats[1],
            _total(logs[0].exp() * (logs[0] - logs[1])),
            right[0],
            right[1],
            int((best[0] == best[1]).sum()),
        )
        sums = Scored(*map(add, sums, found))
    return sums


def _total(x: Tensor) -> float:
    return float(widest(x).sum())


def count_both(
    analog: Counting,
    spiking: Counting,
    inputs: Sequence[Tensor],
    progress: Progress = silent,
    *,
    scored: bool,
) -> Closeness | None:
    """Count two models pass by pass, and score what they predict meanwhile.

    Only the predictions of one pass are held at a time.

    Args:
        inputs: Token ids (batch, tokens), one tensor per window.
        scored: Whether predictions are worth anything.

    Returns:
        Sums for each sequence of each window; None where no token is scored.

    Raises:
        ScoreError: If a prediction is not finite.
    """
    windows: list[Scored] = []
    done, runs = 0, len(inputs) * analog.runs
    progress("counting", done, runs)
    for ids in inputs:
        sums = [Scored() for _ in ids]
        for (start, asa), (_, ssa) in zip(analog.passes(ids), spiking.passes(ids), strict=True):
            if scored:
                found = score_rows(start, asa.logits, ssa.logits, ids)
                sums = [Scored(*map(add, *pair)) for pair in zip(sums, found, strict=True)]
            done += 1
            progress("counting", done, runs)
        windows += sums
    return Closeness(tuple(windows)) if any(window.tokens for window in windows) else None


def score_rows(start: int, asa: Tensor, ssa: Tensor, ids: Tensor) -> list[Scored]:
    """Score each sequence of a pass whose first token is number `start` of its window."""
    targets = ids[:, start + 1 : start + 1 + asa.shape[1]].to(asa.device)
    predicting = slice(targets.shape[1])  # what comes after the window nobody knows
    for name, logits in (("analog", asa), ("spiking", ssa)):
        if not bool(logits[:, predicting].isfinite().all()):
            raise ScoreError(
                f"the {name} model predicts NaN or infinity; check its weights, or the training "
                "they came from"
            )
    rows = zip(asa[:, predicting], ssa[:, predicting], targets, strict=True)
    return [score(*row) for row in rows]
