"""Two processes that each hold a part of a model, on CPUs: they train as one that holds it all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from builders import refused
from safetensors.torch import load_file
from torch import Tensor, nn

from neurt.learning import sharding
from neurt.learning.checkpoint import CHECKPOINT, CheckpointError, folders_of_shards
from neurt.learning.sharding import LostProcessError, ShardingError, accelerated, said_if_lost
from neurt.learning.training import METRICS, train
from neurt.requests.training import TrainingSettings
from reports.training.metrics import MetricsRow, read_metrics

VOCABULARY = 11
SETTINGS = TrainingSettings(
    steps=6, batch=4, tokens=8, learning_rate=0.05, warmup_steps=2, save_every=2, seed=3
)


class Block(nn.Module):
    def __init__(self, scale: nn.Parameter) -> None:
        super().__init__()
        self.linear = nn.Linear(VOCABULARY, VOCABULARY)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.linear(x) * self.scale


class Deep(nn.Module):
    """Predicts a token from the one before it, through two blocks that share what is frozen.

    The table is the head, too, so that one parameter that learns is in two places.
    """

    gathered = (Block,)

    def __init__(self, dies_at: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)
        scale = nn.Parameter(torch.full((VOCABULARY,), 0.5), requires_grad=False)
        self.blocks = nn.ModuleList([Block(scale), Block(scale)])
        self.head = nn.Linear(VOCABULARY, VOCABULARY, bias=False)
        self.head.weight = self.table.weight
        self.dies_at, self.passes = dies_at, 0

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        self.passes += 1
        if self.passes == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x = self.table(ids[:, :-1])
        for block in self.blocks:
            x = block(x)
        logits = self.head(x)
        return {"loss": nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())}


def run(directory: Path, objective: nn.Module | None = None, **how: Any) -> list[MetricsRow]:
    how = {"stage": "test", "resume": False} | how
    ids = torch.arange(500) % VOCABULARY
    return train(objective or Deep(), ids, SETTINGS, directory, **how)


# A process that becomes two, so that torch is imported once; the environment is what
# `accelerate launch --use_fsdp --fsdp_version 2` sets.
TWO = """
import os, sys
from pathlib import Path
from neurt.learning.training import processes
from neurt.learning.sharding import LostProcessError
from tests_of_sharding import Deep, run

rank = os.fork() == 0
os.environ |= {"RANK": str(int(rank)), "LOCAL_RANK": str(int(rank)), "WORLD_SIZE": "2"}
assert processes().num_processes == 2
out = Path(sys.argv[1])
for name in ("run", "begun"):
    objective = Deep()
    run(out / name, objective, resume=name == "begun")
    sums = [float(p.detach().double().sum()) for p in objective.parameters()]
    sys.stdout.write(f"{name} {sums}\\n")
    sys.stdout.flush()
try:
    run(out / "killed", Deep(dies_at=4 if rank else None))
except LostProcessError as error:
    sys.stdout.write(f"{error}\\n")
sys.stdout.flush()
assert os.wait()[1] == 9
os._exit(0)  # without those who are gone
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    # What two processes made: all steps, those after what one had begun, and until one is killed.
    out = tmp_path_factory.mktemp("two")
    with pytest.raises(KeyboardInterrupt):
        run(out / "begun", progress=stopping(3))
    (out / "tests_of_sharding.py").write_text(Path(__file__).read_text(encoding="utf-8"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([str(out), *sys.path])
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": paths}
    asked = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TWO, str(out)],
        capture_output=True,
        text=True,
        env=os.environ | where | asked,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[MetricsRow], dict[str, Tensor]]:
    out, objective = tmp_path_factory.mktemp("one"), Deep()
    rows = run(out, objective)
    return rows, {name: p.detach().clone() for name, p in objective.named_parameters()}


def stopping(step: int) -> Callable[[str, int, int], None]:
    def progress(_what: str, done: int, _total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    return progress


def same(ours: list[MetricsRow], theirs: list[MetricsRow]) -> None:
    # Sums over 4 windows in another order: some ulps of float32 per step, 6 steps.
    assert len(ours) == len(theirs) == SETTINGS.steps
    for one, two in zip(ours, theirs, strict=True):
        assert two.scalars["loss"] == pytest.approx(one.scalars["loss"], rel=1e-5)
        assert two.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-5)
        rest = {"scalars": {}, "gradient_norm": 0.0, "tokens_per_second": 0.0}
        assert replace(two, **rest) == replace(one, **rest)


