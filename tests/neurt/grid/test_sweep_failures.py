"""What a sweep says of what fails, is interrupted or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweeps import GRID, Ask, Evaluations, order

from hwmodels import ProfileError
from neurt.grid.grid import GridError
from neurt.grid.points import PointError
from neurt.grid.sweep import run_sweep
from neurt.loading.source import ModelError

pytestmark = pytest.mark.usefixtures("alone")


def test_a_point_that_fails_is_named_and_the_others_are_kept(
    ask: Ask, evaluations: Evaluations, tmp_path: Path
) -> None:
    evaluations.fails = lambda p: "it predicts NaN" if p.spiking.code == "sar" else ""
    told: list[tuple[str, int, int]] = []
    with pytest.raises(GridError) as caught:
        run_sweep(ask(), lambda *done: told.append(done))
    assert str(caught.value) == (
        "2 of 4 points failed, first softmax, sar, T = 1, threshold 1: it predicts NaN; the others "
        f"are kept in '{tmp_path / 'out'}', run the same command again when the cause is gone"
    )
    assert told[-1] == ("evaluating", 4, 4)
    evaluations.fails = lambda _: ""
    assert order(run_sweep(ask()).points) == GRID
    assert len(evaluations.done) == 4


def test_an_interrupted_sweep_goes_on_where_it_was(ask: Ask, evaluations: Evaluations) -> None:
    evaluations.fails = lambda p: KeyboardInterrupt() if p.spiking.code == "pow2" else ""
    with pytest.raises(KeyboardInterrupt):
        run_sweep(ask())
    assert len(evaluations.done) == 2
    evaluations.fails = lambda _: ""
    assert order(run_sweep(ask()).points) == GRID
    assert len(evaluations.done) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _text: "",
        lambda _text: "[]",
        lambda _text: "{}",
        lambda _text: "[1]",
        lambda text: text.replace("perplexity_change", "perplexity"),
    ],
    ids=["truncated", "empty", "no rows", "no list", "no row", "other columns"],
)
def test_a_result_that_is_damaged_is_named_before_work_is_done(
    ask: Ask, evaluations: Evaluations, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    run_sweep(ask(timesteps=(1,)))
    path = sorted((tmp_path / "out" / "points").iterdir())[0]
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(PointError) as caught:
        run_sweep(ask())
    assert str(caught.value) == (
        f"'{path}' was cut or edited since it was measured; delete it and run the same command "
        "again"
    )
    assert len(evaluations.done) == 2
    path.unlink()
    assert order(run_sweep(ask()).points) == GRID


def test_an_error_that_does_not_explain_itself_is_a_bug(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("neurt.evaluation.evaluating.run_evaluate", broken)
    with pytest.raises(ZeroDivisionError):
        run_sweep(ask())


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"model": "gpt3"}, ModelError, "model 'gpt3' is not known"),
        ({"hw": ("90nm",)}, ProfileError, "hardware profile '90nm' is not known"),
        (
            {"text": Path("no.txt")},
            PointError,
            "text 'no.txt' does not exist",
        ),
        (
            {"window": 33},  # the model has 32 positions
            GridError,
            "4 of 4 points failed, first softmax, sar, T = 1, threshold 1: the window (= 33)",
        ),
    ],
    ids=["model", "hardware", "text", "window"],
)
def test_what_cannot_be_swept_is_said(
    ask: Ask, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        run_sweep(ask(**changes))
    assert str(caught.value).startswith(said)


def test_a_converted_model_is_not_swept(ask: Ask, model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_bytes())
    config = json.dumps(config | {"model_type": "spiking_gpt2"})
    (model / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(GridError) as caught:
        run_sweep(ask())
    assert str(caught.value) == (
        f"'{model}' is a converted model, of which there is one conversion only; give the analog "
        "model, or this one to neurt-energy evaluate"
    )
    assert not (tmp_path / "out").exists()
