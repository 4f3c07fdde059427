"""A sweep in this process, in several side by side, and on a Ray cluster."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sweeps import Ask, Evaluations

import neurt.grid.reaching
from neurt.grid.grid import GridError
from neurt.grid.reaching import ClusterError
from neurt.grid.sweep import run_sweep
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest
from reports.quality.sweep import EQUAL, SWEEP

pytestmark = pytest.mark.usefixtures("alone")

# Evaluations


def results(directory: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_bytes()) for path in directory.glob("points/*")}


@pytest.fixture(scope="module")
def alone_in_process(
    trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SweepRequest, dict[str, Any]]:
    # Three points, evaluated one after another in this process; one of them a control.
    out = tmp_path_factory.mktemp("sweep")
    asked = SweepRequest(
        model=str(trained),
        out=out,
        codes=("pow2", "exact"),
        forms=("softmax", "spikformer"),
        timesteps=(2,),
        thresholds=(1.0,),
        resolutions=(1.0,),
        max_tokens=64,
        window=16,
        hw=("45nm", "loihi"),
    )
    run_sweep(asked)
    return asked, results(out)


def test_a_row_has_what_evaluate_finds(
    alone_in_process: tuple[SweepRequest, dict[str, Any]],
) -> None:
    from neurt.evaluation.evaluating import run_evaluate
    from reports.quality.table import quality_table

    asked, _ = alone_in_process
    found = run_sweep(asked).points
    tables = [quality_table(run_evaluate(point)) for point in asked.points()]
    expected = [row for table in tables for row in table.records()]
    assert len(found) == len(expected) == 2 * 2 * 2  # codes x forms x hardware
    for ours, theirs in zip(found, expected, strict=True):
        # What lies between points, equal quality and the front, is known of all of them together.
        assert not {*ours} & {*EQUAL.values(), "pareto"}
        assert {*ours, *EQUAL.values(), "pareto"} == {column.name for column in SWEEP}
        assert theirs.items() <= ours.items()  # every digit of it
    assert [row["attention_code"] for row in found[::2]] == ["pow2", "exact"] * 2
    assert {(row["threshold"], row["attention_threshold"]) for row in found} == {(1.0, 1.0)}
    # Loihi has no price for a MAC, and the control sends no events.
    assert found[1]["model_saving_compute"] is None
    assert found[2]["events_per_mac"] is None


def test_processes_side_by_side_find_the_same(
    alone_in_process: tuple[SweepRequest, dict[str, Any]], tmp_path: Path
) -> None:
    asked, expected = alone_in_process
    run_sweep(asked.model_copy(update={"out": tmp_path / "two", "jobs": 2}))
    assert results(tmp_path / "two") == expected


def test_a_process_that_is_killed_is_said(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deadly(EvaluateRequest):
        def __reduce__(self) -> Any:
            return signal.raise_signal, (signal.SIGKILL,)  # what a process that is given it does

    [point] = ask(codes=("pow2",), timesteps=(1,)).points()
    monkeypatch.setattr(SweepRequest, "points", lambda _: [Deadly(**dict(point))])
    with pytest.raises(GridError) as caught:
        run_sweep(ask(jobs=2))
    assert str(caught.value) == (
        "the process of softmax, pow2, T = 1, threshold 1 was killed by signal 9, perhaps for want "
        f"of memory; the points that are done are kept in '{tmp_path / 'out'}', run the same "
        "command again with fewer --jobs"
    )


# Ray


# Older Rays leave their log files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed")
def test_two_workers_of_ray_find_the_same(
    alone_in_process: tuple[SweepRequest, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained: Path,
) -> None:
    import ray

    monkeypatch.setenv("HOME", str(tmp_path))  # where Ray writes a token of its own
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    init = ray.init
    monkeypatch.setattr(ray, "init", lambda **how: init(num_cpus=2, include_dashboard=False, **how))
    asked, expected = alone_in_process
    monkeypatch.chdir(trained.parent)  # a path is that of whoever asks, not of the worker
    local = {"out": tmp_path / "ray", "ray": "local", "model": trained.name}
    run_sweep(asked.model_copy(update=local))
    # The name of a point has the path of the model in it.
    assert sorted(map(str, results(tmp_path / "ray").values())) == sorted(
        map(str, expected.values())
    )
    assert not ray.is_initialized()


def test_without_the_package_the_way_to_it_is_said(
    ask: Ask, evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neurt.grid.reaching, "find_spec", lambda _: None)
    with pytest.raises(ClusterError) as caught:
        run_sweep(ask(ray="local"))
    assert str(caught.value) == (
        "--ray needs the package ray; install it with pip install 'neurt-energy[cluster]'"
    )
