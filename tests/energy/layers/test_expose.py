from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import count_exposed
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, PreTrainedConfig, PreTrainedModel

from energy import (
    Attention,
    Counts,
    ExposeError,
    count_pass,
    exposed_attention,
)
from energy.layers.matmul import AttentionCore

IMPLEMENTATIONS = ["sdpa", "eager"]


def ids(batch: int, tokens: int) -> Tensor:
    return torch.randint(0, 101, (batch, tokens), generator=torch.Generator().manual_seed(1))


def logits(model: GPT2LMHeadModel, *args: Any, **kwargs: Any) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(*args, **kwargs).logits
    return out


def assert_untouched(model: GPT2LMHeadModel, implementation: str) -> None:
    assert model.config._attn_implementation == implementation
    assert not any(isinstance(module, AttentionCore) for module in model.modules())
    assert not any(hasattr(block.attn, "core") for block in model.transformer.h)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("batch", [1, 3])
def test_fused_and_unfused_counts_are_equal(
    tiny_gpt2: GPT2LMHeadModel, implementation: str, attention: Attention, batch: int
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    fused, unfused = (
        count_exposed(tiny_gpt2, attention, fused=fused, input_ids=ids(batch, 7))
        for fused in (True, False)
    )
    assert fused.layers == unfused.layers
    assert [x.name for x in fused.layers if ".core." in x.name][:3] == [
        "transformer.h.0.attn.core.scores",
        "transformer.h.0.attn.core.softmax",
        "transformer.h.0.attn.core.mix",
    ]


@pytest.mark.parametrize("attention", Attention)
def test_fused_and_unfused_counts_of_a_decoded_token_are_equal(
    tiny_gpt2: GPT2LMHeadModel, attention: Attention
) -> None:
    def decode(fused: bool) -> Counts:
        cache = tiny_gpt2(ids(3, 7), use_cache=True).past_key_values
        inputs = {"input_ids": ids(3, 1), "past_key_values": cache, "use_cache": True}
        return count_exposed(tiny_gpt2, attention, fused=fused, **inputs)

    assert decode(fused=True).layers == decode(fused=False).layers


class Grouped(nn.Module):
    """A core with fewer key than query heads."""

    num_key_value_groups = 2

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.core = AttentionCore(lambda _owner, query, *_, **__: (query, None))
        self.core.fused = fused

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        out: Tensor = self.core(query, key, key, None, owner=self, scaling=1.0)[0]
        return out


def test_fused_and_unfused_counts_of_grouped_heads_are_equal() -> None:
    query, key = torch.rand(2, 4, 3, 8), torch.rand(2, 2, 5, 8)

    def layers(fused: bool) -> dict[str, Any]:
        model = Grouped(fused=fused)
        counts = count_pass(model, lambda: model(query, key), variant="asa")
        return {layer.name: layer.ops for layer in counts.layers}

    assert layers(fused=True) == layers(fused=False)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("fused", [True, False])
def test_exposed_logits_are_the_original_ones(
    tiny_gpt2: GPT2LMHeadModel, implementation: str, fused: bool
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    own = logits(tiny_gpt2, ids(3, 7))
    with exposed_attention(tiny_gpt2, fused=fused):
        exposed = logits(tiny_gpt2, ids(3, 7))
    if fused:
        assert torch.equal(exposed, own)
    else:
        torch.testing.assert_close(exposed, own, atol=1e-5, rtol=0)
    assert torch.equal(logits(tiny_gpt2, ids(3, 7)), own)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_exposed_logits_respect_padding(
    tiny_gpt2: GPT2LMHeadModel, implementation: str, fused: bool, side: str
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, :3] = 0
    mask = mask if side == "left" else mask.flip(1)
    own = logits(tiny_gpt2, ids(2, 7), attention_mask=mask)[mask.bool()]
    with exposed_attention(tiny_gpt2, fused=fused):
        exposed = logits(tiny_gpt2, ids(2, 7), attention_mask=mask)[mask.bool()]
    torch.testing.assert_close(exposed, own, atol=0 if fused else 1e-5, rtol=0)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("fused", [True, False])
def test_exposed_logits_respect_the_cache(
    tiny_gpt2: GPT2LMHeadModel, implementation: str, fused: bool
) -> None:
    tiny_gpt2.set_attn_implementation(implementation)

    def run() -> Tensor:
        cache = tiny_gpt2(ids(2, 5), use_cache=True).past_key_values
        chunk = logits(tiny_gpt2, ids(2, 4), past_key_values=cache, use_cache=True)
        one = logits(tiny_gpt2, ids(2, 1), past_key_values=cache, use_cache=True)
        return torch.cat([chunk, one], dim=1)

    own = run()
    with exposed_attention(tiny_gpt2, fused=fused):
        exposed = run()
    torch.testing.assert_close(exposed, own, atol=0 if fused else 1e-5, rtol=0)


@pytest.mark.parametrize(("implementation", "has_mask"), [("sdpa", False), ("eager", True)])
def test_a_kernel_gets_the_mask_that_it_had(
    tiny_gpt2: GPT2LMHeadModel, implementation: str, has_mask: bool
) -> None:
    # Without padding sdpa has no mask, and so its fast causal path; eager always adds one.
    tiny_gpt2.set_attn_implementation(implementation)
    masks = []
    with exposed_attention(tiny_gpt2):
        for block in tiny_gpt2.transformer.h:
            block.attn.core.register_forward_pre_hook(lambda _core, args: masks.append(args[3]))
        logits(tiny_gpt2, ids(1, 7))
    assert [mask is not None for mask in masks] == [has_mask] * 2


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_model_is_restored(tiny_gpt2: GPT2LMHeadModel, implementation: str) -> None:
    tiny_gpt2.set_attn_implementation(implementation)
    keys = list(tiny_gpt2.state_dict())
    names = [name for name, _ in tiny_gpt2.named_modules()]
    with exposed_attention(tiny_gpt2):
        assert all(isinstance(block.attn.core, AttentionCore) for block in tiny_gpt2.transformer.h)
        assert list(tiny_gpt2.state_dict()) == keys
    assert_untouched(tiny_gpt2, implementation)
    assert list(tiny_gpt2.state_dict()) == keys
    assert [name for name, _ in tiny_gpt2.named_modules()] == names


def test_the_model_is_restored_when_the_body_raises(tiny_gpt2: GPT2LMHeadModel) -> None:
    with pytest.raises(ZeroDivisionError), exposed_attention(tiny_gpt2):
        raise ZeroDivisionError
    assert_untouched(tiny_gpt2, "sdpa")
    with exposed_attention(tiny_gpt2):
        tiny_gpt2(ids(1, 3))


def test_exposing_twice_is_refused_and_leaves_the_first_exposure(
    tiny_gpt2: GPT2LMHeadModel,
) -> None:
    with exposed_attention(tiny_gpt2):
        with (
            pytest.raises(ExposeError, match="exposed already"),
            exposed_attention(tiny_gpt2),
        ):
            pytest.fail("the block must not be entered")
        assert isinstance(tiny_gpt2.transformer.h[0].attn.core, AttentionCore)
        assert logits(tiny_gpt2, ids(1, 3)).isfinite().all()
    assert_untouched(tiny_gpt2, "sdpa")


def test_two_models_are_exposed_side_by_side(tiny_gpt2: GPT2LMHeadModel) -> None:
    other = GPT2LMHeadModel(type(tiny_gpt2.config)(**tiny_gpt2.config.to_dict())).eval()
    with exposed_attention(tiny_gpt2), exposed_attention(other, fused=False):
        assert logits(tiny_gpt2, ids(1, 3)).shape == logits(other, ids(1, 3)).shape
    assert_untouched(tiny_gpt2, "sdpa")
    assert_untouched(other, "sdpa")


def test_a_core_is_in_training_where_its_attention_is(tiny_gpt2: GPT2LMHeadModel) -> None:
    tiny_gpt2.transformer.h[1].train()
    with exposed_attention(tiny_gpt2):
        cores = [block.attn.core for block in tiny_gpt2.transformer.h]
        assert [core.training for core in cores] == [False, True]
        assert [core.mix.training for core in cores] == [False, True]


class Plain(PreTrainedModel):
    """A Hugging Face model without attention."""

    config_class = PreTrainedConfig

    def __init__(self) -> None:
        super().__init__(PreTrainedConfig())
        self.layer = nn.Linear(2, 2)


def test_a_model_without_attention_is_refused() -> None:
    with (
        pytest.raises(
            ExposeError, match=r"Plain has no attention module .* `neurt-energy count` counts it"
        ),
        exposed_attention(Plain()),
    ):
        pytest.fail("the block must not be entered")
