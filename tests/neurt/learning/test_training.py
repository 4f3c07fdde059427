from __future__ import annotations

import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file
from torch import Tensor, nn

from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.training import METRICS, TrainingError, train
from neurt.learning.windows import draw_windows
from neurt.requests.training import TrainingSettings
from reports.training.metrics import MetricsRow, read_metrics

VOCABULARY = 11
SETTINGS = TrainingSettings(
    steps=6, batch=4, tokens=8, learning_rate=0.05, warmup_steps=2, save_every=2, seed=3
)


class Bigram(nn.Module):
    """Predicts a token from the one before it; drops half of what it knows."""

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.dropout = nn.Dropout(dropout)
        self.steps = 0

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        self.steps += 1
        logits = self.dropout(self.table(ids[:, :-1])) + self.bias
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        return {"loss": loss, "bias": self.bias.abs().mean()}


def stream() -> Tensor:
    # 0 1 2 ... 10 0 1 2 ...: each token decides the next.
    return torch.arange(500) % VOCABULARY


def run(directory: Path, objective: nn.Module | None = None, **how: Any) -> list[MetricsRow]:
    how = {"stage": "test", "resume": False} | how
    settings = how.pop("settings", SETTINGS)
    ids = how.pop("ids", stream())
    return train(objective or Bigram(), ids, settings, directory, **how)


def without_speed(rows: list[MetricsRow]) -> list[MetricsRow]:
    return [replace(row, tokens_per_second=0.0) for row in rows]


