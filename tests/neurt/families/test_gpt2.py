from __future__ import annotations

from typing import Any

import pytest
from builders import refused
from transformers import GPT2LMHeadModel

from energy import exposed_attention
from energy.counts import Label
from energy.meter.tally import is_counted
from neurt.families import ALIASES, Shape, ShapeError, label, read_shape
from neurt.spiking.modeling import SpikingGPT2LMHeadModel

GOOD: dict[str, Any] = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4}


def test_the_four_sizes_are_the_published_ones() -> None:
    assert {name: (hub_id, shape) for name, (hub_id, shape) in ALIASES.items()} == {
        "gpt2-small": ("openai-community/gpt2", Shape(12, 768, 12, 3072, 50257, 1024)),
        "gpt2-medium": ("openai-community/gpt2-medium", Shape(24, 1024, 16, 4096, 50257, 1024)),
        "gpt2-large": ("openai-community/gpt2-large", Shape(36, 1280, 20, 5120, 50257, 1024)),
        "gpt2-xl": ("openai-community/gpt2-xl", Shape(48, 1600, 25, 6400, 50257, 1024)),
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2-small", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
    ],
)
def test_the_sizes_give_the_published_numbers_of_parameters(name: str, parameters: int) -> None:
    _, shape = ALIASES[name]
    d = shape.width
    # Per layer: weights 3 d^2 + d^2 + 2 x 4 d^2, biases 3 d + d + 4 d + d, two norms 4 d.
    layer = 4 * d * d + 2 * d * shape.inner + 5 * d + shape.inner + 4 * d
    embeddings = (shape.vocabulary + shape.positions) * d
    assert embeddings + shape.layers * layer + 2 * d == parameters  # the final norm: 2 d


def test_every_size_has_heads_of_64_channels() -> None:
    assert {shape.width // shape.heads for _, shape in ALIASES.values()} == {64}
    assert all(shape.width % shape.heads == 0 for _, shape in ALIASES.values())


def test_a_config_gives_its_sizes() -> None:
    config = GOOD | {"n_inner": 100, "vocab_size": 101, "n_positions": 64}
    assert read_shape(config, "mine") == Shape(2, 32, 4, 100, 101, 64)


@pytest.mark.parametrize("given", [{}, {"n_inner": None}], ids=["absent", "null"])
def test_what_a_config_leaves_out_is_as_in_gpt2(given: dict[str, None]) -> None:
    # The feed-forward block is 4 x 32 wide.
    assert read_shape(GOOD | given, "mine") == Shape(2, 32, 4, 128, 50257, 1024)


def test_the_config_that_transformers_writes_is_read(tiny_gpt2: GPT2LMHeadModel) -> None:
    shape = read_shape(tiny_gpt2.config.to_dict(), "tiny")
    assert shape == Shape(2, 32, 4, 128, 101, 64)


@pytest.mark.parametrize("kind", ["bert", 3, ["gpt2"]])
def test_another_architecture_is_refused_by_name(kind: object) -> None:
    assert refused(ShapeError, read_shape, GOOD | {"model_type": kind}, "mine") == (
        f"model 'mine' is a {kind!r}, which is no decoder of a known family; `neurt-energy count` "
        "counts any of transformers, and converted to spikes are 'gpt2', 'llama', 'mistral', "
        "'qwen2'"
    )


@pytest.mark.parametrize("config", [{}, GOOD | {"model_type": None}], ids=["absent", "null"])
def test_a_config_without_a_model_type_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ShapeError, match="model 'mine' does not say its 'model_type'"):
        read_shape(config, "mine")


@pytest.mark.parametrize("key", ["n_layer", "n_embd", "n_head"])
def test_a_missing_size_is_named_with_the_model(key: str) -> None:
    config = {k: v for k, v in GOOD.items() if k != key}
    assert (
        refused(ShapeError, read_shape, config, "mine")
        == f"model 'mine': '{key}' (= None) must be an integer >= 1"
    )


