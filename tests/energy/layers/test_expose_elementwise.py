from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    CohereConfig,
    GlmConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    PreTrainedModel,
    StableLmConfig,
)
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaModel

from energy import Counts, Multiply, Rotary, count_pass, exposed_attention
from energy.layers.expose_elementwise import counted_gates, rotation_of
from hwmodels import Op

llama = sys.modules["transformers.models.llama.modeling_llama"]

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}


def tiny(config: Any = LlamaConfig, **changes: Any) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config(**{**SIZES, **changes}))
    return model.eval()


def ids(batch: int = 2, tokens: int = 7) -> Tensor:
    return torch.randint(1, 101, (batch, tokens), generator=torch.Generator().manual_seed(1))


def logits(model: PreTrainedModel, **inputs: Any) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(**inputs).logits
    return out


def count(model: PreTrainedModel, *, fused: bool = True, **inputs: Any) -> Counts:
    with exposed_attention(model, fused=fused):
        return count_pass(model, lambda: model(**inputs), variant="asa")


def assert_untouched(model: PreTrainedModel) -> None:
    parts = [module for module in model.modules() if isinstance(module, (Rotary, Multiply))]
    assert parts == []
    assert not any("forward" in vars(module) for module in model.modules())
    assert llama.apply_rotary_pos_emb.__module__ == llama.__name__
    assert not hasattr(llama.apply_rotary_pos_emb, "__wrapped__")


@pytest.mark.parametrize("config", [LlamaConfig, CohereConfig, GlmConfig, Phi3Config])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_are_the_same_to_the_bit(config: Any, dtype: torch.dtype) -> None:
    model = tiny(config).to(dtype)
    own = logits(model, input_ids=ids())
    with exposed_attention(model):
        assert sum(isinstance(x, Rotary) for x in model.modules()) == 2
        assert sum(isinstance(x, Multiply) for x in model.modules()) == 2
        assert torch.equal(logits(model, input_ids=ids()), own)
    assert_untouched(model)


def test_the_rows_of_a_rotated_attention_and_a_gate() -> None:
    counts = count(tiny(), input_ids=ids())
    rotary = counts.layer("model.layers.1.self_attn.core.rotary")
    assert (rotary.kind, rotary.calls) == ("Rotary", 1)
    assert rotary.ops == {
        Op.MUL: 2 * 2 * 7 * 6 * 8,  # 2 each of 2 x 7 tokens, 4 query and 2 key heads of 8
        Op.ADD: 2 * 7 * 6 * 8,
        Op.ACTIVATION_READ: 2 * 7 * 6 * 8 + 7 * 8,  # and the angles of 7 positions
        Op.ACTIVATION_WRITE: 2 * 7 * 6 * 8,
    }
    gate = counts.layer("model.layers.1.mlp.multiply")
    assert (gate.kind, gate.calls) == ("Multiply", 1)
    assert gate.ops == {
        Op.MUL: 2 * 7 * 48,
        Op.ACTIVATION_READ: 2 * 2 * 7 * 48,
        Op.ACTIVATION_WRITE: 2 * 7 * 48,
    }
    residuals = [row.name for row in counts.layers if row.kind == "Residual"]
    assert residuals == [f"model.layers.{depth}.residual.{at}" for depth in (0, 1) for at in (0, 1)]
    # What is left: the numbering of the positions.
    assert counts.uncounted == {"add": 1}


def test_channels_that_are_not_rotated_cost_nothing() -> None:
    counts = count(tiny(StableLmConfig, partial_rotary_factor=0.5), input_ids=ids())
    assert counts.layer("model.layers.0.self_attn.core.rotary").ops[Op.ADD] == 2 * 7 * 6 * 4


def test_decoding_rotates_the_new_token_only() -> None:
    model = tiny()
    with torch.no_grad():
        cache = model(ids(3, 5), use_cache=True).past_key_values
    counts = count(model, input_ids=ids(3, 1), past_key_values=cache, use_cache=True)
    assert counts.layer("model.layers.0.self_attn.core.rotary").ops[Op.ADD] == 3 * 6 * 8
    assert counts.layer("model.layers.0.self_attn.core.scores").ops[Op.MAC] == 3 * 4 * 6 * 8


def test_left_padding_gives_each_sequence_its_own_angles() -> None:
    model, mask = tiny(), torch.ones(2, 7, dtype=torch.long)
    mask[0, :3] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    inputs = {"input_ids": ids(), "attention_mask": mask, "position_ids": positions}
    own = logits(model, **inputs)
    with exposed_attention(model):
        assert torch.equal(logits(model, **inputs), own)
    with exposed_attention(model, fused=False):
        exposed = logits(model, **inputs)[mask.bool()]
    torch.testing.assert_close(exposed, own[mask.bool()], atol=1e-5, rtol=0)
    fused, unfused = (count(model, fused=fused, **inputs) for fused in (True, False))
    assert fused.layers == unfused.layers
    # 2 x 7 positions x 8 values, read from the table
    assert fused.layer("model.rotary_emb").ops[Op.VECTOR_READ] == 2 * 7 * 8
    rotary = fused.layer("model.layers.0.self_attn.core.rotary").ops
    assert rotary[Op.ACTIVATION_READ] == 2 * 7 * 6 * 8 + 2 * 7 * 8


