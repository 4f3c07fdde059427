from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import read_shape
from neurt.loading.directory import INDEX, MODEL
from neurt.loading.source import resolve
from neurt.loading.tensor_bits import tensor_bits
from neurt.loading.widths import RowBits, checkpoint_widths
from neurt.measure.planning import run_plan
from neurt.requests.passes import PlanRequest

GPT2: dict[str, Any] = {
    **{"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 16},
    **{"vocab_size": 50},
}
PLAN = plan_asa(read_shape(GPT2, "it"), prefill(4))
QKV, NORM = "transformer.h.0.attn.c_attn", "transformer.h.0.ln_1"
EMBEDDING = "transformer.wte"


def tensors(matrix: torch.dtype, vector: torch.dtype, prefix: str = "transformer.") -> Any:
    """Some of the parameters: what is looked at here."""
    return {
        f"{prefix}wte.weight": torch.zeros(50, 8, dtype=matrix),
        f"{prefix}h.0.attn.c_attn.weight": torch.zeros(8, 24, dtype=matrix),
        f"{prefix}h.0.attn.c_attn.bias": torch.zeros(24, dtype=vector),
        f"{prefix}h.0.ln_1.weight": torch.zeros(8, dtype=vector),
    }


def said(folder: Path, state: dict[str, Tensor], **config: Any) -> dict[str, RowBits]:
    """What a directory says of each row."""
    (folder / "config.json").write_text(json.dumps(GPT2 | config), encoding="utf-8")
    save_file(state, folder / MODEL)
    widths = checkpoint_widths(resolve(str(folder)))
    return {row.name: widths.of_row(row) for row in PLAN.layers}


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_matrices_in_half_precision_are_16_bits_whatever_the_configuration_says(
    prefix: str, tmp_path: Path
) -> None:
    # As `--save-dtype float16` writes them: vectors stay in full.
    bits = said(tmp_path, tensors(torch.float16, torch.float32, prefix), dtype="float32")
    assert bits[QKV] == (16, None)
    assert bits[NORM] == (None, None)
    assert bits[EMBEDDING] == (None, 16)  # a row that is looked up is one of its matrix
    assert bits["lm_head"] == (16, None)  # it is the embedding
    assert bits["transformer.h.0.attn.core.scores"] == (None, None)


def test_a_file_in_full_is_no_narrower_than_it_is(tmp_path: Path) -> None:
    assert said(tmp_path, tensors(torch.float32, torch.float32))[QKV] == (None, None)
    found = said(tmp_path, tensors(torch.float32, torch.float32), dtype="bfloat16")
    assert found[QKV] == (32, 32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float64])
def test_other_formats(dtype: torch.dtype, tmp_path: Path) -> None:
    expected = {torch.bfloat16: 16, torch.float8_e4m3fn: 8, torch.float64: None}[dtype]
    assert said(tmp_path, tensors(dtype, torch.float32))[QKV].weights == expected


def test_each_tensor_is_as_wide_as_it_is(tmp_path: Path) -> None:
    state = tensors(torch.float16, torch.float16)
    state["transformer.h.0.attn.c_attn.weight"] = torch.zeros(8, 24)
    bits = said(tmp_path, state)
    assert bits[QKV] == (None, 16)
    assert bits["lm_head"].weights == 16


def test_shards_are_read_together(tmp_path: Path) -> None:
    state, names = tensors(torch.float16, torch.float32), ("a.safetensors", "b.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")
    placed = {tensor: names["ln_1" in tensor] for tensor in state}
    for name in names:
        save_file({x: state[x] for x, file in placed.items() if file == name}, tmp_path / name)
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": placed}), encoding="utf-8")
    found = tensor_bits(tmp_path)
    assert found is not None
    assert (found.of(QKV, "weight"), found.of(NORM, "weight"), found.largest) == (16, 32, 16)


@pytest.mark.parametrize("content", [None, b"version https://git-lfs.github.com/spec/v1\n", b"cut"])
def test_a_plan_needs_no_weights_that_can_be_read(content: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GPT2 | {"dtype": "float16"}), "utf-8")
    if content is not None:
        (tmp_path / MODEL).write_bytes(content)
    assert tensor_bits(tmp_path) is None
    row = PLAN.layer(QKV)
    assert checkpoint_widths(resolve(str(tmp_path))).of_row(row) == (16, 16)


def test_quantised_weights_are_what_their_configuration_says(tmp_path: Path) -> None:
    quantised = {"quant_method": "gptq", "bits": 4, "group_size": 8}
    bits = said(tmp_path, tensors(torch.float16, torch.float16), quantization_config=quantised)
    assert bits[QKV].weights == 4 + 20 / 8


def test_a_plan_fetches_half_of_the_bytes(tmp_path: Path) -> None:
    # 8 x 24 weights of 16 bits instead of 32
    found = {}
    for dtype in (torch.float16, torch.float32):
        said(tmp_path, tensors(dtype, torch.float32))
        run = run_plan(PlanRequest(model=str(tmp_path), hw=("45nm",), seq_len=4, out=tmp_path))
        used = run.settings["widths_used"]
        assert isinstance(used, dict)
        found[dtype] = used["45nm"]["weights"]
    assert found[torch.float16] == {"bits": [16, 16], "from": "checkpoint"}
    assert found[torch.float32] == {"bits": [32, 32], "from": "profile"}


def test_what_is_shipped_stands_for_its_configuration() -> None:
    # Stored in half precision to be small.
    source = resolve("gpt2-nano")
    assert source.directory is not None
    stored = tensor_bits(source.directory)
    assert stored is not None
    assert stored.largest == 16
    row = PLAN.layer(QKV)
    assert checkpoint_widths(source).of_row(row) == (None, None)
