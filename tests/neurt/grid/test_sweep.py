from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweeps import GRID, Ask, Evaluations, order

import neurt.grid.points
from neurt.grid.points import PointError
from neurt.grid.sweep import run_sweep

pytestmark = pytest.mark.usefixtures("alone")

PROFILE = """\
name = "mine"
title = "A chip of mine"
precision = "fp32"
value_bytes = 4

[prices.mac]
pj = 2.0
source = "a bench"
evidence = "measured"
"""

# Known points


def test_points_come_in_the_order_of_the_grid_and_are_evaluated_once(
    ask: Ask, evaluations: Evaluations
) -> None:
    told: list[tuple[str, int, int]] = []
    said: list[str] = []
    first = run_sweep(ask(), lambda *done: told.append(done), said.append)
    assert order(first.points) == GRID
    assert told == [("evaluating", done, 4) for done in range(5)]
    [first_took] = said
    assert first_took.startswith("The first of 4 points took ")
    assert run_sweep(ask(), lambda *done: told.append(done), said.append) == first
    assert len(evaluations.done) == 4
    assert told[5:] == [("evaluating", 4, 4)]
    assert said[1:] == ["Known already: 4 of 4 points."]


def test_a_larger_sweep_takes_over_the_points_of_a_smaller_one(
    ask: Ask, evaluations: Evaluations
) -> None:
    run_sweep(ask(timesteps=(2,)))
    found = run_sweep(ask(timesteps=(1, 2, 4), codes=("pow2", "sar"), jobs=1))
    expected = [(code, steps) for code in ("pow2", "sar") for steps in (1, 2, 4)]
    assert order(found.points) == expected
    assert len(evaluations.done) == 6


