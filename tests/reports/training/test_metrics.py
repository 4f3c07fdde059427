from __future__ import annotations

import math
from pathlib import Path

import pytest

from reports.training.metrics import MetricsError, MetricsRow, read_metrics, write_metrics

ROWS = [
    MetricsRow(1, "one", 32, {"loss": 0.1 + 0.2}, 1 / 3, 1e-3, 812.3),
    MetricsRow(2, "one", 64, {"loss": 8.25, "spike_rate": 0.125}, 2.0, 3e-4, 1000.0),
    MetricsRow(1, "two, or three", 16, {"kl": -0.0, "loss": 1e-17}, math.inf, 5e-324, 0.0),
]


def test_floats_come_back_exactly(tmp_path: Path) -> None:
    path = write_metrics(ROWS, tmp_path / "metrics.csv")
    assert read_metrics(path) == ROWS


def test_a_scalar_that_a_row_lacks_stays_empty(tmp_path: Path) -> None:
    lines = write_metrics(ROWS, tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == (
        "step,stage,tokens,loss,spike_rate,kl,gradient_norm,learning_rate,tokens_per_second"
    )
    assert lines[2] == "2,one,64,8.25,0.125,,2.0,0.0003,1000.0"


def test_a_norm_of_gradients_that_overflowed_stays_empty(tmp_path: Path) -> None:
    path = write_metrics(ROWS, tmp_path / "metrics.csv")
    assert path.read_text(encoding="utf-8").splitlines()[3].endswith(",,5e-324,0.0")
    assert read_metrics(path)[2].gradient_norm == math.inf


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    assert read_metrics(write_metrics([], tmp_path / "metrics.csv")) == []


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.csv"
    with pytest.raises(MetricsError) as caught:
        read_metrics(path)
    assert str(caught.value) == f"metrics '{path}' cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "text",
    [
        "layer,mac\na,1\n",
        "step,stage,tokens,loss,gradient_norm,learning_rate,tokens_per_second\n1,one\n",
        "step,stage,tokens,loss,gradient_norm,learning_rate,tokens_per_second\nx,a,1,1,1,1,1\n",
        "step,stage,tokens,loss,gradient_norm,learning_rate,tokens_per_second\n1,a,1,1,1,1,1,1\n",
    ],
    ids=["another table", "cut off", "no number", "a field too many"],
)
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MetricsError, match="is not a table of training steps"):
        read_metrics(path)
