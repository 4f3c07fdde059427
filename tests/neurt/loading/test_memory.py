"""Whether weights fit is found out before they take memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from torch import nn
from transformers import LlamaConfig

from neurt.loading import memory
from neurt.loading.memory import check_fits, free_bytes
from neurt.loading.models import ModelError, Weights, load_model

#: 70 billion parameters: 80 (2 x 8192^2 + 2 x 8192 x 1024 + 3 x 8192 x 28672 + 2 x 8192)
#: + 2 x 32000 x 8192 + 8192
LLAMA_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}


def put(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root.joinpath(*name.split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


MEMINFO = "MemTotal:       24684456 kB\nMemAvailable:   1000 kB\nHugePages_Total: 0\n"


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_left_of_addresses", lambda: iter(()))


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) is None


def test_the_machine_says_what_is_available(tmp_path: Path) -> None:
    assert free_bytes(put(tmp_path, proc__meminfo=MEMINFO)) == 1000 * 1024


def group(root: Path, path: str, limit: str, used: int, cached: int = 0) -> None:
    put(
        root / "sys" / "fs" / "cgroup" / path,
        **{"memory.max": limit, "memory.current": str(used)},
        **{"memory.stat": f"anon 1\ninactive_file {cached}\n"},
    )


def test_a_container_has_what_its_limit_leaves(tmp_path: Path) -> None:
    put(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/batch/job\n")
    group(tmp_path, "batch/job", "max", 7)
    assert free_bytes(tmp_path) == 1000 * 1024
    group(tmp_path, "batch/job", "5000", 4000, cached=100)
    assert free_bytes(tmp_path) == 5000 - 4000 + 100
    group(tmp_path, "batch", "6000", 5500)  # the limit of the group around it holds too
    assert free_bytes(tmp_path) == 6000 - 5500
    group(tmp_path, "batch", "6000", 6500)
    assert free_bytes(tmp_path) == 0


def test_a_container_of_the_first_version(tmp_path: Path) -> None:
    put(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="5:cpu,memory:/job\n4:pids:/job\n")
    names = {"memory.limit_in_bytes": "900", "memory.usage_in_bytes": "300"}
    put(tmp_path / "sys" / "fs" / "cgroup" / "memory" / "job", **names)
    assert free_bytes(tmp_path) == 600


def test_this_machine_has_memory() -> None:
    assert (free_bytes() or 0) > 2**20


def test_weights_that_do_not_fit_say_the_bytes() -> None:
    def model() -> nn.Module:
        return nn.Linear(10, 3)  # 33 parameters

    check_fits(model, "m", ModelError, 132)
    assert refused(ModelError, check_fits, model, "m", ModelError, 131) == (
        "the weights of 'm' take 132 bytes in single precision, and 131 bytes of memory are free; "
        "take a smaller model, or `neurt-energy plan`"
    )


def test_what_is_built_to_be_counted_takes_no_memory() -> None:
    def petabytes() -> nn.Module:
        return nn.Linear(2**24, 2**24, bias=False)

    assert f"take {4 * 2**48:,} bytes" in refused(
        ModelError, check_fits, petabytes, "m", ModelError, 1
    )


def test_seventy_billion_parameters_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LlamaConfig(**LLAMA_70B).save_pretrained(tmp_path / "large")
    taken: list[Any] = []
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**30)
    monkeypatch.setattr(torch.random, "fork_rng", taken.append)
    per_layer = 2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28672 + 2 * 8192
    needed = 4 * (80 * per_layer + 2 * 32000 * 8192 + 8192)
    said = refused(ModelError, load_model, str(tmp_path / "large"), Weights.RANDOM)
    assert said.startswith(f"the weights of 'large' take {needed:,} bytes in single precision, and")
    assert taken == []