@pytest.mark.parametrize("name", ["run", "begun"], ids=["from the first step", "begun by one"])
def test_two_processes_that_share_a_model_train_as_one(
    made: tuple[Path, str], alone: tuple[list[MetricsRow], dict[str, Tensor]], name: str
) -> None:
    out, said = made
    rows, whole = alone
    same(rows, read_metrics(out / name / METRICS))
    # Both have the whole model when it is over, though neither had it meanwhile.
    found = re.findall(rf"{name} \[([^]]*)\]", said)
    assert len(found) == 2
    assert found[0] == found[1]
    sums = [float(p.double().sum()) for p in whole.values()]
    assert [float(x) for x in found[0].split(", ")] == pytest.approx(sums, rel=1e-4, abs=1e-5)


def test_each_process_writes_what_it_has(made: tuple[Path, str]) -> None:
    [folder] = folders_of_shards(made[0] / "run")
    assert folder.name == "checkpoint-6"  # those of the steps before are gone
    parts = [load_file(path) for path in sorted(folder.iterdir())]
    assert len(parts) == 2
    # 11 rows: 6 and 5. AdamW has two numbers for each, of the same shape.
    for name in ("parameter/table.weight", "exp_avg/blocks.0.linear.weight"):
        assert [len(part[name]) for part in parts] == [6, 5]
    assert not load_file(made[0] / "run" / CHECKPOINT)


@pytest.mark.parametrize("name", ["run", "killed"])
def test_what_two_have_saved_one_goes_on_with(
    made: tuple[Path, str],
    alone: tuple[list[MetricsRow], dict[str, Tensor]],
    tmp_path: Path,
    name: str,
) -> None:
    # The one that was killed in step 4 had the checkpoint of step 2.
    shutil.copytree(made[0] / name, tmp_path / "copy")
    steps = [folder.name for folder in folders_of_shards(tmp_path / "copy")]
    assert steps == ["checkpoint-6" if name == "run" else "checkpoint-2"]
    objective = Deep()
    same(alone[0], run(tmp_path / "copy", objective, resume=True))
    assert objective.passes == (0 if name == "run" else 4)
    for key, parameter in objective.named_parameters():
        torch.testing.assert_close(parameter.detach(), alone[1][key], rtol=1e-4, atol=1e-5)
    if name == "killed":  # the last checkpoint is one file again
        assert not folders_of_shards(tmp_path / "copy")


def test_a_killed_process_is_said_by_the_other(made: tuple[Path, str]) -> None:
    assert made[1].endswith(
        "another process of this training is gone; the last checkpoint is whole, continue it with "
        "--resume, in any number of processes\n"
    )


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed, "the SHA-256 of shard-0"),
        (lambda path: path.unlink(), "it has 1 files of 2"),
        (lambda path: shutil.rmtree(path.parent), "it has 0 files of 2"),
    ],
    ids=["another byte", "a file less", "none"],
)
def test_damaged_shards_are_refused(
    made: tuple[Path, str], tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    shutil.copytree(made[0] / "run", tmp_path / "copy")
    [folder] = folders_of_shards(tmp_path / "copy")
    damage(min(folder.iterdir()))
    found = refused(CheckpointError, run, tmp_path / "copy", resume=True)
    assert found.startswith(f"the shards of the checkpoint in '{folder}' are damaged ({said}")
    assert found.endswith("; restore them, or start anew in another --out")


# What is refused


def test_a_parameter_that_learns_in_two_parts_is_refused() -> None:
    objective = Deep()
    objective.blocks[0].scale.requires_grad_()
    stub: Any = Stub()
    assert refused(ShardingError, sharding.shardable, objective, stub) == (
        "parameter 'scale' learns, and is shared by Block and Block, which FSDP cannot shard; "
        "train without --use_fsdp, or leave it out of --train"
    )
    frozen = sharding.shardable(Deep(), stub)
    assert frozen.blocks[0].scale is not frozen.blocks[1].scale
    assert frozen.head.weight is frozen.table.weight


class Stub:
    """Stands in for Accelerate where nothing is launched."""

    def __init__(self) -> None:
        self.state = type("State", (), {"fsdp_plugin": type("Plugin", (), {})()})()


@pytest.mark.parametrize("version", [None, "1"])
def test_fsdp_of_version_1_is_refused(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.delenv("FSDP_VERSION", raising=False)
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")  # to have it back afterwards
    if version is not None:
        monkeypatch.setenv("FSDP_VERSION", version)
    assert refused(ShardingError, accelerated).endswith("give accelerate launch --fsdp_version 2")


def test_what_is_no_lost_process_is_raised_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"), said_if_lost():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(LostProcessError), said_if_lost():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection reset by peer")


def test_one_process_is_not_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    assert not sharding.is_sharded(Accelerator())