def test_generating_is_the_same() -> None:
    model = tiny()
    how: Any = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0}
    inputs = {"input_ids": ids(1, 5), "attention_mask": torch.ones(1, 5, dtype=torch.long)}
    own = model.generate(**inputs, **how)  # type: ignore[operator]
    with exposed_attention(model):
        assert torch.equal(model.generate(**inputs, **how), own)  # type: ignore[operator]


def test_all_is_restored_when_the_body_raises() -> None:
    model, apply = tiny(), llama.apply_rotary_pos_emb
    with pytest.raises(ZeroDivisionError), exposed_attention(model):
        raise ZeroDivisionError
    assert_untouched(model)
    assert llama.apply_rotary_pos_emb is apply


def test_all_is_restored_when_the_model_raises() -> None:
    model = tiny()
    with pytest.raises(IndexError), exposed_attention(model):
        model(ids() + 101)
    assert_untouched(model)
    logits(model, input_ids=ids())


def test_two_models_of_a_family_are_exposed_in_any_order_of_exit() -> None:
    first, second, apply = tiny(), tiny(), llama.apply_rotary_pos_emb
    one, two = exposed_attention(first), exposed_attention(second)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert llama.apply_rotary_pos_emb is not apply
    words = ids()
    assert count_pass(second, lambda: second(words), variant="asa").uncounted == {"add": 1}
    two.__exit__(None, None, None)
    assert llama.apply_rotary_pos_emb is apply
    assert_untouched(first)
    assert_untouched(second)


def test_another_model_of_the_family_keeps_its_own_rotation() -> None:
    exposed, other = tiny(), tiny(num_hidden_layers=1)
    own = logits(other, input_ids=ids())
    with exposed_attention(exposed):
        assert torch.equal(logits(other, input_ids=ids()), own)


def test_a_model_without_rotary_positions_has_no_such_row(tiny_gpt2: PreTrainedModel) -> None:
    counts = count(tiny_gpt2, input_ids=ids())
    assert not any(layer.name.endswith((".rotary", ".multiply")) for layer in counts.layers)


@pytest.mark.parametrize(
    ("family", "known"),
    [
        ("llama", True),
        ("gpt_neox", True),
        ("cohere", True),
        ("glm", True),
        ("ernie4_5", True),
        ("gpt_oss", False),  # has a table of half the width
        ("dinov3_vit", True),  # its prefix is empty where there are as many angles as tokens
        ("codegen", False),  # another signature
        ("gpt2", False),
    ],
)
def test_a_rotation_is_known_by_what_it_computes(family: str, known: bool) -> None:
    source = f"transformers.models.{family}.modeling_{family}"
    import_module(source)
    kind = type("Attention", (nn.Module,), {"__module__": source})
    assert (rotation_of(kind()) is not None) is known


def test_another_function_of_that_name_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(query: Tensor, key: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        return query * cos, key * sin

    monkeypatch.setattr(llama, "apply_rotary_pos_emb", apply)
    model = tiny()
    with exposed_attention(model):
        assert not any(isinstance(module, Rotary) for module in model.modules())
        assert llama.apply_rotary_pos_emb is apply
    counts = count(model, input_ids=ids())
    assert counts.uncounted == {"add": 1, "mul": 4}  # it shows here instead


class Scaled(LlamaMLP):
    """A gated feed-forward that does more."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Reordered(LlamaMLP):
    """The other projection is activated."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(self.act_fn(self.up_proj(x)) * self.gate_proj(x))
        return out


class Sliced(LlamaMLP):
    """Needs the weights themselves."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(x @ self.gate_proj.weight.T)
        return out


@pytest.mark.parametrize("kind", [Scaled, Reordered, Sliced])
def test_a_feedforward_that_computes_something_else_keeps_its_forward(
    kind: type[LlamaMLP],
) -> None:
    mlp = kind(LlamaConfig(**SIZES))
    with counted_gates(mlp):
        assert "gate" not in mlp._modules
        assert "forward" not in vars(mlp)


def test_a_feedforward_whose_forward_was_replaced_keeps_it() -> None:
    mlp = LlamaMLP(LlamaConfig(**SIZES))
    own = vars(mlp)["forward"] = lambda x: x
    with counted_gates(mlp):
        assert mlp.forward is own
    assert mlp.forward is own


def test_a_gate_is_in_training_where_its_feedforward_is() -> None:
    model = tiny()
    assert isinstance(model, LlamaForCausalLM)
    assert isinstance(model.model, LlamaModel)
    model.model.layers[1].train()
    with exposed_attention(model):
        assert [block.mlp.multiply.training for block in model.model.layers] == [False, True]
        rotary = [block.self_attn.core.rotary for block in model.model.layers]
        assert [module.training for module in rotary] == [False, True]


def test_state_and_random_numbers_stay_as_they_are() -> None:
    model = tiny()
    keys, state = list(model.state_dict()), torch.get_rng_state()
    with exposed_attention(model):
        assert list(model.state_dict()) == keys
    assert torch.equal(torch.get_rng_state(), state)
