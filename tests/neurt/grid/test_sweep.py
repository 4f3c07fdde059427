from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import neurt.grid.grid
import neurt.grid.points
import neurt.grid.sweep
from hwmodels import ProfileError
from neurt.grid.grid import GridError
from neurt.grid.points import PointError
from neurt.grid.sweep import run_sweep
from neurt.loading.source import ModelError
from neurt.requests.evaluate import EvaluateRequest, SweepRequest
from reports.quality.sweep import EQUAL, MEASURED, SWEEP

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

Ask = Callable[..., SweepRequest]


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    # A copy that a test may change.
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


@pytest.fixture
def ask(model: Path, tmp_path: Path) -> Ask:
    def make(**changes: Any) -> SweepRequest:
        grid = {"codes": ("sar", "pow2"), "forms": ("softmax",), "timesteps": (1, 2)}
        reading = {"max_tokens": 64, "window": 16, "thresholds": (1.0,), "resolutions": (1.0,)}
        return SweepRequest(
            **{"model": str(model), "out": tmp_path / "out"} | grid | reading | changes
        )

    return make


@dataclasses.dataclass
class Evaluations:
    """Stands in for the evaluation of a point, and keeps which ones it was asked for."""

    done: list[EvaluateRequest] = dataclasses.field(default_factory=list)
    fails: Callable[[EvaluateRequest], object] = lambda _: None

    def __call__(self, point: EvaluateRequest, _threads: int | None, _progress: Any) -> Any:
        why = self.fails(point)
        if isinstance(why, BaseException):
            raise why
        if why:
            return why
        self.done.append(point)
        row = dict.fromkeys(MEASURED, 0.5)
        how = {"timesteps": point.spiking.timesteps, "code": point.spiking.code}
        return [row | how | {"hw": hw} for hw in point.hw]


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Evaluations:
    fake = Evaluations()
    monkeypatch.setattr(neurt.grid.sweep, "evaluate_point", fake)
    return fake


def order(points: Any) -> list[tuple[str, int]]:
    return [(str(p["code"]), p["timesteps"]) for p in points]


GRID = [("sar", 1), ("sar", 2), ("pow2", 1), ("pow2", 2)]


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
    run_sweep(ask())
    script = (
        "import sys\n"
        "from neurt.grid.sweep import run_sweep\n"
        "from neurt.requests.evaluate import SweepRequest\n"
        "found = run_sweep(SweepRequest.model_validate_json(sys.argv[1]))\n"
        "print(len(found.points), *sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ask().model_dump_json()],
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


# Failures


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


@pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed")
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:9", "[Errno 111] Connection refused"),
        ("nonsense", "Invalid address format: nonsense"),
    ],
)
def test_a_cluster_that_is_not_there_is_said(ask: Ask, address: str, why: str) -> None:
    with pytest.raises(GridError) as caught:
        run_sweep(ask(ray=address))
    assert str(caught.value).startswith(f"no Ray cluster at '{address}': {why}")


def test_without_the_package_the_way_to_it_is_said(
    ask: Ask, evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neurt.grid.grid, "find_spec", lambda _: None)
    with pytest.raises(GridError) as caught:
        run_sweep(ask(ray="local"))
    assert str(caught.value) == (
        "--ray needs the package ray; install it with pip install 'neurt-energy[cluster]'"
    )


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
