from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import save_file
from transformers import GPT2LMHeadModel

from neurt.loading.models import load_model
from neurt.loading.source import SMOLLM2, ModelError, resolve
from neurt.loading.stored import StoredFiles, StoredGGUF
from neurt.spiking.modeling import analog_class
from neurt.streaming.skeleton import skeleton

Write = Callable[..., Path]


@pytest.fixture
def write(tiny_gpt2: GPT2LMHeadModel, tmp_path: Path) -> Write:
    """Write the weights of `tiny_gpt2` after a change of their names and values."""

    def make(change: Callable[[dict[str, torch.Tensor]], object] = lambda _: None) -> Path:
        weights = {name: x.detach().clone() for name, x in tiny_gpt2.named_parameters()}
        change(weights)
        save_file(weights, tmp_path / "model.safetensors")
        return tmp_path

    return make


def opened(directory: Path, tiny: GPT2LMHeadModel) -> StoredFiles:
    return StoredFiles(directory, skeleton(analog_class("gpt2"), tiny.config), "is it a GPT-2?")


def test_names_are_those_of_the_parameters(tiny_gpt2: GPT2LMHeadModel, write: Write) -> None:
    def as_published(weights: dict[str, torch.Tensor]) -> None:
        for name in [*weights]:  # GPT-2 of the hub has no prefix, and masks beside the weights
            weights[name.removeprefix("transformer.")] = weights.pop(name).half()
        weights["h.0.attn.bias"] = torch.ones(1, 1, 64, 64)

    found = opened(write(as_published), tiny_gpt2)
    expected = dict(tiny_gpt2.named_parameters())
    assert found.names == expected.keys()
    for name, values in found.read(found.names).items():
        assert values.dtype == torch.float32
        assert torch.equal(values, expected[name].half().float())


def _without(weights: dict[str, torch.Tensor]) -> None:
    del weights["transformer.ln_f.bias"]


def _more(weights: dict[str, torch.Tensor]) -> None:
    weights["transformer.h.7.ln_1.bias"] = torch.ones(32)


def _wider(weights: dict[str, torch.Tensor]) -> None:
    weights["transformer.ln_f.bias"] = torch.ones(33)


def _whole(weights: dict[str, torch.Tensor]) -> None:
    weights["transformer.ln_f.bias"] = torch.ones(32, dtype=torch.int8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without, "lack 1 of the parameters, first 'transformer.ln_f.bias'; is it a GPT-2?"),
        (_more, "have 1 parameter that its config.json has no place for, first 'transformer.h.7."),
        (_wider, "first 'transformer.ln_f.bias': (33,), and not (32,)"),
        (_whole, "'transformer.ln_f.bias' is I8, and none but floating-point ones are read"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tiny_gpt2: GPT2LMHeadModel, write: Write, change: Any, said: str
) -> None:
    assert said in refused(ModelError, opened, write(change), tiny_gpt2)


def test_a_file_that_is_cut_short_is_named(tiny_gpt2: GPT2LMHeadModel, write: Write) -> None:
    whole = write() / "model.safetensors"
    whole.write_bytes(whole.read_bytes()[:1000])
    said = refused(ModelError, opened, whole.parent, tiny_gpt2)
    assert "'model.safetensors' is cut short or no safetensors file" in said


def test_a_file_that_changes_is_another_one(tiny_gpt2: GPT2LMHeadModel, write: Write) -> None:
    before = opened(write(), tiny_gpt2).identity
    assert opened(write(), tiny_gpt2).identity != before


@pytest.mark.slow
def test_a_gguf_file_is_read_tensor_by_tensor() -> None:
    whole = load_model(SMOLLM2).model
    file = resolve(SMOLLM2).file
    assert file is not None
    found = StoredGGUF(file)
    expected = dict(whole.named_parameters())
    assert found.names == expected.keys()
    for name in ("model.layers.3.self_attn.q_proj.weight", "model.norm.weight"):
        assert torch.equal(found.read([name])[name], expected[name])
