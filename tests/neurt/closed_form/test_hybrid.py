from __future__ import annotations

import pytest
import torch
from transformers import NemotronHConfig, NemotronHForCausalLM

from hwmodels.wholechip import Kind
from neurt.closed_form.hybrid import HYBRIDS, read_hybrid
from neurt.families.config import Config, ShapeError

SIZES = {
    "model_type": "nemotron_h",
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "mamba_num_heads": 4,
    "mamba_head_dim": 16,
    "ssm_state_size": 8,
    "n_groups": 2,
    "conv_kernel": 4,
}


def test_sums_are_those_of_published_models() -> None:
    # The cards on the hub: 8.89 and 12.31 billion parameters.
    nine, twelve = HYBRIDS.values()
    assert (nine.layers, twelve.layers) == (56, 62)
    assert nine.parameters == pytest.approx(8.89e9, rel=1e-3)
    assert twelve.parameters == pytest.approx(12.31e9, rel=1e-3)


def test_weights_are_those_of_transformers() -> None:
    words = ["linear_attention", "mlp", "full_attention", "linear_attention"]
    sizes = {key: value for key, value in SIZES.items() if key != "model_type"}
    config = NemotronHConfig(**sizes, layers_block_type=words)
    with torch.device("meta"):
        model = NemotronHForCausalLM(config)
    matrices = [
        module.weight.numel() for module in model.modules() if isinstance(module, torch.nn.Linear)
    ]
    hybrid = read_hybrid(Config(config.to_dict(), "tiny"))
    assert hybrid.weights == sum(matrices)
    assert (hybrid.mamba_layers, hybrid.attention_layers, hybrid.dense_layers) == (2, 1, 1)


def test_a_step_by_hand() -> None:
    hybrid = read_hybrid(Config(SIZES | {"hybrid_override_pattern": "M-*"}, "tiny"))
    # Mamba-2: 64 channels, B and C of 2 x 8 each: 96 are convolved, 64 + 96 + 4 made of 32.
    weights = 32 * (164 + 64) + 32 * (2 * 32 + 2 * 16) + 2 * 32 * 48 + 100 * 32
    served = hybrid.served()
    assert hybrid.weights == weights
    assert served.weight_bytes == 2 * weights
    # A state of 64 x 8 in FP32, three rows of 96 in 16 bits; both are read and written.
    assert served.state_bytes == 2 * (4 * 64 * 8 + 2 * 3 * 96)
    assert served.macs == weights + 2 * 64 * 8 + 4 * 96
    assert served.cache_bytes == 2 * 16 * 2
    assert served.step(4, 10, 20, 1).kind is Kind.RECURRENT
    assert hybrid.served(8, 8).weight_bytes == weights


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"hybrid_override_pattern": "MEM*"}, "'hybrid_override_pattern' (= 'MEM*') must say"),
        (
            {"layers_block_type": ["moe"]},
            "'layers_block_type' (= ['moe']) must say layers of Mamba",
        ),
        ({"hybrid_override_pattern": "M", "n_groups": 0}, "'n_groups' (= 0) must be an integer"),
    ],
)
def test_a_configuration_of_other_layers_is_refused(
    changed: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        read_hybrid(Config(SIZES | changed, "tiny"))
    assert sentence in str(refused.value)
