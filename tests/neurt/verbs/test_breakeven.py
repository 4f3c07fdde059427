from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from energy.counts.file import to_csv
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.spiking.config import SpikingConfig
from reports.breakeven.table import COLUMNS
from reports.kit.files import OutputError

Command = Callable[..., str]

pytestmark = pytest.mark.usefixtures("alone")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [column.name for column in COLUMNS]
    return rows


@pytest.mark.usefixtures("sketched")
def test_a_table_and_a_picture_without_further_words(tmp_path: Path, command: Command) -> None:
    said = command("breakeven", "--hw", "45nm", "--timesteps", "2")
    assert "gpt2-small, closed form, T = 2, prefill, 128 tokens" in said
    # Arithmetic alone: 4.6 / (2 x (0.9 + 0.03)) = 2.473, each event of the code pow2 with its shift
    assert "always (2.473)" in said
    [directory] = (tmp_path / "runs").iterdir()
    assert directory.name.endswith("-breakeven")
    names = ["breakeven.csv", "breakeven_45nm.png", "breakeven_45nm.svg", "thresholds.csv"]
    assert sorted(path.name for path in directory.iterdir()) == names
    assert {row["model"] for row in table(directory / "breakeven.csv")} == {"gpt2-small"}


@pytest.mark.usefixtures("sketched")
def test_a_run_and_a_shape(tmp_path: Path, command: Command) -> None:
    shape, what, spiking = Shape(1, 16, 2, 64), prefill(8), SpikingConfig(timesteps=2)
    counts = tmp_path / "counts.csv"
    pair = plan_asa(shape, what), plan_ssa(shape, what, spiking, 0.1)
    counts.write_text(to_csv(pair), encoding="utf-8")
    words = ["--run", counts, "--shapes", "8x4", "--out", "there"]
    said = command("breakeven", "--hw", "45nm", *words)
    rows = table(tmp_path / "there" / "breakeven.csv")
    assert {row["origin"] for row in rows} == {"run", "closed form"}
    assert {row["timesteps"] for row in rows if row["origin"] == "run"} == {"2"}
    marks = {
        row["mark"] for row in rows if row["origin"] == "run" and row["accounting"] == "compute"
    }
    assert marks == {"below (saves)"}
    assert "Written to there: breakeven.csv, thresholds.csv" in said


def test_an_output_that_cannot_be_written_is_found_first(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another --out"):
        command("breakeven", "--hw", "45nm", "--model", "no such model", "--out", "file")


def test_no_torch_is_needed() -> None:
    script = (
        "import sys, neurt.measure.breakeven, neurt.verbs.breakeven, reports.breakeven.table\n"
        "print(*sorted({'torch', 'transformers', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
