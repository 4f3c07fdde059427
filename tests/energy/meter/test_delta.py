"""Mixers of gated delta networks: counted as their recurrence, known by what they compute."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from decoders import model_of, tiny
from torch import nn
from transformers import DynamicCache, PreTrainedModel

from energy import count_pass, exposed_attention
from energy.counts import Tally
from energy.formulas.nonlinear import silu
from energy.formulas.scan import Delta, causal_convolution, gated_delta, gated_norm
from energy.meter.recognise_scan import scan_rule

# 4 heads of values of 10 channels share 2 of queries and keys of 6: 64 channels are convolved.
DELTA = Delta(heads=4, key_heads=2, key_width=6, value_width=10)
SIZES = {
    **{"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 6},
    **{"linear_value_head_dim": 10, "linear_conv_kernel_dim": 3, "head_dim": 16},
    "layer_types": ["linear_attention", "full_attention"],
}
KINDS = ["qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"]
NAME = "model.layers.0.linear_attn"
IDS = torch.arange(18).reshape(2, 9) + 3


@cache
def built(kind: str) -> PreTrainedModel:
    return model_of(tiny(kind, **SIZES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [9, 1, 3])
def test_a_mixer_is_counted_as_its_recurrence(kind: str, tokens: int) -> None:
    model, given = built(kind), {}
    if tokens < 9:
        given = {"past_key_values": DynamicCache(config=model.config), "use_cache": True}
        with torch.no_grad():
            model(IDS[:, :-tokens], **given)
    with exposed_attention(model, partial=True):
        counts = count_pass(
            model, lambda: model(IDS[:, -tokens:], **given), variant="asa", loose=True
        )
    assert counts.layer(f"{NAME}.scan").tally == gated_delta(2, tokens, DELTA)
    convolved = causal_convolution(2, tokens, 64, 3, bias=False)
    assert counts.layer(f"{NAME}.conv1d").tally == Tally.total([convolved])
    assert counts.layer(f"{NAME}.act").tally == silu(2 * tokens * 64)
    assert counts.layer(f"{NAME}.norm").tally == gated_norm(2 * tokens * 4, 10)
    assert not [row.name for row in counts.layers if row.name.endswith(")")]  # no product is loose


class GatedDeltaNet(nn.Module):
    """Has the name and the parts of a mixer, and computes something else."""

    def __init__(self, mixer: Any) -> None:
        super().__init__()
        vars(self).update(vars(mixer))
        self._own = type(mixer).forward

    def forward(self, x: torch.Tensor, *args: Any) -> Any:
        return self._own(self, x, *args).roll(1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_proves_nothing(kind: str) -> None:
    mixer: Any = model_of(tiny(kind, **SIZES)).get_submodule(NAME)
    assert scan_rule(mixer) is not None
    assert scan_rule(GatedDeltaNet(mixer)) is None
    mixer.activation = "gelu"
    assert scan_rule(mixer) is None
