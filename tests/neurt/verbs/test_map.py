from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.cli import main
from reports.kit.files import OutputError
from reports.map.table import COLUMNS

Command = Callable[..., str]

pytestmark = pytest.mark.usefixtures("alone")

SMALL = (
    *("map", "--model", "gpt2-nano", "--hw", "45nm-int8", "--batches", "1", "4"),
    *("--contexts", "128", "--weight-bits", "4.5", "--sram", "64KiB", "24MiB"),
)


@pytest.mark.usefixtures("sketched")
def test_a_table_and_a_picture_of_each_hardware(tmp_path: Path, command: Command) -> None:
    said = command(*SMALL, "--hw", "45nm", "--out", "there")
    names = [f"map_{hw}.{suffix}" for hw in ("45nm-int8", "45nm") for suffix in ("png", "svg")]
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"map.csv", *names}
    with (tmp_path / "there" / "map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [column.name for column in COLUMNS]
    # 2 machines x 2 sizes x 2 batches x 2 bounds.
    assert len(rows) == 16
    assert {row["dataflow"] for row in rows} == {"gathered"}
    assert {row["sram_bytes"] for row in rows} == {"65536", "25165824"}
    assert said.count("cells (fused)") == 2
    assert "Written to there: map.csv, map_45nm-int8.png" in said


def test_json_is_the_table_and_what_it_comes_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--pictures", "none", "--out", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"map", "verdicts", "notes"}
    assert len(found["map"]) == 8
    [verdict] = found["verdicts"].values()
    assert verdict[0].startswith("Spiking ")
    with Path("out/map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{k: str(v) for k, v in row.items()} for row in found["map"]] == rows


def test_gpt2_small_unless_something_else_is_asked_for(command: Command) -> None:
    few = ("--batches", "1", "--contexts", "8", "--weight-bits", "8", "--pictures", "none")
    assert "gpt2-small, weights none(closed form)" in command("map", "--hw", "45nm", *few)
    [directory] = Path("runs").iterdir()
    assert directory.name.endswith("-map")


def test_an_earlier_map_is_kept(command: Command) -> None:
    asked = (*SMALL, "--pictures", "none", "--out", "there")
    command(*asked)
    with pytest.raises(OutputError, match=r"already holds a map \(map.csv\)"):
        command(*asked)
    command(*asked, "--force")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sram 24", "must be an amount of data with its unit, as 24MiB"),
        ("--sram 3XiB", "its unit 'XiB' is not known"),
        ("--active-rate 1.5", "--active-rate: must be at most 1, not 1.5"),
        ("--weight-bits 0", "--weight-bits: must be at least 0.1, not 0"),
        ("--batches", "--batches: expected at least one argument"),
        ("--attention causal", "the one new token of decode sees all"),
        ("--run r --spike-rate 0.1", "a run has its own"),
    ],
)
def test_words_that_make_no_map(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "--hw", "45nm", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_no_torch_is_needed() -> None:
    script = (
        "import sys, neurt.measure.map, neurt.verbs.map, reports.map.table\n"
        "print(*sorted({'torch', 'transformers', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
