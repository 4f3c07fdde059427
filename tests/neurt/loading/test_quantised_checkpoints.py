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
from neurt.loading.quantised.unpack import Packed
from neurt.streaming.opened import open_model

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


def awq(weight: Tensor) -> dict[str, Tensor]:
    # 4 bits, one group of all inputs, without zero points; which of 8 columns a digit is, is the
    # matter of `test_quantised_values.py`.
    codes = (weight.T.abs() * 20).round().clamp(0, 15).long()
    digits = codes.view(len(codes), -1, 8) << torch.arange(0, 32, 4)
    words = digits.sum(-1)
    scales = torch.full((1, len(weight)), 0.05)
    return {"qweight": _words(words), "scales": scales}


def _words(wide: Tensor) -> Tensor:
    return torch.where(wide >= 2**31, wide - 2**32, wide).to(torch.int32)


def int8(weight: Tensor) -> dict[str, Tensor]:
    largest = weight.abs().amax(1)
    codes = (weight / largest[:, None] * 127).round().to(torch.int8)
    return {"weight": codes, "SCB": largest, "weight_format": torch.zeros((), dtype=torch.uint8)}


def nf4(weight: Tensor) -> dict[str, Tensor]:
    codes = (weight.abs() * 20).round().clamp(0, 15).to(torch.uint8).view(-1, 2)
    state = json.dumps({"shape": [*weight.shape], "blocksize": 64}).encode()
    return {
        "weight": (codes[:, :1] << 4) | codes[:, 1:],
        "weight.absmax": torch.linspace(0.5, 1, weight.numel() // 64),
        "weight.quant_map": torch.linspace(-1, 1, 16),
        "weight.quant_state.bitsandbytes__nf4": torch.tensor([*state], dtype=torch.uint8),
    }


def int4(weight: Tensor) -> dict[str, Tensor]:
    # compressed-tensors, a scale for each row; eight to a word.
    codes = (weight * 20).round().clamp(-8, 7).long() + 8
    words = (codes.view(len(codes), -1, 8) << torch.arange(0, 32, 4)).sum(-1)
    return {
        "weight_packed": _words(words),
        "weight_scale": torch.linspace(0.01, 0.1, len(weight)).view(-1, 1),
        "weight_shape": torch.tensor(weight.shape),
    }


_INT4 = {"num_bits": 4, "strategy": "channel", "symmetric": True, "type": "int"}
#: Ways to pack a matrix, each with its `quantization_config`.
PACKED = {
    "fp8": (fp8, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "gptq": (gptq, {"quant_method": "gptq", "bits": 8, "group_size": -1}),
    "awq": (awq, {"quant_method": "awq", "bits": 4, "group_size": -1}),
    "int8": (int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "nf4": (nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True}),
    "compressed-tensors": (
        int4,
        {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": _INT4}},
        },
    ),
}

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


@pytest.mark.parametrize("method", PACKED)
def test_layer_by_layer_they_are_the_same(
    method: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(directory, *PACKED[method])
    unpacked: list[str] = []
    dense = Packed.dense

    def watched(packed: Packed, name: str, parts: Any) -> Tensor | None:
        unpacked.append(name)
        return dense(packed, name, parts)

    for dtype in ("float32", "bfloat16"):
        expected = load_model(str(directory), device="cpu", dtype=dtype).model
        with monkeypatch.context() as patch:
            patch.setattr(Packed, "dense", watched)
            streamed = open_model(str(directory), device="cpu", dtype=dtype).model
            for depth in (None, *streamed.depths):
                unpacked.clear()
                with streamed.resident(depth):
                    for name in streamed.parameters(depth):
                        found = streamed.model.get_parameter(name)
                        assert torch.equal(found, expected.get_parameter(name)), name
                # Nothing but the layer that runs: its four matrices of attention and three beside.
                assert len(unpacked) == (0 if depth is None else 7)


def test_a_conversion_layer_by_layer_is_that_of_the_whole(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(directory, *PACKED["gptq"])
    monkeypatch.chdir(tmp_path)
    line = ["convert", "--model", "model", "--window", "16", "--calibration-tokens", "32", "--out"]
    assert main([*line, "whole"]) == 0
    assert main([*line, "streamed", "--stream"]) == 0
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    files = sorted((tmp_path / "streamed").glob("*.safetensors"))
    streamed = {name: x for file in files for name, x in load_file(file).items()}
    assert whole.keys() == streamed.keys()
    assert all(torch.equal(streamed[name], x) for name, x in whole.items())
    configs = [(tmp_path / out / "config.json").read_text("utf-8") for out in ("whole", "streamed")]
    assert configs[0] == configs[1]
    assert "quantization_config" not in configs[0]


@pytest.mark.parametrize(
    ("change", "config", "sentence"),
    [
        (gptq, {"quant_method": "hqq"}, "are quantised by 'hqq' in a way that is not"),
        (gptq, {"quant_method": "gptq", "bits": 3}, "_proj' do not fit each other or its"),
        (gptq, PACKED["int8"][1], "are not those of its 'quantization_config'"),
        (lambda x: gptq(x[:-4]), PACKED["gptq"][1], "of another shape than its config.json, first"),
    ],
    ids=["method", "bits", "another", "shape"],
)
def test_layer_by_layer_what_is_not_unpacked_is_one_line_too(
    directory: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Tensor], dict[str, Tensor]],
    config: dict[str, Any],
    sentence: str,
) -> None:
    rewrite(directory, change, config)
    line = ["convert", "--model", str(directory), "--stream", "--out", str(tmp_path / "out")]
    assert main(line) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("neurt-energy: ") == 1