def same_checkpoint(one: Path, other: Path) -> bool:
    # Not byte by byte: safetensors writes the metadata in any order.
    a, b = load_file(one / CHECKPOINT), load_file(other / CHECKPOINT)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stopping(step: int) -> Callable[[str, int, int], None]:
    def progress(_what: str, done: int, _total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    return progress


def test_it_learns_and_says_how(tmp_path: Path) -> None:
    objective, told, said = Bigram(0.0), list[tuple[str, int, int]](), list[str]()
    rows = run(
        tmp_path / "new" / "directory",
        objective,
        settings=SETTINGS.model_copy(update={"steps": 60}),
        progress=lambda *done: told.append(done),
        say=said.append,
    )
    assert rows[-1].scalars["loss"] < 0.5 * rows[0].scalars["loss"]
    assert objective.steps == 60
    assert objective.frozen.tolist() == [1.0, 1.0]
    assert told == [("test", done, 60) for done in range(61)]
    assert len(said) == 60  # at most one per step, some forty in longer ones
    assert said[-1].startswith(f"test step 60: loss {rows[-1].scalars['loss']:.4f}, ")
    assert read_metrics(tmp_path / "new" / "directory" / METRICS) == [
        replace(row, tokens_per_second=float(f"{row.tokens_per_second:.1f}")) for row in rows
    ]


def test_a_row_says_what_its_step_did(tmp_path: Path) -> None:
    rows = run(tmp_path)
    assert [row.step for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.tokens for row in rows] == [32, 64, 96, 128, 160, 192]  # 4 windows of 8 tokens
    # Warm-up over two steps, then a cosine that begins at the third and ends at a tenth.
    assert [row.learning_rate for row in rows[:3]] == [0.025, 0.05, 0.05]
    assert rows[-1].learning_rate == pytest.approx(0.005)
    assert rows[0].scalars.keys() == {"loss", "bias"}
    assert rows[0].scalars["bias"] == 0.0
    assert all(row.gradient_norm > 0 and row.tokens_per_second > 0 for row in rows)


def test_gradients_are_clipped_after_their_norm_is_taken(tmp_path: Path) -> None:
    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x = nn.Parameter(torch.zeros(2))

        def forward(self, _ids: Tensor) -> dict[str, Tensor]:
            return {"loss": (self.x * torch.tensor([3.0, 4.0])).sum()}

    objective = Slope()
    settings = SETTINGS.model_copy(update={"steps": 1, "clip": 0.5})
    assert run(tmp_path, objective, settings=settings)[0].gradient_norm == 5.0  # 3-4-5
    # exp_avg = (1 - 0.9) g with g = (3, 4) x 0.5 / 5
    found = load_file(tmp_path / CHECKPOINT)["exp_avg/x"]
    assert found.tolist() == pytest.approx([0.03, 0.04], rel=1e-5)


def test_windows_depend_on_seed_and_step_alone() -> None:
    ids = torch.arange(100)
    first = draw_windows(ids, SETTINGS, 5)
    assert first.shape == (4, 8)
    assert torch.equal(first - first[:, :1], torch.arange(8).expand(4, 8))  # contiguous
    assert torch.equal(first, draw_windows(ids, SETTINGS, 5))
    assert not torch.equal(first, draw_windows(ids, SETTINGS, 6))
    other = SETTINGS.model_copy(update={"seed": 4})
    assert not torch.equal(first, draw_windows(ids, other, 5))


def test_windows_reach_both_ends_of_the_text() -> None:
    settings = SETTINGS.model_copy(update={"batch": 64})
    assert set(draw_windows(torch.arange(10), settings, 0)[:, 0].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path: Path, stop: int) -> None:
    whole, resumed = Bigram(), Bigram()
    expected = run(tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Bigram(), progress=stopping(stop))
    assert len(read_metrics(tmp_path / "cut" / METRICS)) == stop // 2 * 2  # saved every 2 steps
    rows = run(tmp_path / "cut", resumed, resume=True)
    assert without_speed(rows) == without_speed(expected)
    for (name, a), b in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert same_checkpoint(tmp_path / "cut", tmp_path / "whole")


def test_rows_that_the_checkpoint_does_not_know_are_done_again(tmp_path: Path) -> None:
    expected = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", progress=stopping(3))
    # As if it was killed between the two files of step 4.
    (tmp_path / "cut" / METRICS).write_bytes((tmp_path / "whole" / METRICS).read_bytes())
    assert without_speed(run(tmp_path / "cut", resume=True)) == without_speed(expected)


def test_a_finished_training_is_loaded(tmp_path: Path) -> None:
    trained, loaded = Bigram(), Bigram()
    expected = run(tmp_path, trained)
    rows = run(tmp_path, loaded, resume=True)
    assert without_speed(rows) == without_speed(expected)
    assert loaded.steps == 0
    assert torch.equal(trained.table.weight, loaded.table.weight)


# A process that becomes two, so that torch is imported once; the environment is torchrun's.
TWO = """
import os, sys
from pathlib import Path
from neurt.learning.training import TrainingError, processes
from tests_of_training import Bigram, SETTINGS, run, stream

rank = os.fork() == 0
os.environ |= {"RANK": str(int(rank)), "LOCAL_RANK": str(int(rank)), "WORLD_SIZE": "2"}
assert processes().num_processes == 2
out = Path(sys.argv[1])
objective = Bigram(0.0)
run(out / "run", objective)
sys.stdout.write(f"weight {objective.table.weight.sum().item()}\\n")
for name, how in (
    ("odd", {"settings": SETTINGS.model_copy(update={"batch": 3})}),
    ("other", {"ids": stream() if processes().is_main_process else stream() + 1}),
):
    try:
        run(out / name, **how)
    except TrainingError as error:
        sys.stdout.write(f"{error}\\n")
sys.stdout.flush()
if rank:
    os._exit(0)
assert os.wait()[1] == 0
"""


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    (tmp_path / "tests_of_training.py").write_text(Path(__file__).read_text(encoding="utf-8"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", TWO, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | where | {"OMP_NUM_THREADS": "1"},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    alone = run(tmp_path / "alone", Bigram(0.0))
    together = read_metrics(tmp_path / "run" / METRICS)
    # Sums over 4 windows in another order: some ulps of float32 per step, 6 steps.
    for one, two in zip(alone, together, strict=True):
        assert two.scalars["loss"] == pytest.approx(one.scalars["loss"], rel=1e-5)
        assert two.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-5)
        same = (one.step, one.tokens, one.learning_rate)
        assert (two.step, two.tokens, two.learning_rate) == same
    expected = load_file(tmp_path / "alone" / CHECKPOINT)
    for name, tensor in load_file(tmp_path / "run" / CHECKPOINT).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6)
    # Two processes write to one pipe: a line of one may begin behind what the other said.
    weights = re.findall(r"weight (-?[\d.e-]+)", done.stdout)
    assert len(weights) == 2
    assert weights[0] == weights[1]
    for said in (
        "batch (= 3) must be divisible by the 2 processes; choose --batch 4",
        "the processes were given different token ids; give all the same text",
    ):
        assert done.stdout.count(said) == 2
    assert not (tmp_path / "odd").exists()


@pytest.mark.parametrize(("value", "name"), [(math.nan, "nan"), (math.inf, "inf")])
def test_a_loss_that_is_not_finite_ends_it_and_overwrites_nothing(
    tmp_path: Path, value: float, name: str
) -> None:
    class Breaks(Bigram):
        def forward(self, ids: Tensor) -> dict[str, Tensor]:
            results = super().forward(ids)
            return results | {"loss": results["loss"] * (value if self.steps == 3 else 1)}

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "expected", progress=stopping(2))
    assert refused(TrainingError, run, tmp_path / "broken", Breaks(), settings=SETTINGS) == (
        f"test: the loss of step 3 is {name}; lower --learning-rate or --clip, or lengthen "
        "--warmup-steps"
    )
    assert same_checkpoint(tmp_path / "broken", tmp_path / "expected")


