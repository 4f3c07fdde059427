from __future__ import annotations

import csv
from pathlib import Path

import pytest

import neurt.grid.sweep
import neurt.learning.finetune  # so that a test can replace what a command would import
from neurt.cli import main
from neurt.learning.pretrain import Pretrained
from reports.training.finetuned import Finetuned, Judged, Reading

pytestmark = pytest.mark.usefixtures("alone")

GRID = ["--codes", "pow2", "--forms", "softmax", "--timesteps", "2", "--thresholds", "1"]
GRID += ["--resolutions", "1"]
READING = ["--max-tokens", "64", "--window", "16"]


def words_of(model: Path, *more: str) -> list[str]:
    return ["--model", str(model), *more]


@pytest.mark.usefixtures("sketched")
def test_sweep_keeps_its_points_where_the_same_command_finds_them(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["sweep", *words_of(trained, *GRID, *READING)]) == 0
    first = capsys.readouterr().out
    out = tmp_path / "runs" / "sweep-tiny"
    assert {path.name for path in out.iterdir()} == {
        "points",
        "sweep.csv",
        "sources.bib",
        "pareto_45nm.png",
        "pareto_45nm.svg",
    }
    assert "tiny on 45nm: 1 point, those that none beats (analog perplexity " in first
    written = (
        "Written to runs/sweep-tiny: sweep.csv, pareto_45nm.png, pareto_45nm.svg, sources.bib\n"
    )
    assert first.endswith(written)

    def evaluated(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(neurt.grid.sweep, "evaluate_point", evaluated)
    assert main(["sweep", *words_of(trained, *GRID, *READING)]) == 0
    assert capsys.readouterr().out == "Known already: 1 of 1 point.\n" + first


@pytest.mark.usefixtures("sketched")
def test_evaluate_writes_what_it_prints(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--form", "softmax", "--code", "pow2", "--timesteps", "2", "--out", "out"]
    assert main(["evaluate", *words_of(trained, *how, *READING)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny: weights=local(tiny)\n")
    assert "Written to out: quality.csv, " in said
    with (tmp_path / "out" / "quality.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["form"], row["code"], row["timesteps"]) == (
        "softmax",
        "pow2",
        "2",
    )
    assert str(row["spiking_perplexity"])[:4] in said


@pytest.mark.usefixtures("sketched")
def test_finetune_says_what_each_stage_found(
    trained: Path, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--text", str(passages), "--out", "out", "--layer-steps", "1", "--steps", "1"]
    how += ["--tokens", "16", "--batch", "2", "--held-out-tokens", "64", "--code", "pow2"]
    assert main(["finetune", *words_of(trained, *how)]) == 0
    said = capsys.readouterr().out
    assert "layerwise step 1: loss " in said
    assert "tiny, weights local(tiny), softmax attention, pow2 feed-forward, T = 4\n" in said
    with (tmp_path / "out" / "stages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert f"\n{row['stage']} " in said
            assert f"{row['stage']}: held-out perplexity {float(row['perplexity']):.2f}" in said
    assert said.endswith("\nWritten to out\n")


@pytest.mark.parametrize("main_process", [True, False])
def test_of_several_processes_the_main_one_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main_process: bool
) -> None:
    tuned = Finetuned(
        "tiny", "local(tiny)", [Judged("analog", 0, Reading(20.0, 0.0, 99, None, None))], [], "tiny"
    )
    made = Pretrained(None, [Path("o/config.json")])  # type: ignore[arg-type]
    for where, result in (("finetune", tuned), ("pretrain", made)):
        found = result if main_process else None
        monkeypatch.setattr(
            f"neurt.learning.{where}.run_{where}", lambda *_, found=found, **__: found
        )
        model = ["--model", "m"] if where == "finetune" else []
        assert main([where, *model, "--text", "t", "--out", "o"]) == 0
        said = capsys.readouterr().out
        if not main_process:
            assert said == ""
        elif where == "finetune":
            assert said.endswith("\nWritten to o\n")
        else:
            assert said == "\nWritten to o: config.json\n"


@pytest.mark.parametrize("verb", ["profile", "evaluate", "convert", "finetune"])
@pytest.mark.parametrize(
    ("words", "this"),
    [
        (["--form", "spikformer", "--code", "signed_if"], "signed_if in spikformer attention"),
        (["--form", "softmax", "--code", "sar"], "sar in softmax attention"),
        (["--form", "spikformer", "--code", "pow2"], "pow2 in spikformer attention"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_dead_zones_by_loss_where_there_are_none_are_refused_in_one_line(
    trained: Path,
    passages: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    words: list[str],
    this: str,
) -> None:
    more = {
        "profile": ["--hw", "45nm", "--seq-len", "16"],
        "finetune": ["--text", str(passages), "--tokens", "16"],
    }
    asked = words_of(trained, "--dead-zone", "loss", "--out", "out", *words, *more.get(verb, []))
    assert main([verb, *asked]) != 0
    said = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in said if "dead zones by loss" in line]) == 1
    assert this in said[-1]
    assert "Traceback" not in "".join(said)
    assert not (tmp_path / "out" / "model.safetensors").exists()
