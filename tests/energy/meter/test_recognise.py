from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import activations

from energy import Conventions, Tally, formulas, tally_call
from energy.formulas import nonlinear
from energy.meter.recognise import recognise
from energy.meter.rules import is_counted, is_known
from hwmodels import Op


def of(family: str, name: str) -> type[nn.Module]:
    kind = getattr(import_module(f"transformers.models.{family}.modeling_{family}"), name)
    assert issubclass(kind, nn.Module)
    return kind


def tally_of(layer: nn.Module, *args: Any) -> Tally:
    recognise([layer])
    rows = tally_call(layer, "layer", args, layer(*args), Conventions())
    assert list(rows) == [""]
    return rows[""]


X = torch.linspace(-3, 3, 2 * 3 * 8).view(2, 3, 8)  # 6 rows of 8


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "olmo2", "phi3", "glm"])
def test_an_rms_norm_is_known_by_what_it_computes(family: str) -> None:
    name = {"llama": "Llama", "olmo2": "Olmo2", "glm": "Glm"}.get(family, family.capitalize())
    layer = of(family, f"{name}RMSNorm")(8)
    assert tally_of(layer, X) == nonlinear.rms_norm(6, 8)


@pytest.mark.parametrize(("family", "name"), [("gemma", "Gemma"), ("gemma3", "Gemma3")])
def test_a_norm_that_scales_by_one_plus_weight_has_its_own_count(family: str, name: str) -> None:
    layer = of(family, f"{name}RMSNorm")(8)
    assert not layer.weight.any()  # with these weights it computes what a scale of one does
    assert tally_of(layer, X) == nonlinear.rms_norm(6, 8, offset=True)


@pytest.mark.parametrize(
    ("family", "name", "expected"),
    [
        ("cohere", "CohereLayerNorm", nonlinear.layer_norm(6, 8, shift=False)),
        ("nemotron", "NemotronLayerNorm1P", nonlinear.layer_norm(6, 8, offset=True)),
        (
            "olmo",
            "OlmoLayerNorm",
            nonlinear.layer_norm(6, 8, scale=False, shift=False),
        ),
        ("nanochat", "NanoChatRMSNorm", nonlinear.rms_norm(6, 8, scale=False)),
    ],
)
def test_other_norms(family: str, name: str, expected: Tally) -> None:
    kind = of(family, name)
    layer = kind() if name == "NanoChatRMSNorm" else kind(8)
    assert tally_of(layer, X) == expected


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        (activations.SiLUActivation, nonlinear.silu),
        (activations.GELUActivation, nonlinear.gelu_erf),
        (activations.AccurateGELUActivation, nonlinear.gelu_tanh),
        (activations.QuickGELUActivation, nonlinear.quick_gelu),
        (activations.ReLUSquaredActivation, nonlinear.relu_squared),
        (of("bloom", "BloomGelu"), nonlinear.gelu_tanh),
    ],
)
def test_activations(kind: type[nn.Module], formula: Any) -> None:
    with torch.no_grad():
        assert tally_of(kind().eval(), X) == formula(48)


@pytest.mark.parametrize(
    "layer",
    [
        activations.ClippedGELUActivation(-10, 10),  # a GELU up to 10
        activations.MishActivation(),
        activations.LinearActivation(),
        activations.LaplaceActivation(),
    ],
)
def test_another_function_gets_no_rule(layer: nn.Module) -> None:
    recognise([layer])
    assert not is_counted(type(layer))


