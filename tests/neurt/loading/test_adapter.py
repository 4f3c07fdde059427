"""A LoRA adapter is its base with W + scale B A."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import save_file
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM, PreTrainedModel

from neurt.loading.models import LoadedModel, ModelError, Weights, load_model
from neurt.loading.source import resolve
from neurt.streaming.opened import open_model

QUERY, UP = "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj"


def matrix(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def adapter(at: Path, base: str, tensors: dict[str, Tensor], **config: Any) -> Path:
    at.mkdir()
    asked = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 2, "lora_alpha": 8}
    (at / "adapter_config.json").write_text(json.dumps(asked | config), encoding="utf-8")
    named = {f"base_model.model.{name}": x.contiguous() for name, x in tensors.items()}
    save_file(named, at / "adapter_model.safetensors")
    return at


def low_rank(module: str, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    return {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}


@pytest.fixture
def base(tmp_path: Path, llama: LlamaForCausalLM, words: Callable[..., Any]) -> Path:
    llama.save_pretrained(tmp_path / "base")
    words(*(f"w{number}" for number in range(263))).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def load(directory: Path, **asked: Any) -> LoadedModel:
    return load_model(str(directory), device="cpu", dtype="float32", **asked)


A, B = matrix(2, 32), matrix(32, 2, seed=1)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 8 / 2),
        ({"use_rslora": True}, 8 / math.sqrt(2)),
        ({"alpha_pattern": {"q_proj": 3}}, 3 / 2),
        ({"alpha_pattern": {"up_proj": 3}, "rank_pattern": {"up_proj": 1}}, 8 / 2),
    ],
    ids=str,
)
def test_a_layer_has_the_product_added(
    base: Path, tmp_path: Path, llama: LlamaForCausalLM, config: dict[str, Any], scale: float
) -> None:
    loaded = load(adapter(tmp_path / "tuned", str(base), low_rank(QUERY, A, B), **config))
    before, after = llama.state_dict(), loaded.model.state_dict()
    expected = before[f"{QUERY}.weight"] + scale * (B @ A)
    assert torch.allclose(after[f"{QUERY}.weight"], expected, atol=1e-6)
    for name, tensor in before.items():
        assert name == f"{QUERY}.weight" or torch.equal(after[name], tensor)
    assert (loaded.name, loaded.weights) == ("tuned", "local(base) + lora(tuned)")


def test_the_base_may_lie_beside_it_or_be_of_the_hub(
    base: Path, tmp_path: Path, into_cache: Callable[..., None]
) -> None:
    beside = adapter(tmp_path / "beside", "../base", low_rank(QUERY, A, B))
    assert resolve(str(beside)).shape == resolve(str(base)).shape
    into_cache("someone/it", *base.iterdir())
    hub = adapter(tmp_path / "of the hub", "someone/it", low_rank(QUERY, A, B))
    both = [load(x).model.get_parameter(f"{QUERY}.weight") for x in (beside, hub)]
    assert torch.equal(*both)


def test_conv1d_has_its_weights_the_other_way_round(
    tmp_path: Path, words: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=20, n_positions=8))
    gpt2.save_pretrained(tmp_path / "gpt2")
    words(*(f"w{number}" for number in range(19))).save_pretrained(tmp_path / "gpt2")
    name, a, b = "transformer.h.0.attn.c_attn", matrix(2, 8), matrix(24, 2, seed=1)
    made = adapter(tmp_path / "tuned", "../gpt2", low_rank(name, a, b), fan_in_fan_out=True)
    expected = gpt2.get_parameter(f"{name}.weight") + 4 * (b @ a).T
    assert torch.allclose(load(made).model.get_parameter(f"{name}.weight"), expected, atol=1e-6)


def test_what_was_trained_as_a_whole_takes_its_place(base: Path, tmp_path: Path) -> None:
    norm = torch.full((32,), 3.0)
    loaded = load(adapter(tmp_path / "tuned", str(base), {"model.norm.weight": norm}))
    assert torch.equal(loaded.model.get_parameter("model.norm.weight"), norm)


@pytest.mark.parametrize(
    ("tensors", "config", "sentence"),
    [
        ({}, {"peft_type": "IA3"}, "is 'IA3', and none but LORA is merged"),
        ({}, {"use_dora": True}, "has 'use_dora', which W + scale B A is not"),
        (low_rank(QUERY, A, B), {"lora_alpha": "x"}, "'lora_alpha' (= 'x') must be a number"),
        (low_rank("model.other", A, B), {}, "changes 'model.other.weight', which its base does"),
        (low_rank(UP, A, B), {}, "by a matrix of shape (32, 32), and its base has (64, 32)"),
        ({f"{QUERY}.lora_A.weight": A}, {}, "has only one of the two matrices"),
        (low_rank(QUERY, A, B.T), {}, "which have no product"),
        ({f"{QUERY}.lora_magnitude_vector": A}, {}, "which W + scale B A has no place for"),
        (low_rank(QUERY, A, B), {"alpha_pattern": {"(": 1}}, "which is no pattern"),
        ({}, {"base_model_name_or_path": None}, "must say in 'base_model_name_or_path'"),
        ({}, {"base_model_name_or_path": "nowhere"}, "is neither a directory with a config.json"),
        ({}, {"base_model_name_or_path": "a/b"}, "(its base is 'a/b') cannot be had"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_no_sum_or_does_not_fit_is_one_line(
    base: Path, tmp_path: Path, tensors: dict[str, Tensor], config: dict[str, Any], sentence: str
) -> None:
    made = adapter(tmp_path / "tuned", str(base), tensors, **config)
    assert sentence in refused(ModelError, load, made)


def test_a_quantised_base_is_refused(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "fp8"}
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    made = adapter(tmp_path / "tuned", str(base), low_rank(QUERY, A, B))
    (base / "model.safetensors").unlink()
    save_file(
        {
            f"{QUERY}.weight": A.to(torch.float8_e4m3fn),
            f"{QUERY}.weight_scale_inv": torch.ones(1, 1),
        },
        base / "model.safetensors",
    )
    assert "is quantised, and merged with it" in refused(ModelError, load, made)


def test_random_weights_need_no_base_but_its_sizes(base: Path, tmp_path: Path) -> None:
    made = adapter(tmp_path / "tuned", str(base), low_rank(QUERY, A, B))
    assert load(made, weights=Weights.RANDOM).weights == "random(seed=0)"


def test_pickles_are_not_read(base: Path, tmp_path: Path) -> None:
    made = adapter(tmp_path / "tuned", str(base), low_rank(QUERY, A, B))
    (made / "adapter_model.safetensors").rename(made / "adapter_model.bin")
    assert "has no adapter_model.safetensors" in refused(ModelError, load, made)


def test_peft_merges_to_the_same(base: Path, tmp_path: Path, llama: PreTrainedModel) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "down_proj", "embed_tokens"], use_rslora=True
    )
    torch.manual_seed(0)
    model = peft.get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path / "tuned", save_embedding_layers=False)
    asked = json.loads((tmp_path / "tuned" / "adapter_config.json").read_text(encoding="utf-8"))
    asked["base_model_name_or_path"] = str(base)
    (tmp_path / "tuned" / "adapter_config.json").write_text(json.dumps(asked), encoding="utf-8")
    expected = model.merge_and_unload().state_dict()
    for name, tensor in load(tmp_path / "tuned").model.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-6), name


def test_layer_by_layer_an_adapter_is_merged_too(base: Path, tmp_path: Path) -> None:
    whole = {"model.norm.weight": torch.full((32,), 2.0)}  # trained as a whole
    tensors = {**low_rank(QUERY, A, B), **low_rank(UP, A.clone(), matrix(64, 2)), **whole}
    made = adapter(tmp_path / "tuned", str(base), tensors)
    for dtype in ("float32", "bfloat16"):
        expected = load_model(str(made), device="cpu", dtype=dtype)
        opened = open_model(str(made), device="cpu", dtype=dtype)
        assert opened.weights == expected.weights
        for depth in (None, *opened.model.depths):
            with opened.model.resident(depth):
                for name in opened.model.parameters(depth):
                    found = opened.model.model.get_parameter(name)
                    assert torch.equal(found, expected.model.get_parameter(name)), name
    assert opened.stored.identity[-1][0] == str(made / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (low_rank("model.layers.9.mlp.up_proj", A, B), "which its base does not have"),
        (low_rank(QUERY, A, matrix(31, 2)), "by a matrix of shape (31, 32), and its base has"),
    ],
    ids=["a layer", "a shape"],
)
def test_layer_by_layer_it_must_fit_too(
    base: Path, tmp_path: Path, tensors: dict[str, Tensor], sentence: str
) -> None:
    made = adapter(tmp_path / "tuned", str(base), tensors)
    assert sentence in refused(ModelError, open_model, str(made))
