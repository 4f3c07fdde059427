from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import neurt.grid.reproduce
from hwmodels import ProfileError
from neurt.closed_form.passes import PlanError
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.grid.grid import GridError
from neurt.grid.measuring import Measurement
from neurt.grid.points import PointError
from neurt.grid.reproduce import run_reproduce
from neurt.loading.source import ModelError, resolve
from neurt.requests.passes import ProfileRequest
from neurt.requests.reproduce import ReproduceRequest
from reports.reproduce.rows import Reproduction

pytestmark = pytest.mark.usefixtures("alone")

Ask = Callable[..., ReproduceRequest]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def make(**changes: Any) -> ReproduceRequest:
        grid = {"models": ("gpt2-nano",), "timesteps": (2, 4), "hw": ("45nm",), "jobs": 1}
        literal = {"forms": ("spikformer",), "out": tmp_path / "out"}
        return ReproduceRequest(**grid | literal | changes)

    return make


@dataclasses.dataclass
class Measurements:
    """Stands in for measuring, and keeps what it was asked for."""

    done: list[ProfileRequest] = dataclasses.field(default_factory=list)
    fails: Callable[[ProfileRequest], object] = lambda _: None

    def __call__(self, point: ProfileRequest, threads: int | None, progress: Any) -> Any:
        why = self.fails(point)
        if isinstance(why, BaseException):
            raise why
        if why:
            return why
        self.done.append(point)
        shape = resolve(point.model).shape
        assert shape is not None
        [what] = point.stages[0].passes
        about = {"model": point.model, "weights": "random(seed=0)"}
        return Measurement(
            plan_asa(shape, what, point.conventions, **about),
            plan_ssa(shape, what, point.spiking, 0.25, point.conventions, **about),
            (f"{point.model}: weights=random(seed=0)",),
        )


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> Measurements:
    fake = Measurements()
    monkeypatch.setattr(neurt.grid.reproduce, "measure", fake)
    return fake


def runs(found: Reproduction) -> list[tuple[str, int]]:
    return list(dict.fromkeys((str(row["model"]), row["timesteps"]) for row in found.rows))


GRID = [("gpt2-small", 2), ("gpt2-small", 4), ("gpt2-nano", 2), ("gpt2-nano", 4)]


# Known runs


def test_runs_come_in_the_order_of_the_grid_and_are_measured_once(
    ask: Ask, measurements: Measurements
) -> None:
    told: list[tuple[str, int, int]] = []
    said: list[str] = []
    asked = ask(models=("gpt2-small", "gpt2-nano"))
    first = run_reproduce(asked, lambda *done: told.append(done), said.append)
    assert runs(first) == GRID
    assert told == [("measuring", done, 4) for done in range(5)]
    assert said[0].startswith("4 runs to measure in 1 process side by side, at most ")
    assert said[1:] == [f"{model}: weights=random(seed=0)" for model in ("gpt2-small", "gpt2-nano")]
    said.clear()
    again = run_reproduce(asked, say=said.append)
    assert again.table.to_csv() == first.table.to_csv()
    assert len(measurements.done) == 4
    assert said == ["Known already: 4 of 4 points."]


def test_other_constants_need_no_measurement(ask: Ask, measurements: Measurements) -> None:
    run_reproduce(ask())
    found = run_reproduce(ask(hw=("45nm-int8", "loihi")))
    assert len(measurements.done) == 2
    assert {row["hw"] for row in found.rows} == {"45nm-int8", "loihi"}


def test_a_larger_table_takes_over_the_runs_of_a_smaller_one(
    ask: Ask, measurements: Measurements
) -> None:
    run_reproduce(ask(timesteps=(4,)))
    found = run_reproduce(ask(timesteps=(2, 4, 8), models=("gpt2-small", "gpt2-nano")))
    assert len(runs(found)) == len(measurements.done) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": 64},
        {"attention": ("causal",)},
        {"seed": 1},
        {"forms": ("softmax",)},
        {"codes": ("pow2",)},
        {"text": Path("text.txt")},
    ],
    ids=str,
)
def test_whatever_changes_the_counts_is_measured_again(
    ask: Ask, measurements: Measurements, changes: dict[str, Any]
) -> None:
    Path("text.txt").write_text("A text.", encoding="utf-8")
    run_reproduce(ask())
    run_reproduce(ask(**changes))
    assert len(measurements.done) == 4