class LlamaRMSNorm(nn.Module):
    """Has the name, and computes something else."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))
        self.variance_epsilon = 1e-6

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x / x.abs().mean(-1, keepdim=True)


def test_a_name_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LlamaRMSNorm, "__module__", "transformers.models.other")
    recognise([LlamaRMSNorm()])
    assert not is_counted(LlamaRMSNorm)


class Foreign(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pytest.fail("a class of somebody else was run")


def test_only_classes_of_transformers_are_tried() -> None:
    recognise([Foreign()])
    assert not is_counted(Foreign)


def test_a_dense_layer_in_other_words_is_one() -> None:
    layer = of("falcon", "FalconLinear")(8, 5)
    assert tally_of(layer, X) == formulas.linear(6, 8, 5, bias=True)


class Adapted(nn.Linear):
    """Starts as its parent, because its second matrix is zero."""

    def __init__(self) -> None:
        super().__init__(8, 5)
        self.low, self.high = nn.Parameter(torch.ones(2, 8)), nn.Parameter(torch.zeros(5, 2))

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + input @ self.low.T @ self.high.T


def test_a_dense_layer_with_more_parameters_is_not_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Adapted, "__module__", "transformers.models.other")
    recognise([Adapted()])
    assert not is_known(Adapted)


def test_learned_positions_with_an_offset() -> None:
    layer = of("opt", "OPTLearnedPositionalEmbedding")(16, 8)
    tally = tally_of(layer, torch.ones(2, 3, dtype=torch.long))
    assert tally == formulas.embedding(6, 8)


def test_scaled_words_are_multiplied() -> None:
    layer = of("gemma3", "Gemma3TextScaledWordEmbedding")(16, 8, 0, embed_scale=2.0)
    tally = tally_of(layer, torch.ones(2, 3, dtype=torch.long))
    expected = formulas.embedding(6, 8)
    assert tally.ops == {**expected.ops, Op.MUL: 48}  # 6 words x 8 channels


@pytest.mark.parametrize(
    ("family", "prefix"), [("llama", "Llama"), ("cohere", "Cohere"), ("gpt_neox", "GPTNeoX")]
)
def test_rotary_angles_are_looked_up(family: str, prefix: str) -> None:
    config = of(family, f"{prefix}ForCausalLM").config_class(
        hidden_size=32, num_attention_heads=4, rope_parameters=None
    )
    layer = of(family, f"{prefix}RotaryEmbedding")(config)
    channels = layer(X, torch.arange(3)[None])[0].shape[-1]
    tally = tally_of(layer, X, torch.arange(3)[None])
    assert tally == formulas.embedding(3, channels)
    assert all(op.group == "memory" for op in tally.ops)


@pytest.mark.parametrize("rope_type", ["linear", "dynamic", "yarn", "llama3"])
def test_scaled_angles_are_looked_up_and_stay_as_they_are(rope_type: str) -> None:
    from transformers import LlamaConfig

    rope = {
        "rope_type": rope_type,
        "rope_theta": 10000.0,
        "factor": 2.0,
        "original_max_position_embeddings": 32,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    }
    if rope_type in ("linear", "dynamic"):
        rope = {key: rope[key] for key in ("rope_type", "rope_theta", "factor")}
    elif rope_type == "yarn":
        rope = {key: value for key, value in rope.items() if "freq" not in key}
    config = LlamaConfig(
        hidden_size=32, num_attention_heads=4, max_position_embeddings=64, rope_parameters=rope
    )
    layer = of("llama", "LlamaRotaryEmbedding")(config)
    own = layer.inv_freq.clone()
    tally = tally_of(layer, X, torch.arange(3)[None])
    assert tally == formulas.embedding(3, 8)
    assert torch.equal(layer.inv_freq, own)


def test_angles_of_each_layer_type() -> None:
    from transformers import Gemma3TextConfig

    config = Gemma3TextConfig(hidden_size=32, num_attention_heads=4, head_dim=8)
    layer = of("gemma3", "Gemma3RotaryEmbedding")(config)
    recognise([layer])
    assert is_counted(type(layer))


def test_a_complex_table_gets_no_rule() -> None:
    from transformers import Llama4TextConfig

    layer = of("llama4", "Llama4TextRotaryEmbedding")(Llama4TextConfig(head_dim=8))
    recognise([layer])
    assert not is_counted(type(layer))


def test_layers_without_weights_are_recognised() -> None:
    with torch.device("meta"):
        layer = of("ministral", "MinistralRMSNorm")(8)
    recognise([layer])
    assert is_counted(type(layer))


def test_recognising_leaves_the_random_state_alone() -> None:
    state = torch.get_rng_state()
    recognise([of("helium", "HeliumRMSNorm")(8)])
    assert torch.equal(torch.get_rng_state(), state)