def test_points_that_are_known_need_no_torch(
    ask: Ask, evaluations: Evaluations, tmp_path: Path
) -> None:
    run_sweep(ask(device="cpu"))
    script = (
        "import sys\n"
        "from neurt.grid.sweep import run_sweep\n"
        "from neurt.requests.sweep import SweepRequest\n"
        "found = run_sweep(SweepRequest.model_validate_json(sys.argv[1]))\n"
        "print(len(found.points), *sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ask(device="cpu").model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["4"]


Change = Callable[[Path], dict[str, Any] | None]


def append(name: str) -> Change:
    def change(model: Path) -> None:
        path = model / name
        path.write_bytes(path.read_bytes() + b" ")

    return change


@pytest.mark.parametrize(
    "change",
    [
        append("model.safetensors"),
        append("heldout.txt"),
        append("calibration.txt"),
        append("config.json"),
        append("tokenizer.json"),
        lambda _: {"text": Path("text.txt")},
        lambda _: {"max_tokens": 32},
        lambda _: {"window": 8},
        lambda _: {"stride": 4},
        lambda _: {"attention": "causal"},
        lambda _: {"weights": "random"},
        lambda _: {"weights": "random", "seed": 1},
        lambda _: {"hw": ("loihi",)},
        lambda _: {"hw": ("45nm", "loihi")},
        lambda _: {"calibrate": ("quantile",), "codes": ("sar",)},
        lambda _: {"thresholds": (2.0,)},
        lambda _: {"forms": ("spikformer",)},
    ],
    ids=range(17),
)
def test_whatever_changes_the_result_is_evaluated_again(
    ask: Ask, evaluations: Evaluations, model: Path, change: Change
) -> None:
    Path("text.txt").write_text("Some other text.", encoding="utf-8")
    run_sweep(ask())
    changes = change(model) or {}
    found = run_sweep(ask(**changes))
    points = len(ask(**changes).points())
    assert len(evaluations.done) == 4 + points
    assert len(found.points) == points * len(ask(**changes).hw)


def test_another_text_or_price_of_the_same_name_is_evaluated_again(
    ask: Ask, evaluations: Evaluations
) -> None:
    paths = {"text.txt": "A text.", "mine.toml": PROFILE}
    for name, content in paths.items():
        Path(name).write_text(content, encoding="utf-8")
    asked = ask(text=Path("text.txt"), hw=("mine.toml",))
    run_sweep(asked)
    run_sweep(asked)
    assert len(evaluations.done) == 4
    Path("text.txt").write_text("Another.", encoding="utf-8")
    run_sweep(asked)
    assert len(evaluations.done) == 8
    Path("mine.toml").write_text(PROFILE.replace("2.0", "3.0"), encoding="utf-8")
    run_sweep(asked)
    assert len(evaluations.done) == 12


def test_weights_that_have_come_into_the_cache_are_evaluated(
    ask: Ask, evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    # --weights auto took random ones as long as there were none.
    run_sweep(ask(model="gpt2-small"))
    monkeypatch.setattr(neurt.grid.points, "is_cached", lambda _: True)
    monkeypatch.setattr(neurt.grid.points, "cached_revision", lambda _: "607a30d783df")
    run_sweep(ask(model="gpt2-small"))
    assert len(evaluations.done) == 8


# What conversions are calibrated on


def test_another_calibration_is_another_point(ask: Ask, evaluations: Evaluations) -> None:
    own, copied = Path("own.txt"), Path("copied") / "own.txt"
    own.write_text("A text.", encoding="utf-8")
    run_sweep(ask())
    run_sweep(ask(calibration=own))
    assert len(evaluations.done) == 8
    assert all(point.calibration == own for point in evaluations.done[4:])
    copied.parent.mkdir()
    copied.write_text("A text.", encoding="utf-8")
    run_sweep(ask(calibration=copied))  # the same text elsewhere
    assert len(evaluations.done) == 8
    own.write_text("Another.", encoding="utf-8")
    run_sweep(ask(calibration=own))
    run_sweep(ask(calibration=own, calibration_tokens=64))
    run_sweep(ask(calibration=own, detokenise=True))
    assert len(evaluations.done) == 20
    assert [point.calibration_tokens for point in evaluations.done[12:16]] == [64] * 4
    assert all(point.detokenise for point in evaluations.done[16:])


def test_a_calibration_text_that_is_not_there_is_said_before_work_is_done(
    ask: Ask, evaluations: Evaluations
) -> None:
    with pytest.raises(PointError, match=r"'absent.txt' does not exist"):
        run_sweep(ask(calibration=Path("absent.txt")))
    assert evaluations.done == []


def test_dead_zones_are_points_of_their_own(ask: Ask, evaluations: Evaluations) -> None:
    run_sweep(ask(dead_zones=("output", "loss")))
    found = [(p.spiking.code, p.spiking.dead_zone) for p in evaluations.done]
    # The code sar has no dead zones to choose: it keeps the default.
    assert found == [("sar", "auto")] * 2 + [("pow2", "output"), ("pow2", "loss")] * 2
    run_sweep(ask(dead_zones=("loss",)))
    assert len(evaluations.done) == 6


def test_a_row_says_which_dead_zones_it_has(ask: Ask) -> None:
    how = {"codes": ("pow2",), "timesteps": (2,), "dead_zones": ("output", "loss")}
    rows = run_sweep(ask(**how)).points
    assert [row["dead_zone"] for row in rows] == ["output", "loss"]
    assert rows[0]["spiking_perplexity"] != rows[1]["spiking_perplexity"]
    assert rows[0]["analog_perplexity"] == rows[1]["analog_perplexity"]


def test_baselines_are_kept_with_the_points_they_were_measured_with(ask: Ask) -> None:
    words = ("w8a8", "zones", "teal=0.2", "teal=0.5")
    request = ask(timesteps=(2,), baselines=words)
    first = run_sweep(request)
    named = [(point["code"], point["baseline"]) for point in first.points]
    assert named == [
        ("sar", ""),
        *((None, name) for name in ("w8a8", "teal=0.2", "teal=0.5")),
        ("pow2", ""),
        (None, "zones"),
    ]
    assert run_sweep(request) == first
    assert {point["conversion"] == "" for point in first.baselines_on("45nm")} == {True, False}
