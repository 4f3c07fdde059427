from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.cli import main
from neurt.families import ShapeError
from neurt.measure.planning import run_plan
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import Form, SpikingConfig
from neurt.verbs import report
from reports import OutputError, Run
from reports.compare.comparison import CompareError
from reports.kit import parquet
from reports.kit.files import write_text
from reports.kit.parquet import ParquetError
from reports.run.record import RunError
from reports.run.summary import counted, summary

Ask = Callable[..., str]


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    # What is read of two runs, without their pictures.
    config = {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 50}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(config | {"n_positions": 16}))
    made = []
    for name, rate in (("one", 0.1), ("two", 0.3)):
        asked = PlanRequest(
            model=str(tmp_path / "tiny"),
            hw=("45nm",),
            seq_len=4,
            spike_rate=rate,
            spiking=SpikingConfig(form=Form.SPIKFORMER),  # all that version 0.1 had by default
            out=tmp_path,
        )
        found = run_plan(asked)
        out = tmp_path / "runs" / name
        out.mkdir(parents=True)
        for file, text in counted(found).items():
            write_text(out / file, text)
        write_text(out / "run.json", json.dumps(summary(found), indent=2) + "\n")
        made.append(out)
    return made


@pytest.fixture
def asked(command: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.chdir(tmp_path)

    def ask(*words: str | Path) -> str:
        return command("report", *words)

    return ask


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(one: Run, out: Path, **_: object) -> list[Path]:
        out.mkdir(parents=True, exist_ok=True)
        return [write_text(out / "run.json", json.dumps(summary(one), indent=2) + "\n")]

    monkeypatch.setattr(report, "write_report", write)
    monkeypatch.setattr(report, "write_rooflines", lambda *_, **__: [])


@pytest.mark.usefixtures("no_pictures")
def test_one_run_is_reported_again(runs: list[Path], tmp_path: Path, asked: Ask) -> None:
    said = asked(runs[0], "--out", tmp_path / "out")
    assert "attention block" in said
    assert said.endswith(f"Written to {tmp_path / 'out'}: run.json\n")
    again, first = tmp_path / "out" / "run.json", runs[0] / "run.json"
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.usefixtures("no_pictures")
def test_several_runs_have_a_directory_each(runs: list[Path], tmp_path: Path, asked: Ask) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (runs[1].rename(elsewhere / "one"))  # of the same name
    said = asked(runs[0], elsewhere / "one", "--parquet", "--out", "out")
    assert said.endswith(
        "one/run.json, one/counts.parquet, one/layers.parquet, one/savings.parquet, "
        "one-2/run.json, one-2/counts.parquet, one-2/layers.parquet, one-2/savings.parquet\n"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one", "one-2"]


def test_runs_are_put_side_by_side(runs: list[Path], tmp_path: Path, asked: Ask) -> None:
    said = asked(*runs, "--compare", "--parquet", "--out", "out")
    assert "one" in said
    assert "two" in said
    names = ["csv", "html", "md", "parquet", "png", "svg"]
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [*(f"compare.{name}" for name in names), "sources.bib"]


def test_a_run_is_put_beside_measured_systems(
    runs: list[Path], tmp_path: Path, asked: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    said = asked(runs[0], "--compare", "--measured", "--pictures", "none", "--out", "out")
    assert "one on 45nm, spiking" in said
    assert "Whole systems are never the bill of their operations" in said
    names = ["compare.csv", "compare.html", "compare.md", "measured.csv", "measured.md"]
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [*names, "sources.bib"]
    # Whoever shows a published figure cites it.
    assert "2511.15950" in (tmp_path / "out" / "sources.bib").read_text(encoding="utf-8")
    assert main(["report", str(runs[0]), "--measured"]) == 2
    assert "--measured" in capsys.readouterr().err


@pytest.mark.usefixtures("no_pictures")
def test_the_default_directory_is_named_after_the_time(runs: list[Path], asked: Ask) -> None:
    assert re.search(r"Written to runs/\d{8}-\d{6}-report: run.json\n$", asked(runs[0]))


@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_overwritten_unless_asked_for(
    runs: list[Path], tmp_path: Path, asked: Ask
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("mine")
    for name in "abc":
        (out / name).write_text("mine")
    with pytest.raises(OutputError, match=r"out' already holds a, b, c, \.\.\.; choose another"):
        asked(runs[0], "--out", out)
    assert {path.read_text() for path in out.iterdir()} == {"mine"}
    asked(runs[0], "--out", out, "--force")
    assert (out / "run.json").read_bytes() == (runs[0] / "run.json").read_bytes()
    assert (out / "a").read_text() == "mine"


@pytest.mark.usefixtures("no_pictures")
def test_an_empty_directory_is_no_obstacle(runs: list[Path], tmp_path: Path, asked: Ask) -> None:
    (tmp_path / "out").mkdir()
    asked(runs[0], "--out", tmp_path / "out")


def test_what_is_wrong_is_said_before_anything_is_written(
    runs: list[Path], tmp_path: Path, asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(RunError, match="is no directory"):
        asked(runs[0], tmp_path / "absent", "--out", out)
    with pytest.raises(CompareError, match="needs two rows, but there are 1"):
        asked(runs[0], "--compare", "--out", out)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        asked(runs[0], "--out", tmp_path / "file")
    monkeypatch.setattr(parquet, "find_spec", lambda _name: None)
    with pytest.raises(ParquetError, match="needs the package pyarrow"):
        asked(runs[0], "--parquet", "--out", out)
    assert not out.exists()


def test_a_run_that_version_0_1_wrote_is_read(runs: list[Path], asked: Ask, tmp_path: Path) -> None:
    path = runs[0] / "run.json"
    record = json.loads(path.read_text())
    spiking = record["settings"]["spiking"]
    for new, old in (("form", "attention"), ("code", "feedforward")):
        spiking[old] = spiking.pop(new)
    spiking["attention_quantile"] = spiking.pop("lif_quantile")
    spiking["input_quantile"] = {"quantile": 0.99, "mse": None}[spiking.pop("calibrate")]
    path.write_text(json.dumps(record))
    again = tmp_path / "again" / "roofline.csv"
    asked(runs[0], "--pictures", "none", "--out", again.parent)
    assert again.is_file()  # its closed forms need the conversion
    asked(*runs, "--compare", "--pictures", "none", "--out", "side")
    text = (tmp_path / "side" / "compare.md").read_text(encoding="utf-8")
    assert "form spikformer, code signed" in text


def test_nothing_is_written_of_a_run_that_was_edited(runs: list[Path], asked: Ask) -> None:
    record = json.loads((runs[0] / "run.json").read_text(encoding="utf-8"))
    record["settings"]["shape"]["layers"] = "one"
    (runs[0] / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ShapeError, match="describe no known model"):
        asked(*runs, "--out", "out")
    assert not Path("out").exists()


@pytest.mark.parametrize("fit", ["one", "two"])
def test_latex_writes_a_table_for_a_paper(runs: list[Path], asked: Ask, fit: str) -> None:
    quick = ["--pictures", "none", "--no-page", "--latex", "--latex-fit", fit]
    asked(runs[0], "--out", "alone", *quick)
    asked(*runs, "--compare", "--out", "both", *quick)
    star = "" if fit == "one" else "*"
    for path in ("alone/table.tex", "both/compare.tex"):
        assert f"\\begin{{table{star}}}" in Path(path).read_text(encoding="utf-8")


def test_the_width_of_no_table_is_refused(runs: list[Path]) -> None:
    assert main(["report", str(runs[0]), "--latex-fit", "two"]) == 2
