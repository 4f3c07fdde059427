from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import count_pass
from hwmodels import Op
from neurt.spiking.config import Code
from neurt.spiking.spikformer import RowScale, SpikformerAttention, SpikformerCore

Converted = Callable[..., Any]
STEPS = 3


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


def test_core_of_new_queries_sees_the_keys_before_them() -> None:
    q, k, v = (spikes(2, 3, 7, 4, seed=s) for s in range(3))
    core = SpikformerCore()
    whole = core(q, k, v, None)
    assert torch.equal(core(q[..., 5:, :], k, v, None), whole[..., 5:, :])


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


def lif_by_hand(currents: Tensor, thresholds: Tensor, tau: float) -> Tensor:
    """Spikes (T, ..., C), one neuron and one step after the other."""
    out = torch.zeros_like(currents)
    flat, sent = currents.reshape(STEPS, -1).tolist(), out.view(STEPS, -1)
    sizes = thresholds.expand(currents.shape[1:]).reshape(-1).tolist()
    for neuron, threshold in enumerate(sizes):
        v = 0.0
        for step in range(STEPS):
            v += (flat[step][neuron] - v) / tau
            if v >= threshold:
                sent[step, neuron] = 1.0
                v -= threshold
    return out


@pytest.mark.parametrize(
    ("kind", "code", "heads", "kv_heads"),
    [
        *(("gpt2", code, 4, 4) for code in Code),
        *(("llama", code, 4, 2) for code in (Code.SIGNED_IF, Code.SAR, Code.POW2)),
        *(("qwen2", code, 6, 2) for code in (Code.SIGNED_IF, Code.SAR, Code.POW2)),
    ],
)
@torch.no_grad()
def test_the_block_is_its_neurons_and_products_one_step_at_a_time(
    converted: Converted, kind: str, code: Code, heads: int, kv_heads: int
) -> None:
    model = converted(kind, code=code, timesteps=STEPS)
    width, how = 8 * heads, {}
    x = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if kind == "gpt2":
        block = model.transformer.h[0].attn
    else:
        block = model.model.layers[0].self_attn
        how = {"position_embeddings": model.model.rotary_emb(x, torch.arange(5)[None])}
    assert isinstance(block, SpikformerAttention)

    def turned(y: Tensor) -> Tensor:  # (B, S, heads D), each head by itself
        cos, sin = how["position_embeddings"]
        parts = []
        for part in y.split(8, dim=-1):
            half = torch.cat([-part[..., 4:], part[..., :4]], dim=-1)
            parts.append(part * cos + half * sin)
        return torch.cat(parts, dim=-1)

    def driven(value: Tensor) -> Tensor:
        if kind == "gpt2":
            return value @ block.c_attn.weight + block.c_attn.bias
        layers = (block.q_proj, block.k_proj, block.v_proj)
        q, k, v = (nn.functional.linear(value, layer.weight, layer.bias) for layer in layers)
        return torch.cat([turned(q), turned(k), v], dim=-1)

    events = block.encoder(x)
    if code.averages:  # each step drives the neurons with its own spikes, of size threshold
        values = [step * block.encoder.threshold for step in events]
    else:  # the sum must have arrived before the first step
        values = [block.encoder.decode(events)] * STEPS
    currents = torch.stack([driven(value) for value in values])
    sent = lif_by_hand(currents, block.qkv_neuron.threshold, tau=2.0)
    q, k, v = sent.split([width, 8 * kv_heads, 8 * kv_heads], dim=-1)
    mixed = torch.zeros(STEPS, 2, 5, width, dtype=torch.float64)
    for t in range(STEPS):
        for h in range(heads):
            part, shared = (slice(8 * n, 8 * n + 8) for n in (h, h * kv_heads // heads))
            for i in range(5):
                for j in range(i + 1):
                    score = (q[t, :, i, part] * k[t, :, j, shared]).sum(-1, keepdim=True)
                    mixed[t, :, i, part] += score * v[t, :, j, shared] / (i + 1)
    out = lif_by_hand(mixed, block.mix_neuron.threshold, tau=2.0)
    assert 0 < float(out.mean()) < 1
    value = out.mean(0) * block.mix_neuron.threshold
    if kind == "gpt2":
        expected = value @ block.c_proj.weight + block.c_proj.bias
    else:
        expected = value @ block.o_proj.weight.T
    found, _ = block(x, **how)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_a_query_of_no_spikes_mixes_nothing() -> None:
    k, v = spikes(1, 1, 4, 3), torch.ones(1, 1, 4, 3)
    assert not bool(SpikformerCore()(torch.zeros(1, 1, 4, 3), k, v, None).any())


def test_scaling_a_row_is_a_multiplication_per_value() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.normalise = RowScale()

        def forward(self, mixed: Tensor, attended: Tensor) -> Tensor:
            out: Tensor = self.normalise(mixed, attended)
            return out

    model = Model()
    mixed, attended = torch.ones(2, 3, 4), torch.tensor([[1.0], [2], [4]])
    (row,) = count_pass(model, lambda: model(mixed, attended), variant="ssa").layers
    assert row.ops[Op.MUL] == 24
    assert row.ops[Op.DIV] == 0  # by a reciprocal that is known for each position
    assert model(mixed, attended)[0, :, 0].tolist() == [1, 0.5, 0.25]


def test_the_coder_of_the_input_feeds_the_projection(converted: Converted) -> None:
    block = converted(code=Code.POW2).transformer.h[0].attn
    assert block.coded == [(block.encoder, [block.c_attn])]


# Heads that share keys and values


@pytest.mark.parametrize("masked", [False, True])
def test_the_core_of_shared_heads_is_that_of_repeated_ones(masked: bool) -> None:
    q = spikes(2, 6, 3, 4)
    k, v = (spikes(2, 2, 5, 4, seed=s) for s in (1, 2))  # two cached tokens before three new
    mask = None
    if masked:
        mask = torch.ones(3, 5, dtype=torch.bool).tril(2).expand(2, 1, 3, 5).clone()
        mask[0, ..., 0] = False
    repeated = (x.repeat_interleave(3, dim=1) for x in (k, v))
    assert torch.equal(SpikformerCore(3)(q, k, v, mask), SpikformerCore()(q, *repeated, mask))
