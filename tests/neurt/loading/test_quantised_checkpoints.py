"""Quantised checkpoints run as the dense model that they stand for, at the widths they have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaForCausalLM

from neurt.cli import main
from neurt.loading.models import ModelError, load_model

LAYERS = "model.layers.0."


def rewrite(
    directory: Path, change: Callable[[Tensor], dict[str, Tensor]], config: dict[str, Any]
) -> None:
    """Store every matrix of the blocks as something else."""
    state = load_file(directory / "model.safetensors")
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(LAYERS) and tensor.ndim == 2:
            layer = name.removesuffix(".weight")
            found |= {f"{layer}.{part}": x.contiguous() for part, x in change(tensor).items()}
        else:
            found[name] = tensor.clone()
    save_file(found, directory / "model.safetensors")
    stored = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    stored["quantization_config"] = config
    (directory / "config.json").write_text(json.dumps(stored), encoding="utf-8")


@pytest.fixture
def directory(tmp_path: Path, llama: LlamaForCausalLM, words: Callable[..., Any]) -> Path:
    llama.save_pretrained(tmp_path / "model")
    words(*(f"w{number}" for number in range(263))).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def fp8(weight: Tensor) -> dict[str, Tensor]:
    scale = weight.abs().max() / 448
    return {
        "weight": (weight / scale).to(torch.float8_e4m3fn),
        "weight_scale_inv": scale.view(1, 1),
        "activation_scale": torch.ones(1),
    }


def of_fp8(weight: Tensor) -> Tensor:
    made = fp8(weight)
    return made["weight"].float() * made["weight_scale_inv"]


def gptq(weight: Tensor) -> dict[str, Tensor]:
    # 8 bits, one group of all inputs, zero point 128, stored as 127; four to a word.
    codes, scale = _codes(weight)
    words = (codes.T.reshape(-1, 4, len(weight)) << torch.tensor([0, 8, 16, 24])[:, None]).sum(1)
    zeros = sum(127 << shift for shift in (0, 8, 16, 24))
    return {
        "qweight": words.to(torch.int32),
        "qzeros": torch.full((1, len(weight) // 4), zeros, dtype=torch.int32),
        "scales": scale.view(1, -1),
        "g_idx": torch.zeros(weight.shape[1], dtype=torch.int32),
    }


def _codes(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(1) / 127
    return (weight / scale[:, None]).round().long() + 128, scale


def of_gptq(weight: Tensor) -> Tensor:
    codes, scale = _codes(weight)
    return (codes - 128) * scale[:, None]


QUANTISED = {
    "fp8": (fp8, of_fp8, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "gptq": (gptq, of_gptq, {"quant_method": "gptq", "bits": 8, "group_size": -1}),
}


@pytest.mark.parametrize("method", QUANTISED)
def test_weights_are_those_that_are_meant(
    method: str, directory: Path, llama: LlamaForCausalLM
) -> None:
    change, meant, config = QUANTISED[method]
    rewrite(directory, change, config)
    model = load_model(str(directory), device="cpu").model
    for name, tensor in llama.state_dict().items():
        packed = name.startswith(LAYERS) and tensor.ndim == 2
        expected = meant(tensor) if packed else tensor
        assert torch.allclose(model.state_dict()[name], expected, atol=1e-6), name


def test_they_are_counted_as_dense_and_billed_as_they_are_stored(
    directory: Path, tmp_path: Path
) -> None:
    rewrite(directory, fp8, QUANTISED["fp8"][2])
    line = f"count --model {directory} --hw 45nm --seq-len 8 --pictures none --verify"
    assert main([*line.split(), "--out", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "count.json").read_text(encoding="utf-8"))
    low, high = record["settings"]["widths_used"]["45nm"]["weights"]["bits"]
    # 8 bits and a scale of 32 for each block of at most 128 x 128, of which each matrix is one:
    # the largest has 64 x 32 entries, the head is in FP32.
    assert low == 8 + 32 / (64 * 32)
    assert high == 32


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"quant_method": "hqq"}, "are quantised by 'hqq' in a way that is not unpacked here"),
        ({"quant_method": "awq", "bits": 4, "version": "gemv"}, "quantised by 'awq' in a way"),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"a": 1}}, "quantised by 'gptq' in a way"),
        ({"quant_method": "gptq", "bits": 3}, "'model.layers.0.mlp.down_proj' do not fit"),
    ],
    ids=str,
)
def test_what_is_not_unpacked_is_one_line(
    directory: Path, config: dict[str, Any], sentence: str
) -> None:
    rewrite(directory, gptq, config)
    assert sentence in refused(ModelError, load_model, str(directory))