@pytest.mark.parametrize("value", [0, -1, "12", 1.5, [12]], ids=repr)
@pytest.mark.parametrize("key", ["n_layer", "n_embd", "n_head", "vocab_size", "n_positions"])
def test_an_impossible_size_is_named_with_the_model_and_its_value(key: str, value: object) -> None:
    assert (
        refused(ShapeError, read_shape, GOOD | {key: value}, "mine")
        == f"model 'mine': '{key}' (= {value!r}) must be an integer >= 1"
    )


def test_a_truth_value_is_not_a_size() -> None:
    with pytest.raises(ShapeError, match=r"'n_layer' \(= True\) must be an integer >= 1"):
        read_shape(GOOD | {"n_layer": True}, "mine")


@pytest.mark.parametrize("value", [0, -128, "128", 1.5], ids=repr)
def test_an_impossible_width_of_the_feed_forward_block_is_named(value: object) -> None:
    with pytest.raises(ShapeError, match=r"model 'mine': 'n_inner' \(= "):
        read_shape(GOOD | {"n_inner": value}, "mine")


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    assert refused(ShapeError, read_shape, GOOD | {"n_head": 5}, "mine") == (
        "model 'mine': 'n_embd' (= 32) must be divisible by 'n_head' (= 5)"
    )


def test_an_activation_without_a_counting_rule_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"model 'mine': 'activation_function' \(= 'tanh'\)"):
        read_shape(GOOD | {"activation_function": "tanh"}, "mine")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transformer.wte", Label("embedding", "embedding")),
        ("transformer.wpe", Label("embedding", "embedding")),
        ("transformer.h.0.ln_1", Label("attention", "norm", 0)),
        ("transformer.h.0.attn.encoder", Label("attention", "neuron", 0)),
        ("transformer.h.0.attn.c_attn", Label("attention", "qkv", 0)),
        ("transformer.h.0.attn.qkv_neuron", Label("attention", "neuron", 0)),
        ("transformer.h.1.attn.core.scores", Label("attention", "scores", 1)),
        ("transformer.h.1.attn.core.softmax", Label("attention", "softmax", 1)),
        ("transformer.h.1.attn.core.normalise", Label("attention", "softmax", 1)),
        ("transformer.h.1.attn.core.mix", Label("attention", "mix", 1)),
        ("transformer.h.1.attn.mix_neuron", Label("attention", "neuron", 1)),
        ("transformer.h.1.attn.c_proj", Label("attention", "proj", 1)),
        ("transformer.h.47.ln_2", Label("ffn", "norm", 47)),
        ("transformer.h.47.mlp.encoder", Label("ffn", "neuron", 47)),
        ("transformer.h.47.mlp.c_fc", Label("ffn", "ffn_up", 47)),
        ("transformer.h.47.mlp.act", Label("ffn", "activation", 47)),
        ("transformer.h.47.mlp.hidden_encoder", Label("ffn", "neuron", 47)),
        ("transformer.h.47.mlp.c_proj", Label("ffn", "ffn_down", 47)),
        ("transformer.ln_f", Label("head", "norm")),
        ("lm_head", Label("head", "lm_head")),
        ("transformer.h.3.attn.rotary", Label("other", "attn.rotary", 3)),
        ("transformer.h.x.ln_1", Label("other", "ln_1")),
        ("model.transformer.h.0.ln_1", Label("other", "ln_1")),
        ("adapter", Label("other", "adapter")),
    ],
)
def test_a_layer_is_labelled_by_its_name(name: str, expected: Label) -> None:
    assert label(name) == expected


def counted(model: GPT2LMHeadModel) -> list[str]:
    return [name for name, module in model.named_modules() if is_counted(type(module))]


def test_every_counted_layer_of_the_analog_model_has_a_place(tiny_gpt2: GPT2LMHeadModel) -> None:
    with exposed_attention(tiny_gpt2, fused=False):
        names = counted(tiny_gpt2)
    assert len(names) > 20
    # The core of the attention is counted through its parts.
    parts = [name for name in names if not name.endswith("attn.core")]
    assert [name for name in parts if label(name).block == "other"] == []


def test_every_counted_layer_of_the_spiking_model_has_a_place(
    spiking: SpikingGPT2LMHeadModel,
) -> None:
    names = counted(spiking)
    assert len(names) > 20
    assert [name for name in names if label(name).block == "other"] == []
