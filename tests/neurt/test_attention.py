import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from neurt.attention import SpikformerCore
from neurt.modeling import SpikingGPT2LMHeadModel


def spikes(*shape: int, seed: int = 0) -> Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


def test_core_is_the_loop_over_queries_and_keys() -> None:
    q, k, v = (spikes(2, 3, 5, 4, seed=s) for s in range(3))
    mixed = SpikformerCore()(q, k, v, None)
    for x in range(2):
        for h in range(3):
            for i in range(5):
                expected = torch.zeros(4)
                for j in range(i + 1):  # only keys at or before the query
                    expected += (q[x, h, i] @ k[x, h, j]) * v[x, h, j]
                assert torch.allclose(mixed[x, h, i], expected / (i + 1), atol=1e-6)


def test_mask_hides_padding_and_normalises_by_what_is_seen() -> None:
    q, k, v = (spikes(1, 1, 4, 3, seed=s) for s in range(3))
    causal = torch.ones(4, 4, dtype=torch.bool).tril()
    core = SpikformerCore()
    assert torch.equal(core(q, k, v, causal[None, None]), core(q, k, v, None))
    left_padded = causal.clone()
    left_padded[:, 0] = False
    masked = core(q, k, v, left_padded[None, None])
    assert torch.allclose(masked[:, :, 1:], core(*(x[:, :, 1:] for x in (q, k, v)), None))
    assert torch.equal(masked[:, :, 0], torch.zeros(1, 1, 3))  # sees nothing, divides by 1


@torch.no_grad()
def test_no_token_sees_the_future(spiking: SpikingGPT2LMHeadModel, token_ids: Tensor) -> None:
    changed = token_ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 101
    a, b = (spiking(ids, use_cache=False).logits for ids in (token_ids, changed))
    assert torch.allclose(a[:, :8], b[:, :8], atol=1e-5)
    assert not torch.allclose(a[:, 8:], b[:, 8:], atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("split", [1, 7, 11])
def test_cache_gives_the_logits_of_the_whole_pass(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor, split: int
) -> None:
    whole = spiking(token_ids, use_cache=False).logits
    cache = DynamicCache(config=spiking.config)
    spiking(token_ids[:, :split], past_key_values=cache, use_cache=True)
    rest = spiking(token_ids[:, split:], past_key_values=cache, use_cache=True).logits
    assert torch.allclose(rest, whole[:, split:], atol=1e-4)


@torch.no_grad()
def test_left_padding_does_not_change_a_sequence(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    alone = spiking(token_ids[:1], use_cache=False).logits
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), token_ids[:1]], dim=1)
    mask = torch.tensor([[0, 0, 0] + [1] * 12])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out = spiking(padded, attention_mask=mask, position_ids=positions, use_cache=False).logits
    assert torch.allclose(out[:, 3:], alone, atol=1e-4)


@torch.no_grad()
def test_eager_and_sdpa_masks_mean_the_same(
    spiking: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    default = spiking(token_ids, use_cache=False).logits
    spiking.set_attn_implementation("eager")
    assert torch.equal(spiking(token_ids, use_cache=False).logits, default)
