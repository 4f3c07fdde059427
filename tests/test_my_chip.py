"""The page on a chip of one's own: its table, its commands and its code, as a reader runs them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from hwmodels import load_profile
from neurt.cli import main

PAGE = (Path(__file__).parents[1] / "docs/how-to/my-chip.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_from_a_table_to_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [table] = [text for language, text in BLOCKS if language == "csv"]
    Path("costs.csv").write_text(table, encoding="utf-8")
    [ert] = [text for language, text in BLOCKS if language == "yaml"]
    Path("ERT.yaml").write_text(ert, encoding="utf-8")
    shell = "".join(text.replace("\\\n", " ") for language, text in BLOCKS if language == "bash")
    lines = shell.splitlines()
    assert len(lines) > 2
    for number, line in enumerate(lines):
        _, *words = shlex.split(line)
        if words[0] in ("plan", "price", "report"):
            words += [] if "--out" in words else ["--out", f"run{number}"]
        if words[0] in ("plan", "report"):
            words += ["--pictures", "none"]
            words += [] if "--batch" in words else ["--no-page"]  # a sweep has none
        assert main(words) == 0, line
    assert load_profile("my-chip.toml").prices["mac"].pj == 0.21
    assert load_profile("pe-array.toml").memory["dram"].read_pj_per_byte == 64  # 512 x 8 / 64
    assert "my-chip" in Path("runs/machines/machines.csv").read_text(encoding="utf-8")
    assert "a comparison of two machines" in Path("runs/two-report/table.tex").read_text("utf-8")
    records = [
        json.loads(path.read_text(encoding="utf-8"))["hardware"]
        for path in sorted(Path().rglob("run.json"))
    ]
    named = [name for record in records for name in record]
    assert named[:3] == ["my-chip", "pe-array", "my-chip+set"]


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for code in (text for language, text in BLOCKS if language == "python"):
        exec(code, {})
    said = capsys.readouterr().out.splitlines()
    assert said == ["45nm+set 0.5 set for one run", "['ASA on 45nm, SSA on loihi']"]
