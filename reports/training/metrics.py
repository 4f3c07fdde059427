"""What a training step measured, and `metrics.csv`, the table of all of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from energy.table import Column, Table, attributes
from hwmodels.errors import UserError
from reports.kit.files import write_text

_BEFORE = ("step", "stage", "tokens")
_AFTER = ("gradient_norm", "learning_rate", "tokens_per_second")


class MetricsError(UserError, ValueError):
    """A table of metrics that cannot be read."""


@dataclass(frozen=True)
class MetricsRow:
    """One step of training."""

    step: int  #: steps done, this one included
    stage: str  #: part of the training
    tokens: int  #: tokens seen in this stage, this step included
    #: what the objective returned, by name; one is `loss`, in nats per token
    scalars: Mapping[str, float]
    #: euclidean norm of all gradients before clipping; infinite where it overflowed
    gradient_norm: float
    learning_rate: float  #: of this step
    tokens_per_second: float  #: speed of this step; the one value that another run need not repeat


def metrics_csv(rows: Sequence[MetricsRow]) -> str:
    """The text of `metrics.csv`: a row per step, floats in full.

    Empty is a scalar that a row has not, and a norm of gradients that overflowed.
    """
    names = dict.fromkeys(name for row in rows for name in row.scalars)
    columns: tuple[Column[MetricsRow], ...] = (
        *attributes("", *_BEFORE),
        *(Column(name, partial(_scalar, name)) for name in names),
        Column("gradient_norm", lambda row: _finite(row.gradient_norm)),
        *attributes("", "learning_rate"),
        Column("tokens_per_second", lambda row: f"{row.tokens_per_second:.1f}"),
    )
    return Table(columns, rows).to_csv()


def write_metrics(rows: Sequence[MetricsRow], path: Path) -> Path:
    """Write `metrics.csv`."""
    return write_text(path, metrics_csv(rows))


def _scalar(name: str, row: MetricsRow) -> float | None:
    return row.scalars.get(name)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
    norm, *others = (fields[name] for name in _AFTER)
    after = float(norm or math.inf), *map(float, others)
    return MetricsRow(step, fields["stage"], tokens, scalars, *after)
