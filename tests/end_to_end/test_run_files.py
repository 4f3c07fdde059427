"""The files of a run: which there are, what they say of it, and when they are replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished import (
    BATCH,
    FILES,
    LABEL,
    TABLES,
    TIMESTEPS,
    WINDOWS,
    Finished,
    contents,
    profiled,
)
from matplotlib.figure import Figure

from neurt.cli import main
from reports.kit import style


def test_the_files_are_there_and_no_others(finished: Finished) -> None:
    assert {path.name for path in finished.out.iterdir()} == FILES
    assert all(path.stat().st_size for path in finished.out.iterdir())


def test_the_run_says_its_weights_and_where_the_files_are(finished: Finished) -> None:
    assert f"tiny-gpt2: weights={LABEL}\n" in finished.said
    written = len(list(finished.out.iterdir()))
    assert f"Written to {finished.out}: {written} files\n--details prints all" in finished.said
    assert finished.said.rstrip().endswith(f"Page: {finished.out}/report.html")


def test_run_json_says_what_was_asked_for(finished: Finished) -> None:
    found = json.loads((finished.out / "run.json").read_text(encoding="utf-8"))
    assert (found["command"], found["model"], found["weights"]) == ("profile", "tiny-gpt2", LABEL)
    settings = found["settings"]
    assert (settings["phase"], settings["batch"], settings["windows"]) == (
        finished.phase,
        BATCH,
        WINDOWS,
    )
    assert settings["spiking"]["timesteps"] == TIMESTEPS
    assert settings["text"] == "Moby-Dick, chapters 1 and 3 (packaged)"
    assert {"python", "neurt-energy", "torch", "transformers", "fvcore"} <= set(found["versions"])
    assert "not installed" not in found["versions"].values()
    assert list(found["hardware"]) == ["45nm", "loihi"]


def test_the_same_command_gives_the_same_bytes(
    finished: Finished, tiny: Path, tmp_path: Path
) -> None:
    profiled(tiny, finished.phase, tmp_path / "again")
    first, again = contents(finished.out), contents(tmp_path / "again")
    # Only the time is another, in what states it.
    for found in (first, again):
        created = json.loads(found["run.json"])["created"].encode()
        stated = [name for name, data in found.items() if created in data]
        assert stated == ["report.html", "run.json", "summary.md"]
        found |= {name: found[name].replace(created, b"TIME") for name in stated}
    assert again == first


@pytest.mark.usefixtures("sketched")
def test_a_run_is_replaced_only_by_force(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["plan", "--model", str(tiny), "--seq-len", "8", "--hw", "45nm", "--out", str(tmp_path)]
    assert main(asked) == 0
    older = contents(tmp_path)
    assert main([*asked, "--spike-rate", "0.5"]) == 1
    assert f"output directory '{tmp_path}' already holds a run" in capsys.readouterr().err
    assert contents(tmp_path) == older
    assert main([*asked, "--spike-rate", "0.5", "--force"]) == 0
    assert contents(tmp_path)["counts.csv"] != older["counts.csv"]


def test_an_interrupt_leaves_older_files_whole(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["profile", "--model", str(tiny), "--seq-len", "8", "--hw", "45nm"]
    asked += ["--out", str(tmp_path)]
    begun: list[str] = []

    def written(_figure: Figure, path: Path) -> None:
        begun.append(path.suffix)
        path.write_text(f"picture {len(begun)}", encoding="utf-8")

    def interrupted(figure: Figure, path: Path) -> None:
        written(figure, path)
        path.write_text("newer", encoding="utf-8")
        if begun == [".png", ".svg"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(style, "save", written)
    assert main(asked) == 0
    (tmp_path / "spike_rates.png").write_bytes(b"older")
    older = contents(tmp_path)
    begun.clear()
    monkeypatch.setattr(style, "save", interrupted)
    capsys.readouterr()
    assert main([*asked, "--weights", "random", "--force"]) == 130
    assert capsys.readouterr().err == (
        "neurt-energy: interrupted; files already in place are whole\n"
    )
    now = contents(tmp_path)
    # The tables and one picture were finished; the others are the older ones, and no half file
    # is beside them.
    assert begun == [".png", ".svg"]
    # What is there is of two runs, so nothing says that it is one.
    assert set(now) == set(older) - {"run.json"}
    assert {name for name in now if now[name] != older[name]} == {
        *TABLES,
        "summary.md",
        "roofline.csv",
        "batch.csv",
        "roofline_45nm.png",
    }
    assert b"random(seed=0)" in now["counts.csv"]
