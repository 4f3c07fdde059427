"""Parts of one evaluation, read side by side: together they are the evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import refused

from neurt.evaluation.evaluating import run_evaluate
from neurt.evaluation.read import from_plain, to_plain
from neurt.grid import windows
from neurt.grid.grid import GridError
from neurt.grid.points import PointError
from neurt.grid.windows import evaluate_in_parallel, read_part
from neurt.progress import silent
from neurt.requests.base import RequestError
from neurt.requests.evaluate import EvaluateRequest
from neurt.spiking.config import SpikingConfig
from reports.quality.evaluation import Evaluation

pytestmark = pytest.mark.usefixtures("alone")

Ask = Callable[..., EvaluateRequest]


@pytest.fixture
def ask(trained: Path, tmp_path: Path) -> Ask:
    def make(**changes: Any) -> EvaluateRequest:
        # 64 tokens in windows of 16, 8 apart: 7 windows, in batches of 2.
        reading = {"max_tokens": 64, "window": 16, "batch": 2, "hw": ("45nm",)}
        spiking = SpikingConfig(form="softmax", code="pow2", timesteps=2)  # type: ignore[arg-type]
        asked = {"model": str(trained), "out": tmp_path / "out", "spiking": spiking}
        return EvaluateRequest(**asked | reading | changes)

    return make


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parts are read in this process; which ones is told."""
    read: list[str] = []

    def engine(tasks: Mapping[str, Any], **_: Any) -> Iterator[tuple[str, Any]]:
        for key, task in tasks.items():
            read.append(task.title)
            yield key, task.work(silent)

    monkeypatch.setattr(windows, "side_by_side", engine)
    monkeypatch.setattr(windows, "on_ray", engine)
    return read


def same(one: Evaluation, other: Evaluation) -> None:
    assert one.comparison.asa == other.comparison.asa
    assert one.comparison.ssa == other.comparison.ssa
    assert one.comparison == other.comparison  # every digit of it
    assert replace(one, created="") == replace(other, created="")


@pytest.mark.parametrize("parts", [1, 3, 4])
def test_parts_of_a_text_are_together_the_whole(ask: Ask, here: list[str], parts: int) -> None:
    # Baselines too, of which one is calibrated, and a batch that is one window alone.
    how = {"baselines": ("w8a8", "teal=0.4")}
    said: list[str] = []
    found = evaluate_in_parallel(ask(windows_in_parallel=parts, **how), say=said.append)
    same(found, run_evaluate(ask(**how)))
    assert here == [f"part {number + 1} of {parts}" for number in range(parts)]
    assert len([line for line in said if "weights=local" in line]) == 1  # not once a part


def test_processes_find_the_same(ask: Ask) -> None:
    same(evaluate_in_parallel(ask(windows_in_parallel=2)), run_evaluate(ask()))


def test_a_cluster_is_given_paths_that_it_finds(
    ask: Ask, here: list[str], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    found = evaluate_in_parallel(ask(model=trained.name, windows_in_parallel=2, ray="local"))
    assert len(here) == 2
    same(found, run_evaluate(ask(model=trained.name)))


def test_a_part_that_is_kept_is_not_read_again(
    ask: Ask, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = ask(windows_in_parallel=3), read_part

    def fails(request: EvaluateRequest, part: tuple[int, int], *rest: Any) -> Any:
        return "no luck" if part[0] == 1 else real(request, part, *rest)

    monkeypatch.setattr(windows, "read_part", fails)
    assert refused(GridError, evaluate_in_parallel, asked) == (
        f"1 of 3 points failed, first part 2 of 3: no luck; the others are kept in '{asked.out}', "
        "run the same command again when the cause is gone"
    )
    monkeypatch.setattr(windows, "read_part", real)
    here.clear()
    same(evaluate_in_parallel(asked), run_evaluate(ask()))
    assert here == ["part 2 of 3"]
    path = min((asked.out / "points").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    assert "was cut or edited since it was measured" in refused(
        PointError, evaluate_in_parallel, asked
    )


@pytest.mark.parametrize(
    "changes",
    [{"window": 8}, {"batch": 1}, {"windows_in_parallel": 2}, {"max_tokens": 60}],
    ids=str,
)
def test_whatever_changes_a_part_is_read_again(
    ask: Ask, here: list[str], changes: dict[str, Any]
) -> None:
    evaluate_in_parallel(ask(windows_in_parallel=3))
    here.clear()
    asked = {"windows_in_parallel": 3} | changes
    evaluate_in_parallel(ask(**asked))
    assert len(here) == asked["windows_in_parallel"]


def test_more_parts_than_batches_are_refused(ask: Ask, here: list[str]) -> None:
    # 7 windows, two at a time, the last alone: 4.
    assert (
        "first part 1 of 5: --windows-in-parallel (= 5) is more than this text has batches of "
        "windows (4); lower it, or --batch, or raise --max-tokens"
    ) in refused(GridError, evaluate_in_parallel, ask(windows_in_parallel=5))


def test_parts_of_two_models_are_no_evaluation(
    ask: Ask, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_part

    def elsewhere(request: EvaluateRequest, part: tuple[int, int], *rest: Any) -> Any:
        found = real(request, part, *rest)
        assert isinstance(found, dict)
        if part[0] == 1:
            found["facts"]["weights"] = "random(seed=0)"
        return found

    monkeypatch.setattr(windows, "read_part", elsewhere)
    asked = ask(windows_in_parallel=2)
    said = refused(GridError, evaluate_in_parallel, asked)
    assert said.startswith("part 2 of the text was read with another weights than part 1 (random(")
    assert said.endswith(
        f"do not see the same files; make them, and delete '{asked.out / 'points'}'"
    )


def test_what_is_kept_is_what_was_read(ask: Ask) -> None:
    plain = read_part(ask(baselines=("teal=0.4",)), (1, 3), None)
    assert isinstance(plain, dict)
    facts, read = from_plain(plain)
    again = json.loads(json.dumps(to_plain(facts, read)))
    assert again == {key: value for key, value in plain.items() if key != "said"}
    assert facts.windows == (16, 8, 7)
    assert [len(batch.scores["spiking"]) for batch in read.batches] == [2]  # of 4 batches, the 2nd


def test_a_stream_is_not_read_in_parts(ask: Ask) -> None:
    assert refused(RequestError, ask(stream=True, windows_in_parallel=2).check) == (
        "--stream passes all windows through one layer after the other, and --windows-in-parallel "
        "reads some of them elsewhere; leave out one of the two"
    )
    assert ask(ray="local").idle()["ray"].endswith("give --windows-in-parallel")
