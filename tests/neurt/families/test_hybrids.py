"""Layers with states of fixed size: what of a configuration is refused, and products by hand."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_model

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, read_shape
from neurt.loading.source import resolve
from neurt.measure.verification import agree_with_witnesses

HYBRID = {
    "model_type": "nemotron_h",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "ssm_state_size": 6,
    "n_groups": 2,
    "hybrid_override_pattern": "M-*E",
}
STATES = {"model_type": "mamba2", "hidden_size": 32, "num_hidden_layers": 2, "head_dim": 8}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (HYBRID | {"hybrid_override_pattern": "MX"}, "'hybrid_override_pattern' (= 'MX') may hold"),
        (HYBRID | {"hybrid_override_pattern": ""}, "must be a text of one letter for each of 1 to"),
        (HYBRID | {"layers_block_type": ["conv"]}, "'layers_block_type' (= ['conv']) must name"),
        (
            HYBRID | {"mamba_num_heads": 9},
            "'mamba_num_heads' (= 9) must be divisible by",
        ),
        (HYBRID | {"moe_latent_size": 8}, "'moe_latent_size' (= 8) has no counting rule"),
        (HYBRID | {"mamba_hidden_act": "gelu"}, "'mamba_hidden_act' (= 'gelu') has no counting"),
        (HYBRID | {"num_key_value_heads": 3}, "must be divisible by 'num_key_value_heads' (= 3)"),
        (STATES | {"num_heads": 16}, "'hidden_size' times 'expand' (= 64) must be 'num_heads'"),
    ],
)
def test_a_configuration_of_no_model_is_refused(config: dict[str, object], sentence: str) -> None:
    with pytest.raises(ShapeError) as refused:
        read_shape(config, "mine")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nemotron_nano_by_hand() -> None:
    shape = resolve("nvidia/NVIDIA-Nemotron-Nano-9B-v2").shape
    assert shape is not None
    # 27 mixers of 128 heads x 80 channels x 128 entries of state; 12,288 convolved channels.
    linear = (
        27 * 4480 * (2 * 10_240 + 2 * 8 * 128 + 128 + 10_240)
        + 4 * 4480 * (2 * 40 + 2 * 8) * 128
        + 25 * 2 * 4480 * 15_680
        + 131_072 * 4480
    )
    states = 27 * 128 * 80 * 128
    scan = 2 * states + 27 * 12_288 * 4
    attention = 4 * 2 * 40 * 128  # of Q K^T and A V, for each key
    counts = plan_asa(shape, decode(4096, batch=3))
    assert counts.dense_macs == 3 * (linear + scan + 4096 * attention)
    counts = plan_asa(shape, prefill(2048))
    assert counts.dense_macs == 2048 * (linear + scan + 2048 * attention)
    # K and V of 4 layers with every key; states and the tokens of a kernel whatever the context.
    fixed = states + 27 * 12_288 * 3
    for context in (1, 1000):
        read = plan_asa(shape, decode(context)).total(Op.KV_READ)
        assert read == fixed + context * 4 * 2 * 8 * 128


@pytest.mark.parametrize("kind", ["mamba2", "nemotron_h"])
def test_witnesses_say_what_of_a_mixer_they_do_not_see(kind: str) -> None:
    ids = torch.arange(18).reshape(2, 9) + 3
    said = agree_with_witnesses(tiny_model(kind), ids, undeclared=True, loose=True)
    assert "torch's FlopCounterMode, on eager attention, agree on the MACs of the pass" in said
    assert "layers.0.mixer' and its like, which transformers runs otherwise" in said
    assert "layers.0.mixer.conv1d' and its like are no modules" in said
