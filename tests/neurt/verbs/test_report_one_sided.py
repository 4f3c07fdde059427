"""Counts and servers, which have one side alone, beside measured systems."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwmodels.errors import UserError
from neurt.cli import main
from reports.measured.one_sided import one_sided
from reports.run.record import RunError

Ask = Callable[..., str]
SIZES = {"n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 50, "n_positions": 16}
BESIDE = ("--compare", "--measured", "--pictures", "none", "--out", "out")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text(json.dumps({"model_type": "gpt2", **SIZES}))
    return "tiny"


def planned(model: str, out: str, *words: str) -> Path:
    assert main(["plan", "--model", model, "--quiet", "--out", out, *words]) == 0
    return Path(out)


def rows(name: str) -> list[dict[str, str]]:
    found = csv.DictReader(Path("out/measured.csv").read_text(encoding="utf-8").splitlines())
    return [row for row in found if row["system"].startswith(name)]


def test_a_count_is_put_beside_measured_systems(tiny: str, command: Ask) -> None:
    words = ("--hw", "45nm", "--hw", "loihi", "--analog", "--pictures", "none")
    planned(tiny, "mine", *words, "--seq-len", "4", "--batch", "2")
    planned(tiny, "asked", *words, "--prompt", "6", "--generate", "3", "--windows", "2")
    said = command("report", "mine", "asked", *BESIDE)
    assert "mine on 45nm, analog" in said
    assert sorted(path.name for path in Path("out").iterdir()) == ["measured.csv", "measured.md"]
    [row] = rows("mine on 45nm")
    assert (row["phase"], row["boundary"], row["evidence"]) == ("prefill", "bill", "planned")
    record = json.loads(Path("mine/count.json").read_text())["hardware"]["45nm"]
    ends = sorted(record[f"{bound}_pj"] for bound in ("fused", "unfused"))
    # 2 sequences of 4 tokens
    assert [float(row[x]) for x in ("low_j", "high_j")] == pytest.approx(
        [pj / 8 / 1e12 for pj in ends]
    )
    [row] = rows("asked on 45nm")
    assert row["phase"] == "request"
    record = json.loads(Path("asked/count.json").read_text())["hardware"]["45nm"]
    # 2 windows of 6 + 3 - 1 tokens, whose energy is that of 2 x 3 generated ones
    assert float(row["low_j"]) == pytest.approx(
        min(record[f"{bound}_pj"] for bound in ("fused", "unfused")) / 6 / 1e12
    )
    [unpriced] = rows("mine on loihi")
    assert (unpriced["low_j"], unpriced["high_j"]) == ("", "")


def test_a_run_and_a_server_stand_beside_each_other(tiny: str, command: Ask) -> None:
    planned(tiny, "run", "--hw", "45nm", "--seq-len", "4", "--pictures", "none")
    planned(
        "Qwen3-8B", "server", "--hw", "h100", "--prompt", "9", "--generate", "7", "--batch", "8"
    )
    said = command("report", "run", "server", *BESIDE)
    assert "run on 45nm, spiking" in said
    assert Path("out/compare.csv").exists()
    [row] = rows("server on h100")
    [server] = json.loads(Path("server/serving.json").read_text())["servers"]
    energy = server["figures"]["energy_j_per_token"]
    assert float(row["low_j"]) == pytest.approx(energy["low"])
    assert float(row["high_j"]) == pytest.approx(energy["high"])
    assert (row["phase"], row["boundary"], row["batch"]) == ("request", "prediction", "8.0")
    assert "prediction" in Path("out/measured.md").read_text(encoding="utf-8")


def test_a_count_has_a_report_of_one_side(tiny: str, command: Ask) -> None:
    planned(tiny, "mine", "--hw", "45nm", "--analog", "--seq-len", "4", "--pictures", "none")
    said = command("report", "mine", "--latex", "--pictures", "none", "--out", "out")
    assert "If constants are off as far as sources differ (5 to 95 %)" in said
    files = {path.name for path in Path("out").iterdir()}
    assert files == {"counts.csv", "energy.csv", "sources.bib", "count.json", "table.tex"}
    assert Path("out/count.json").read_bytes() == Path("mine/count.json").read_bytes()
    assert r"\begin{table}" in Path("out/table.tex").read_text(encoding="utf-8")

    command("report", "mine", "out", "--pictures", "none", "--out", "both")  # a directory each
    assert {path.name for path in Path("both").iterdir()} == {"mine", "out"}


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--compare", "one side alone, so no saving to compare; put it beside measured"),
        ("--parquet", "one side alone, and --parquet writes the tables of two; leave it out"),
    ],
)
def test_what_takes_two_sides_is_not_asked_of_one(
    tiny: str, capsys: pytest.CaptureFixture[str], flag: str, said: str
) -> None:
    planned(tiny, "mine", "--hw", "45nm", "--analog", "--seq-len", "4", "--pictures", "none")
    assert main(["report", "mine", flag, "--out", "out"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"run 'mine' has {said}" in line


def test_a_server_has_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("alone").mkdir()
    Path("alone/serving.json").write_text("{}")
    assert main(["report", "alone", "--out", "out"]) == 1
    assert "run 'alone' is a prediction of a server, whose report is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("count.json", {"hardware": {}}, "field 'hardware'"),
        ("count.json", {"format": 2}, "field 'format'"),
        ("count.json", {"counts": {"phase": "prefill", "batch": 0, "tokens": 1}}, "counts.batch"),
        ("count.json", {"settings": {"generate": 4, "windows": "2"}}, "settings.windows"),
        ("count.json", {"settings": {"generate": 0}}, "settings.generate"),
        ("serving.json", {"servers": []}, "field 'servers'"),
        ("serving.json", {"servers": [{}]}, "field 'servers.0.hw'"),
    ],
)
def test_what_was_not_written_like_that_is_one_line(
    file: str, change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    bill = {"profile": {"title": "a chip"}, "pj_per_token": {"fused": 1.0, "unfused": 2.0}}
    counts = {"phase": "prefill", "batch": 1, "tokens": 4}
    whole = {"format": 1, "command": "count", "model": "m", "weights": "none", "settings": {}}
    whole |= {"counts": counts, "hardware": {"45nm": bill}}
    (tmp_path / file).write_text(json.dumps({**whole, **change}))
    with pytest.raises(RunError) as error:
        one_sided("mine", tmp_path)
    assert isinstance(error.value, UserError)
    assert said in str(error.value)
    assert "run the command again that wrote it" in str(error.value)


def test_a_phase_of_a_server_is_said_to_be_asked_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["plan", "--model", "Qwen3-8B", "--hw", "h100", "--phase", "prefill", "--out", "phase"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "leave it out, and give --prompt N and --generate N (--generate 1 is the prefill" in said
    assert not Path("phase").exists()
