"""What a training step measured, and the table of all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwmodels.errors import UserError
from reports.kit.files import write_text

_BEFORE = ("step", "stage", "tokens")
_AFTER = ("gradient_norm", "learning_rate", "tokens_per_second")


class MetricsError(UserError, ValueError):
    """A table of metrics that cannot be read."""


@dataclass(frozen=True)
class MetricsRow:
    """One step of training.

    Attributes:
        step: Steps done, this one included.
        stage: Part of the training.
        tokens: Tokens seen in this stage, this step included.
        scalars: What the objective returned, by name; one is `loss`, in nats per token.
        gradient_norm: Euclidean norm of all gradients before clipping.
        learning_rate: Of this step.
        tokens_per_second: Speed of this step; the one value that another run need not repeat.
    """

    step: int
    stage: str
    tokens: int
    scalars: Mapping[str, float]
    gradient_norm: float
    learning_rate: float
    tokens_per_second: float


def write_metrics(rows: Sequence[MetricsRow], path: Path) -> Path:
    """Write rows as CSV, floats in full; a scalar that a row does not have stays empty.

    Raises:
        OutputError: If it cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.scalars))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_BEFORE, *names, *_AFTER])
    for row in rows:
        scalars = [repr(row.scalars[name]) if name in row.scalars else "" for name in names]
        speed = f"{row.tokens_per_second:.1f}"
        after = [repr(row.gradient_norm), repr(row.learning_rate), speed]
        table.writerow([row.step, row.stage, row.tokens, *scalars, *after])
    return write_text(path, text.getvalue())


def read_metrics(path: Path) -> list[MetricsRow]:
    """Read what `write_metrics` wrote.

    Raises:
        MetricsError: If the file cannot be read or is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_row(fields) for fields in csv.DictReader(file, strict=True)]
    except OSError as error:
        raise MetricsError(f"metrics '{path}' cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise MetricsError(f"metrics '{path}' is not a table of training steps: {error}") from error


def _row(fields: Mapping[str, str]) -> MetricsRow:
    scalars = {
        name: float(value)
        for name, value in fields.items()
        if value and name not in _BEFORE + _AFTER
    }
    step, tokens = int(fields["step"]), int(fields["tokens"])
    return MetricsRow(step, fields["stage"], tokens, scalars, *(float(fields[k]) for k in _AFTER))
