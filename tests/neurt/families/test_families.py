from __future__ import annotations

from collections.abc import Callable

import pytest
from plans import by_name, measured
from transformers import PreTrainedModel

from energy import Attention, Conventions, exposed_attention
from energy.counts import Label
from neurt.closed_form.passes import Pass, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import CONVERTED, analog_type, family_of, label, read_shape

KINDS = ["llama", "llama, all biased", "mistral", "qwen2", "opt", "opt, gelu and no bias"]
PASSES = [prefill(9, batch=3), decode(6, batch=2), Pass(batch=2, queries=3, keys=8)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", PASSES, ids=str)
@pytest.mark.parametrize("attention", Attention)
def test_the_plan_of_the_analog_model_is_what_the_hooks_count(
    tiny: Callable[[str], PreTrainedModel],
    kind: str,
    what: Pass,
    attention: Attention,
) -> None:
    model, conventions = tiny(kind), Conventions(attention)
    with exposed_attention(model):
        found = measured(model, what, "asa", conventions)
    shape = read_shape(model.config.to_dict(), kind)
    assert by_name(plan_asa(shape, what, conventions)) == by_name(found)
    assert [row.name for row in found.layers if row.label.block == "other"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_declaration_names_every_layer_of_the_model(
    tiny: Callable[[str], PreTrainedModel], kind: str
) -> None:
    model = tiny(kind)
    family = family_of(model.config.model_type)
    attention, feedforward = family.attention, family.feedforward
    first = f"{family.layers}.0"
    parts = (*feedforward.into_hidden, feedforward.activation, feedforward.down)
    for name in (
        *(name for name, _ in family.embeddings),
        *([family.angles] if family.angles else []),
        family.final_norm,
        "lm_head",
        *(f"{first}.{norm}" for norm in family.norms if norm),
        *(f"{first}.{attention.path}.{part}" for part in (*attention.inputs, attention.output)),
        *(f"{first}.{feedforward.name(part)}" for part in parts),
    ):
        assert model.get_submodule(name) is not None
    for name, cls in family.embeddings:
        assert type(model.get_submodule(name)).__name__ == cls
    assert type(model).__name__ == family.classes[model.config.model_type] + family.model


def test_a_converted_model_is_of_the_family_of_the_analog_one() -> None:
    for family in CONVERTED:
        for kind in family.classes:
            assert family_of(kind) is family_of(f"spiking_{kind}") is family
            assert analog_type(f"spiking_{kind}") == analog_type(kind) == kind
    with pytest.raises(KeyError):
        family_of("bert")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.embed_tokens", Label("embedding", "embedding")),
        ("model.rotary_emb", Label("embedding", "rotary")),
        ("model.layers.0.input_layernorm", Label("attention", "norm", 0)),
        ("model.layers.31.self_attn.q_proj", Label("attention", "qkv", 31)),
        ("model.layers.31.self_attn.k_proj", Label("attention", "qkv", 31)),
        ("model.layers.31.self_attn.v_proj", Label("attention", "qkv", 31)),
        ("model.layers.31.self_attn.core.rotary", Label("attention", "rotary", 31)),
        ("model.layers.31.self_attn.core.scores", Label("attention", "scores", 31)),
        ("model.layers.31.self_attn.core.weight_encoder", Label("attention", "neuron", 31)),
        ("model.layers.31.self_attn.key_encoder", Label("attention", "neuron", 31)),
        ("model.layers.31.self_attn.o_proj", Label("attention", "proj", 31)),
        ("model.layers.2.post_attention_layernorm", Label("ffn", "norm", 2)),
        ("model.layers.2.mlp.encoder", Label("ffn", "neuron", 2)),
        ("model.layers.2.mlp.gate_proj", Label("ffn", "ffn_up", 2)),
        ("model.layers.2.mlp.up_proj", Label("ffn", "ffn_up", 2)),
        ("model.layers.2.mlp.act_fn", Label("ffn", "activation", 2)),
        ("model.layers.2.mlp.multiply", Label("ffn", "activation", 2)),
        ("model.layers.2.mlp.down_proj", Label("ffn", "ffn_down", 2)),
        ("model.norm", Label("head", "norm")),
        ("model.decoder.embed_positions", Label("embedding", "embedding")),
        ("model.decoder.layers.1.self_attn_layer_norm", Label("attention", "norm", 1)),
        ("model.decoder.layers.1.self_attn.out_proj", Label("attention", "proj", 1)),
        ("model.decoder.layers.1.final_layer_norm", Label("ffn", "norm", 1)),
        ("model.decoder.layers.1.fc1", Label("ffn", "ffn_up", 1)),
        ("model.decoder.layers.1.fc2", Label("ffn", "ffn_down", 1)),
        ("model.decoder.final_layer_norm", Label("head", "norm")),
        (
            "model.decoder.layers.1.self_attn.core.rotary",
            Label("other", "self_attn.core.rotary", 1),
        ),
        ("model.decoder.layers.1.multiply", Label("other", "multiply", 1)),
    ],
)
def test_a_layer_is_labelled_by_its_name(name: str, expected: Label) -> None:
    assert label(name) == expected
