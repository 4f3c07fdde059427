"""Surroundings that libraries do not like: one line where a command needs them, none elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 32}
PLAN = "plan --model model --hw 45nm --seq-len 16 --out out --pictures"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (tmp_path / "counts.csv").write_text("layer,mac\na,1000\n", encoding="utf-8")
    return tmp_path


def run(words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neurt.cli", *words.split()],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [f"{PLAN} none", "price counts.csv --hw 45nm --out out"])
def test_commands_without_transformers_need_no_docstrings(words: str, folder: Path) -> None:
    ended = run(words, folder, PYTHONOPTIMIZE="2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert any((folder / "out").iterdir())


@pytest.mark.parametrize(
    "words",
    [
        "count --model model --weights random --hw 45nm --seq-len 16 --out out",
        # Its processes import transformers, not itself.
        "sweep --model model --weights random --hw 45nm --timesteps 1 2 --jobs 2 --out out",
    ],
)
def test_commands_with_transformers_say_that_they_need_docstrings(words: str, folder: Path) -> None:
    ended = run(words, folder, PYTHONOPTIMIZE="2")
    assert ended.returncode == 1
    assert ended.stderr.startswith("neurt-energy: this command needs transformers, which reads doc")
    assert ended.stderr.count("\n") == 1
    assert not (folder / "out").exists()


@pytest.mark.parametrize("place", ["file", "loop"])  # no directories: refused to root too
def test_a_cache_of_matplotlib_that_cannot_be_written_is_replaced_in_silence(
    folder: Path, place: str
) -> None:
    (folder / "file").touch()
    (folder / "loop").symlink_to("loop")
    (folder / "temporary").mkdir()
    ended = run(f"{PLAN} svg", folder, MPLCONFIGDIR=place, TMPDIR=str(folder / "temporary"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert list((folder / "out").glob("*.svg"))
    assert list((folder / "temporary").iterdir()) == []  # it goes with the process
