from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, Label, LayerCount, Tally
from hwmodels import Op, load_profiles
from reports.count.read import read_count
from reports.count.run import CountRun
from reports.count.write import summary, write_count
from reports.kit.pictures import Pictures
from reports.run.record import RunError

ROW = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.MAC: 7, Op.EXP: 2}, 7))
RUN = CountRun(
    Counts("asa", (ROW,), "m", "random(seed=0)", tokens=3, uncounted={"add": 3}),
    load_profiles(["45nm", "loihi"]),
    {"seed": 0},
    {"neurt-energy": "0.2"},
    "now",
    "plan",
    ("A sentence.",),
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_count(RUN, tmp_path, pictures=Pictures.NONE)
    return tmp_path


def changed(where: Path, **changes: Any) -> None:
    path = where / "count.json"
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def test_what_is_read_is_what_was_written(written: Path) -> None:
    again = read_count(written)
    assert summary(again) == summary(RUN)
    assert again == RUN


def test_a_count_without_intervals_of_an_earlier_version_is_read(written: Path) -> None:
    content = json.loads((written / "count.json").read_text(encoding="utf-8"))
    for bill in content["hardware"].values():
        del bill["ranges_pj"]
    del content["said"]
    (written / "count.json").write_text(json.dumps(content), encoding="utf-8")
    assert read_count(written).estimates.keys() == {"45nm", "loihi"}


def test_what_was_edited_is_said(written: Path) -> None:
    table = written / "counts.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("7", "8"), encoding="utf-8")
    with pytest.raises(RunError, match=r"counts.csv is not the file that count.json describes"):
        read_count(written)
    table.write_text(text[:5], encoding="utf-8")
    with pytest.raises(RunError, match="cut short or was edited"):
        read_count(written)
    table.write_text(text, encoding="utf-8")
    changed(written, format=2)
    with pytest.raises(RunError, match="field 'format'"):
        read_count(written)


def test_an_energy_that_its_prices_do_not_give_is_said(written: Path) -> None:
    hardware = json.loads((written / "count.json").read_text(encoding="utf-8"))["hardware"]
    # 7 MACs at 4.6 pJ
    assert hardware["45nm"]["compute_pj"] == pytest.approx(32.2)
    hardware["45nm"]["compute_pj"] = 33.0
    changed(written, hardware=hardware)
    with pytest.raises(
        RunError, match=r"says 33.0 pJ \(compute\) on 45nm, but .* neurt-energy 0.2"
    ):
        read_count(written)
