from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neurt.grid.reproduce
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.grid.measuring import Measurement
from neurt.loading.source import resolve
from neurt.requests.passes import ProfileRequest
from reports.kit.files import OutputError

pytestmark = pytest.mark.usefixtures("alone")

FILES = ["reproduce.csv", "reproduce.md", "reproduce.tex", "reproduce.png", "reproduce.svg"]
FILES += ["sources.bib"]


def measured(point: ProfileRequest, _threads: int | None, _progress: Any) -> Measurement:
    shape = resolve(point.model).shape
    assert shape is not None
    [what] = point.stages[0].passes
    about = {"model": point.model, "weights": "made up"}
    return Measurement(
        plan_asa(shape, what, **about), plan_ssa(shape, what, point.spiking, 0.25, **about)
    )


def test_the_table_is_printed_and_written_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., str]
) -> None:
    monkeypatch.setattr(neurt.grid.reproduce, "measure", measured)
    written = []
    for _ in range(2):
        out = Path("runs/reproduce")
        said = command("reproduce", *["--models", "gpt2-nano", "--timesteps", "4", "--jobs", "1"])
        assert f"Written to {out}: {', '.join(FILES)}" in " ".join(said.split())
        assert "weights: gpt2-nano made up" in said
        # 0.25 x 4 events per MAC at 0.9 / 4.6 of its price: 80.43 %, within 64.71 to 85.28
        assert "80.43" in said
        cited = (out / "sources.bib").read_text(encoding="utf-8")
        # The published range, the prices, and one of the two forms of attention.
        assert all(key in cited for key in ("balaji2025", "horowitz2014", "zhou2022"))
        written.append({name: (out / name).read_bytes() for name in FILES})
    assert written[0] == written[1]
    # One for each form of the attention.
    assert len(list((out / "points").iterdir())) == 2


def test_a_directory_that_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., str]
) -> None:
    monkeypatch.setattr(neurt.grid.reproduce, "measure", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --out"):
        command("reproduce", "--models", "gpt2-nano", "--out", tmp_path / "file" / "out")
