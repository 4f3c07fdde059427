from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from decoders import model_of, tiny
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, count_pass, exposed_attention
from energy.formulas.nonlinear import silu
from energy.formulas.scan import (
    Scan,
    causal_convolution,
    gated_norm,
    selective_scan,
)
from energy.meter.recognise_scan import scan_rule
from hwmodels import Op

# 8 heads of 8 channels with 8 entries of state, 2 groups; 96 channels are convolved, over 4 tokens.
SCAN = Scan(heads=8, width=8, state=8, groups=2)
_NAMED = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 2}
_CHUNKED = {"mamba_chunk_size": 4, "mamba_d_ssm": 64}
#: Sizes of each kind, and the name of its first mixer.
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "mamba2": (
        {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 2, "chunk_size": 4},
        "backbone.layers.0.mixer",
    ),
    "nemotron_h": (
        {
            **{"mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8, "n_groups": 2},
            **{"chunk_size": 4, "moe_shared_expert_intermediate_size": 48},
            "layers_block_type": ["linear_attention", "mlp", "full_attention", "moe"],
        },
        "model.layers.0.mixer",
    ),
    "bamba": ({**_NAMED, **_CHUNKED, "attn_layer_indices": [1]}, "model.layers.0.mamba"),
    "falcon_h1": ({**_NAMED, **_CHUNKED}, "model.layers.0.mamba"),
    "granitemoehybrid": (
        {**_NAMED, **_CHUNKED, "layer_types": ["mamba", "attention"]},
        "model.layers.0.mamba",
    ),
}
IDS = torch.arange(18).reshape(2, 9) + 3


@cache
def built(kind: str) -> PreTrainedModel:
    return model_of(tiny(kind, **KINDS[kind][0]))


def cached(model: PreTrainedModel, ids: Tensor) -> dict[str, Any]:
    """The cache after some tokens, as the model wants it to be given."""
    name = "cache_params" if model.config.model_type == "mamba2" else "past_key_values"
    given = {name: DynamicCache(config=model.config), "use_cache": True}
    with torch.no_grad():
        model(ids, **given)
    return given


def count(model: PreTrainedModel, ids: Tensor, **given: Any) -> Counts:
    with exposed_attention(model, partial=True):
        return count_pass(
            model, lambda: model(ids, **({"use_cache": False} | given)), variant="asa", loose=True
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [9, 1, 3])
def test_a_mixer_is_counted_as_its_recurrence(kind: str, tokens: int) -> None:
    model, name = built(kind), KINDS[kind][1]
    given = {} if tokens == 9 else cached(model, IDS[:, :-tokens])
    counts = count(model, IDS[:, -tokens:], **given)
    assert counts.layer(f"{name}.scan").tally == selective_scan(2, tokens, SCAN)
    convolved = causal_convolution(2, tokens, 96, 4, bias=True)
    assert counts.layer(f"{name}.conv1d").tally == convolved
    assert counts.layer(f"{name}.act").tally == silu(2 * tokens * 96)
    assert not [row.name for row in counts.layers if row.name.endswith(")")]  # no product is loose


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "falcon_h1"])
def test_a_gated_norm_is_known_by_what_it_computes(kind: str) -> None:
    counts = count(built(kind), IDS)
    assert counts.layer(f"{KINDS[kind][1]}.norm").tally == gated_norm(18, 64, 2)


def test_a_gate_without_a_norm_and_multipliers_are_rows_of_the_mixer() -> None:
    counts, name = count(built("falcon_h1"), IDS), KINDS["falcon_h1"][1]
    # 18 tokens: 64 channels of a gate; 32 channels that go in, 64 + 96 + 8 that are made of them.
    gate = counts.layer(f"{name}.gate").tally.ops
    assert (gate[Op.EXP], gate[Op.MUL]) == (18 * 64, 2 * 18 * 64)
    assert counts.layer(f"{name}.multipliers").tally.ops[Op.MUL] == 18 * (32 + 168)


@pytest.mark.parametrize("kind", ["mamba2", "nemotron_h"])
def test_a_decode_agrees_with_the_operations_that_torch_counts(kind: str) -> None:
    model = model_of(tiny(kind, **KINDS[kind][0]))
    model.set_attn_implementation("eager")
    if kind == "nemotron_h":
        model.set_experts_implementation("eager")
    given = cached(model, IDS[:, :-1])
    counts = count(model, IDS[:, -1:], **given)
    # Torch sees C h as a product. What is added to the state it sees as multiplications, 2
    # sequences x 8 heads x 8 channels x 8 entries in each mixer. transformers keeps a token more
    # than the kernel needs, makes a second result of the convolution, and drops it.
    mixers = sum(row.name.endswith(".scan") for row in counts.layers)
    given, counter = cached(model, IDS[:, :-1]), FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(IDS[:, -1:], **given)
    expected = counts.dense_macs + mixers * 2 * (96 * 4 - 8 * 8 * 8)
    assert counter.get_total_flops() == 2 * expected


def test_a_model_without_weights_is_counted_alike() -> None:
    real = built("mamba2")
    with torch.device("meta"):
        model = type(real)(real.config).eval()
        counts = count(model, IDS.to("meta"))
    assert counts.layers == count(real, IDS).layers


class Mamba2Mixer(nn.Module):
    """Has the name and the parts of a mixer, and computes something else."""

    def __init__(self, mixer: Any) -> None:
        super().__init__()
        vars(self).update(vars(mixer))
        self._own = type(mixer).forward

    def forward(self, x: Tensor, *args: Any) -> Any:
        return 2 * self._own(self, x, *args)


def test_a_name_proves_nothing() -> None:
    mixer: Any = model_of(tiny("mamba2", **KINDS["mamba2"][0])).get_submodule(
        "backbone.layers.0.mixer"
    )
    assert scan_rule(mixer) is not None
    assert scan_rule(Mamba2Mixer(mixer)) is None
    mixer.activation = "gelu"  # but its part `act` is not
    assert scan_rule(mixer) is None