def test_a_gradient_that_is_not_finite_ends_it_before_the_step(tmp_path: Path) -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x = nn.Parameter(torch.zeros(()))

        def forward(self, _ids: Tensor) -> dict[str, Tensor]:
            return {"loss": self.x.sqrt()}  # of slope infinity at 0

    objective = Root()
    with pytest.raises(TrainingError, match=r"test: the gradient norm of step 1 is (inf|nan);"):
        run(tmp_path, objective)
    assert objective.x.item() == 0


def test_a_text_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    assert refused(TrainingError, run, tmp_path / "out", ids=torch.arange(7)) == (
        "the training text has 7 tokens, fewer than a window of 8; give a longer --text or lower "
        "--tokens"
    )
    assert not (tmp_path / "out").exists()


def test_an_objective_without_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no parameter that requires a gradient"):
        run(tmp_path / "out", Bigram().requires_grad_(False))


def test_a_training_does_not_overwrite_another(tmp_path: Path) -> None:
    run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="holds an unfinished training"):
        run(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stage": "other"}, "stage = test, but now stage = other"),
        (
            {"settings": SETTINGS.model_copy(update={"learning_rate": 0.1})},
            "learning_rate = 0.05, but now learning_rate = 0.1",
        ),
        ({"facts": {"teacher": "b"}}, "teacher = a, but now teacher = b"),
        ({"facts": {}}, "teacher = a, but now teacher = nothing"),
        ({"ids": stream().flip(0)}, "sha256 of the token ids = "),
    ],
    ids=["stage", "settings", "facts", "a fact less", "text"],
)
def test_another_training_is_not_continued(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    run(tmp_path, facts={"teacher": "a"})
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert said in refused(
        CheckpointError, run, tmp_path, **{"facts": {"teacher": "a"}, "resume": True} | change
    )
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_parameters_of_another_shape_are_not_continued(tmp_path: Path) -> None:
    run(tmp_path)
    wider = Bigram()
    wider.table = nn.Embedding(VOCABULARY + 1, VOCABULARY)
    assert "shape of table.weight = [11, 11], but now shape of table.weight = [12, 11]" in refused(
        CheckpointError, run, tmp_path, wider, resume=True
    )


def test_metrics_that_lack_rows_are_not_continued(tmp_path: Path) -> None:
    run(tmp_path)
    lines = (tmp_path / METRICS).read_text(encoding="utf-8").splitlines(keepends=True)
    edited = lines[2].replace(".", ".1", 1)
    for damaged in (lines[:-2], [*lines[:2], edited, *lines[3:]]):
        (tmp_path / METRICS).write_text("".join(damaged), encoding="utf-8")
        with pytest.raises(CheckpointError, match="was cut or edited: it is not that of the 6 st"):
            run(tmp_path, resume=True)