def test_runs_that_are_known_need_no_torch(ask: Ask, measurements: Measurements) -> None:
    run_reproduce(ask(device="cpu"))
    script = (
        "import sys\n"
        "from neurt.grid.reproduce import run_reproduce\n"
        "from neurt.requests.reproduce import ReproduceRequest\n"
        "found = run_reproduce(ReproduceRequest.model_validate_json(sys.argv[1]))\n"
        "print(len(found.measured), *sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, ask(device="cpu").model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["2"]


# Failures


def test_a_run_that_fails_is_named_and_the_others_are_kept(
    ask: Ask, measurements: Measurements, tmp_path: Path
) -> None:
    measurements.fails = lambda point: "no luck" if point.spiking.timesteps == 2 else None
    with pytest.raises(GridError) as caught:
        run_reproduce(ask())
    assert str(caught.value) == (
        "1 of 2 points failed, first gpt2-nano, T = 2, spikformer, signed_if, full attention: no "
        f"luck; the others are kept in '{tmp_path / 'out'}', run the same command again when the "
        "cause is gone"
    )
    measurements.fails = lambda _: None
    assert len(runs(run_reproduce(ask()))) == len(measurements.done) == 2


def test_an_interrupt_keeps_what_is_done(ask: Ask, measurements: Measurements) -> None:
    measurements.fails = lambda point: KeyboardInterrupt() if point.spiking.timesteps == 4 else None
    with pytest.raises(KeyboardInterrupt):
        run_reproduce(ask())
    measurements.fails = lambda _: None
    run_reproduce(ask())
    assert [point.spiking.timesteps for point in measurements.done] == [2, 4]


def test_a_bug_is_no_failing_run(ask: Ask, measurements: Measurements) -> None:
    measurements.fails = lambda _: ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        run_reproduce(ask())


def test_counts_that_were_edited_are_said(ask: Ask, measurements: Measurements) -> None:
    run_reproduce(ask())
    path = sorted((ask().out / "points").iterdir())[0]
    path.write_text(path.read_text().replace("128", "129"))
    with pytest.raises(PointError, match="was cut or edited since it was measured; delete it"):
        run_reproduce(ask())
    path.unlink()
    run_reproduce(ask())
    assert len(measurements.done) == 3


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"models": ("gpt9",)}, ModelError, "model 'gpt9' is not known; give one of gpt2-nano, "),
        ({"models": ("some/gpt2",)}, PlanError, "the sizes of 'some/gpt2' are not in the local "),
        ({"hw": ("abacus",)}, ProfileError, "'abacus'"),
        ({"tokens": 257}, PlanError, "257 tokens are more than the 256 positions of 'gpt2-nano'"),
        (
            {"models": ("gpt2-nano-spiking",)},
            GridError,
            "'gpt2-nano-spiking' is a converted model, of which there is one conversion only; ",
        ),
        ({"text": Path("no.txt")}, PointError, "'no.txt' does not exist"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_measured_is_said_before_anything_is(
    ask: Ask, measurements: Measurements, changes: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        run_reproduce(ask(**changes))
    assert said in str(caught.value)
    assert measurements.done == []


# Memory and processes


def test_a_run_that_needs_more_than_it_may_have_is_said(
    ask: Ask, measurements: Measurements
) -> None:
    with pytest.raises(GridError) as caught:
        run_reproduce(ask(models=("gpt2-nano", "gpt2-large"), memory_gib=3.5))
    assert str(caught.value) == (
        "gpt2-large, T = 4, spikformer, signed_if, full attention needs up to 3.9 GiB, more than "
        "the 3.5 GiB that all processes may take; raise --memory-gib, or lower --tokens or "
        "--timesteps"
    )
    assert measurements.done == []


def test_memory_and_processes_are_handed_on(
    ask: Ask, measurements: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def fake(tasks: Any, processes: int, most: int, progress: Any, **_: Any) -> Any:
        seen.append((processes, most, [task.peak_bytes for task in tasks.values()]))
        for key, task in tasks.items():
            progress(1, "counting", 1, 2)
            progress(1, "something else", 1, 2)
            yield key, task.work(lambda *_: None)

    monkeypatch.setattr(neurt.grid.reproduce, "side_by_side", fake)
    told: list[tuple[str, int, int]] = []
    run_reproduce(ask(jobs=2, memory_gib=2), lambda *done: told.append(done))
    [(processes, most, peaks)] = seen
    assert (processes, most) == (2, 2 * 2**30)
    assert peaks[0] < peaks[1] < most  # T = 2, T = 4
    # The last of three stages, half done: 83.3 %
    assert told.count(("process 1 (% of a run)", 83, 100)) == 2
    assert len(measurements.done) == 2


def test_a_process_that_is_killed_is_said(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Deadly(ProfileRequest):
        def __reduce__(self) -> Any:
            return signal.raise_signal, (signal.SIGKILL,)

    points = [Deadly(**dict(point)) for point in ask().points()]
    monkeypatch.setattr(ReproduceRequest, "points", lambda _: tuple(points))
    with pytest.raises(GridError) as caught:
        run_reproduce(ask(jobs=2))
    assert str(caught.value).startswith("the process of gpt2-nano, T = ")
    assert str(caught.value).endswith(
        "was killed by signal 9, perhaps for want of memory; the points that are done are kept in "
        f"'{tmp_path / 'out'}', run the same command again with fewer --jobs"
    )


def test_processes_side_by_side_find_what_one_finds(
    ask: Ask, trained: Path, tmp_path: Path
) -> None:
    # Measured, not made up: a tiny model, in this process and in two others.
    how = {"models": (str(trained),), "tokens": 16, "timesteps": (1, 2)}
    one = run_reproduce(ask(**how))
    two = run_reproduce(ask(**how, jobs=2, out=tmp_path / "two"))
    assert one.table.to_csv() == two.table.to_csv()
    kept = [sorted(x.name for x in (tmp_path / out / "points").iterdir()) for out in ("out", "two")]
    assert kept[0] == kept[1]
    assert {row["weights"] for row in one.rows} == {f"local({trained.name})"}


# What a block is


def inside(names: Iterable[str] | None) -> set[str]:
    """Names within a transformer layer."""
    return {name.split(".", 3)[3] for name in names or ()}


@pytest.mark.parametrize(
    ("form", "coder_of_projection", "neurons"),
    [
        ("spikformer", "attn.mix_neuron", {"attn.qkv_neuron"}),
        ("softmax", "attn.mix_encoder", {"attn.query_encoder", "attn.core.weight_encoder"}),
    ],
)
def test_a_block_is_with_projections_or_without(
    ask: Ask,
    measurements: Measurements,
    form: str,
    coder_of_projection: str,
    neurons: set[str],
) -> None:
    [one] = run_reproduce(ask(timesteps=(2,), forms=(form,))).measured
    block, products = one.scopes
    assert (block.name, products.name) == ("with", "without")
    analog = {"attn.core.scores", "attn.core.softmax", "attn.core.mix"}
    projections = {"ln_1", "attn.c_attn", "attn.c_proj", "residual.0"}
    assert inside(products.analog) == analog
    assert inside(block.analog) == analog | projections
    spiking = {"attn.core.scores", "attn.core.normalise", "attn.core.mix"} | neurons
    if form == "softmax":
        spiking.add("attn.core.softmax")
    assert inside(products.spiking) == spiking
    coders = {"attn.encoder", coder_of_projection}
    assert inside(block.spiking) == spiking | projections | coders


def test_streams_and_the_most_that_a_slot_holds_follow_from_the_conversion(
    ask: Ask, measurements: Measurements
) -> None:
    found = run_reproduce(
        ask(
            timesteps=(2,),
            forms=("spikformer", "softmax"),
            codes=("burst", "pow2"),
            key_values=("stored", "streamed"),
        )
    )
    assert {(one.form, one.code, one.streams) for one in found.measured} == {
        ("spikformer", "burst", "Q,V"),
        ("spikformer", "pow2", "Q,V"),
        ("softmax", "burst", "Q,A"),
        ("softmax", "pow2", "Q,A"),
        ("softmax", "burst", "Q,A,K,V"),
        ("softmax", "pow2", "Q,A,K,V"),
    }
    assert {(one.code, part.highest_rate) for one in found.measured for part in one.scopes} == {
        ("burst", 7.0),
        ("pow2", 1.0),
    }
