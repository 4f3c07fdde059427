from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import DynamicCache, GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention

from energy import EventError, Levels, count_pass
from hwmodels import Op
from neurt.spiking.config import Calibrate, Code, DeadZone, Form, KeyValue, SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.spiking.pow2 import DEAD_WEIGHT, PowerOfTwo
from neurt.spiking.softmax import SoftmaxAttention
from neurt.spiking.softmax_core import RowNormalise, SoftmaxCore

Converted = Callable[..., SpikingLanguageModel]
SPIKING = [code for code in Code if code is not Code.EXACT]


def choices(code: Code, timesteps: int = 3) -> SpikingConfig:
    return SpikingConfig(form=Form.SOFTMAX, code=code, timesteps=timesteps)


def operands(queries: int, keys: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, queries, 8, generator=generator)
    k, v = (torch.randn(2, 4, keys, 8, generator=generator) for _ in range(2))
    return q, k, v


# Without an error of coding it is softmax attention


@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (2, 6), (1, 9)])
@pytest.mark.parametrize("masked", [False, True])
def test_core_without_a_code_is_scaled_dot_product_attention(
    timesteps: int, queries: int, keys: int, masked: bool
) -> None:
    q, k, v = operands(queries, keys)
    visible = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    if masked:  # the first key is padding
        visible = visible & (torch.arange(keys) > 0)
    core = SoftmaxCore(choices(Code.EXACT, timesteps), 4)
    found = core(
        (q / timesteps).expand(timesteps, *q.shape), k, v, 0.3, visible if masked else None
    )
    expected = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=0.3)
    rows = visible.any(-1)  # a padded query sees nothing: zeros
    torch.testing.assert_close(found[..., rows, :], expected[..., rows, :], atol=1e-5, rtol=0)
    assert not bool(found[..., ~rows, :].any())


@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("pieces", [(7,), (5, 2)], ids=["whole", "cached"])
@pytest.mark.parametrize("timesteps", [1, 3, 8])
@torch.no_grad()
def test_block_without_a_code_is_the_attention_of_gpt2(
    pieces: tuple[int, ...], timesteps: int, key_value: KeyValue
) -> None:
    torch.manual_seed(0)
    config = GPT2Config(n_embd=32, n_head=4, attn_implementation="sdpa")
    analog = GPT2Attention(config, layer_idx=0).eval()
    nn.init.normal_(analog.c_attn.weight, std=0.3)
    spiking = choices(Code.EXACT, timesteps).model_copy(update={"key_value": key_value})
    block = SoftmaxAttention(config, spiking, 0).eval()
    missing, unexpected = block.load_state_dict(analog.state_dict(), strict=False)
    assert not unexpected
    assert all("encoder.threshold" in name for name in missing)
    ours, theirs = DynamicCache(), DynamicCache()
    past = 0
    for tokens in pieces:
        x = torch.randn(2, tokens, 32)
        visible = torch.ones(tokens, past + tokens, dtype=torch.bool).tril(past)
        mask = visible.expand(2, 1, *visible.shape)
        expected, _ = analog(x, past_key_values=theirs, attention_mask=mask)
        found, weights = block(x, ours, None)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert weights is None
        past += tokens


# With a code it is the sum over its events


@pytest.mark.parametrize("code", SPIKING)
@torch.no_grad()
def test_core_is_the_loop_over_events(code: Code) -> None:
    q, k, v = operands(4, 6)
    steps = 3
    core = SoftmaxCore(choices(code, steps), 4)
    core.weight_encoder.threshold.fill_(0.05)
    events = torch.randint(-1, 2, (steps, *q.shape), generator=torch.Generator().manual_seed(1))
    q_events = events.float()
    found = core(q_events, k, v, 0.3, None)
    for b in range(2):
        for h in range(4):
            for i in range(4):
                seen = 2 + i + 1  # two cached keys
                scores = torch.zeros(seen)
                for t in range(steps):
                    for j in range(seen):
                        scores[j] += q_events[t, b, h, i] @ k[b, h, j]
                powers = (0.3 * (scores - scores.max())).exp()
                sent = core.weight_encoder(powers / powers.sum())
                mixed = torch.zeros(8)
                for t in range(steps):
                    for j in range(seen):
                        mixed += sent[t, j] * v[b, h, j]
                total = sent.sum()
                torch.testing.assert_close(
                    found[b, h, i], mixed / total if total else mixed, atol=1e-5, rtol=1e-4
                )


@pytest.mark.parametrize("code", SPIKING)
@torch.no_grad()
def test_mixed_values_stay_among_the_values(code: Code) -> None:
    # Normalised by the events that arrived, the weights are shares again.
    q, k, v = operands(5, 5)
    core = SoftmaxCore(choices(code, 4), 4)
    core.weight_encoder.threshold.fill_(0.02)
    mixed = core(q.sign().expand(4, *q.shape), k, v, 0.3, None)
    for i in range(5):
        low, high = v[..., : i + 1, :].amin(-2), v[..., : i + 1, :].amax(-2)
        assert bool((mixed[..., i, :] >= low - 1e-5).all())
        assert bool((mixed[..., i, :] <= high + 1e-5).all())


@pytest.mark.parametrize("code", SPIKING)
@torch.no_grad()
def test_what_the_mask_hides_sends_no_event(code: Code) -> None:
    q, k, v = operands(5, 5)
    core = SoftmaxCore(choices(code, 4), 4)
    core.weight_encoder.threshold.fill_(1e-6)
    sent: list[Tensor] = []
    core.weight_encoder.register_forward_hook(lambda _m, _a, out: sent.append(out))
    core(q.sign().expand(4, *q.shape), k, v, 0.3, None)
    hidden = ~torch.ones(5, 5, dtype=torch.bool).tril()
    assert not bool(sent[0][..., hidden].any())
    assert bool(sent[0].any())


@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("code", SPIKING)
@torch.no_grad()
def test_the_size_of_a_query_event_is_in_the_cached_keys(
    converted: Converted, code: Code, key_value: KeyValue
) -> None:
    model = converted(form=Form.SOFTMAX, code=code, timesteps=3, key_value=key_value)
    block = model.transformer.h[0].attn
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cache = DynamicCache(config=model.config)
    block(x, cache)
    value = block.encoder.decode(block.encoder(x))
    _, k, v = (value @ block.c_attn.weight + block.c_attn.bias).chunk(3, dim=-1)
    if key_value is KeyValue.STREAMED:  # the cache sums the events that have arrived
        k, v = (
            coder.decode(coder(x))
            for coder, x in ((block.key_encoder, k), (block.value_encoder, v))
        )
    if block.query_encoder.scale is not None:
        k = k * block.query_encoder.scale
    keys, values = cache.layers[0].keys, cache.layers[0].values
    torch.testing.assert_close(keys, block.split_heads(k))
    torch.testing.assert_close(values, block.split_heads(v))


# The parts


def test_rows_are_divided_by_their_events() -> None:
    events = torch.tensor([[[1.0, 0], [0, 0]], [[0.5, 0.25], [0, 0]]])  # (T=2, S=2, N=2)
    mixed = torch.tensor([[3.5, 7.0, -1.75], [0, 0, 0]])
    out = RowNormalise(Levels.POWER)(mixed, events)
    assert out.tolist() == [[2, 4, -1], [0, 0, 0]]  # by 1.75; a row without events is left alone


class Normalising(nn.Module):
    def __init__(self, levels: Levels) -> None:
        super().__init__()
        self.normalise = RowNormalise(levels)

    def forward(self, mixed: Tensor, events: Tensor) -> Tensor:
        out: Tensor = self.normalise(mixed, events)
        return out


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([Levels.TERNARY, Levels.BURST, Levels.POWER]),
    st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=12, max_size=12),
)
def test_normalising_adds_each_event_and_divides_each_row(
    levels: Levels, values: list[float]
) -> None:
    if levels is Levels.TERNARY:
        values = [min(value, 1.0) for value in values]
    events = torch.tensor(values).view(2, 2, 3)  # 2 steps, 2 queries, 3 keys
    model = Normalising(levels)
    (row,) = count_pass(model, lambda: model(torch.ones(2, 5), events), variant="ssa").layers
    units = sum(int(x) if levels is Levels.BURST else int(x != 0) for x in values)
    assert row.ops[Op.ADD] == units
    assert row.ops[Op.DIV] == 2
    assert row.ops[Op.MUL] == 2 * 5


def test_normalising_by_what_is_no_event_is_refused() -> None:
    model = Normalising(Levels.POWER)
    with pytest.raises(EventError, match="layer 'normalise' takes spikes"):
        count_pass(
            model, lambda: model(torch.ones(2, 5), torch.full((1, 2, 3), 0.3)), variant="ssa"
        )


@pytest.mark.parametrize("code", Code)
def test_one_threshold_codes_all_weights_and_reaches_to_the_largest(code: Code) -> None:
    spiking = choices(code).model_copy(update={"input_quantile": 0.9})
    core = SoftmaxCore(spiking, 4)
    assert core.weight_encoder.threshold.shape == (1,)
    assert core.weight_encoder.quantile == 1.0
    spiking = spiking.model_copy(update={"calibrate": Calibrate.MSE})
    assert SoftmaxCore(spiking, 4).weight_encoder.quantile is None
    if isinstance(core.weight_encoder, PowerOfTwo):
        assert core.weight_encoder.ceiling == 0.75
        weights = torch.rand(50, 1)
        assert core.weight_encoder.find_threshold(weights).item() == pytest.approx(DEAD_WEIGHT)


def test_the_coders_of_both_projections_feed_them(converted: Converted) -> None:
    block = converted(form=Form.SOFTMAX, code=Code.POW2).transformer.h[0].attn
    assert block.coded == [(block.encoder, [block.c_attn]), (block.mix_encoder, [block.c_proj])]


# Heads that share keys and values

SCALED = [code for code in Code if code.scaled]
SHARED = pytest.mark.parametrize(
    ("kind", "heads", "kv_heads"), [("llama", 4, 2), ("qwen2", 6, 2), ("mistral", 4, 1)]
)


class Watched:
    """One pass of the attention of the first layer: operands and results of its parts."""

    @torch.no_grad()
    def __init__(self, model: SpikingLanguageModel, tokens: int) -> None:
        self.block = model.model.layers[0].self_attn
        self.seen: dict[str, list[Any]] = {}
        handles = []
        for name, part in self.block.named_modules():

            def keep(_m: nn.Module, args: Any, out: Any, name: str = name) -> None:
                self.seen[name] = [*args, out]

            handles.append(part.register_forward_hook(keep))
        self.cache = DynamicCache(config=model.config)
        ids = torch.randint(0, 101, (2, tokens), generator=torch.Generator().manual_seed(1))
        model(ids, past_key_values=self.cache, use_cache=True)
        for handle in handles:
            handle.remove()
        *_, (self.q, self.k) = self.seen["core.rotary"]  # (B, H, S, D), (B, K, S, D)


@SHARED
@pytest.mark.parametrize("key_value", KeyValue)
@pytest.mark.parametrize("code", SPIKING)
@torch.no_grad()
def test_scores_are_those_of_decoded_queries_and_keys(
    converted: Converted,
    kind: str,
    heads: int,
    kv_heads: int,
    code: Code,
    key_value: KeyValue,
) -> None:
    how = {"form": Form.SOFTMAX, "code": code, "key_value": key_value}
    watched = Watched(converted(kind, timesteps=3, **how), 5)
    block, shared_by = watched.block, heads // kv_heads
    pooled = code in SCALED
    assert block.pooled is pooled
    assert block.query_encoder.channels == (8 * kv_heads if pooled else 8 * heads)
    keys = watched.k
    if key_value is KeyValue.STREAMED:
        coded = block.key_encoder(block.merge_heads(keys))
        keys = block.split_heads(block.key_encoder.decode(coded))
    scores = watched.seen["core.scores"][-1].reshape(2, heads, 5, 5)
    for head in range(heads):
        shared = head // shared_by
        # The thresholds of the cached head, or those of the head itself, one value at a time.
        own = shared if pooled else head
        part = slice(8 * own, 8 * own + 8)
        coder = copy.copy(block.query_encoder)
        coder._parameters = {"threshold": nn.Parameter(coder.threshold[part], False)}
        q = coder.decode(coder(watched.q[:, head]))
        expected = q @ keys[:, shared].transpose(-1, -2)
        torch.testing.assert_close(scores[:, head], expected, atol=1e-9, rtol=0)
    events = watched.seen["core.scores"][0]
    assert bool(events.any())
    # The worth of a query event waits in the cache, where one constant per channel is no cost.
    worth = block.query_encoder.scale
    stored = keys if worth is None else keys * worth.view(kv_heads, 1, 8)
    torch.testing.assert_close(watched.cache.layers[0].keys, stored)


@SHARED
@pytest.mark.parametrize("code", SCALED)
@torch.no_grad()
def test_a_shared_channel_has_the_range_of_all_queries_that_meet_it(
    converted: Converted, kind: str, heads: int, kv_heads: int, code: Code
) -> None:
    watched = Watched(converted(kind, "softmax", timesteps=3, code=code), 9)
    block = watched.block
    samples = torch.stack(
        [
            watched.q[:, g * heads // kv_heads : (g + 1) * heads // kv_heads, :, d].flatten()
            for g in range(kv_heads)
            for d in range(8)
        ],
        dim=1,
    )
    assert block._by_cached_head(block.merge_heads(watched.q)).shape[-1] == 8 * kv_heads
    found = block.query_encoder.find_threshold(samples)
    again = block.query_encoder.find_threshold(
        block._by_cached_head(block.merge_heads(watched.q)).flatten(0, 1)
    )
    torch.testing.assert_close(found, again)


@pytest.mark.parametrize("code", SPIKING)
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_the_core_of_shared_heads_is_that_of_repeated_ones(code: Code, masked: bool) -> None:
    q, k, v = operands(3, 5)
    events = torch.randint(-1, 2, (3, *q.shape), generator=torch.Generator().manual_seed(1)).float()
    k, v = k[:, :2], v[:, :2]  # 4 query heads, 2 cached ones
    mask = None
    if masked:
        mask = torch.ones(3, 5, dtype=torch.bool).tril(2).expand(2, 1, 3, 5).clone()
        mask[0, ..., 0] = False
    shared, own = SoftmaxCore(choices(code), 2, 2), SoftmaxCore(choices(code), 4)
    for core in (shared, own):
        core.weight_encoder.threshold.fill_(0.05)
    repeated = (x.repeat_interleave(2, dim=1) for x in (k, v))
    expected = own(events, *repeated, 0.3, mask)
    torch.testing.assert_close(shared(events, k, v, 0.3, mask), expected)


def test_fan_outs_and_macs_of_shared_heads(converted: Converted) -> None:
    block = converted("qwen2", "two streams", code="pow2").model.layers[0].self_attn
    # 48 channels of 6 heads, 16 of 2 cached heads that 3 share; of 9 tokens a query sees 5
    assert block.fan_outs(9) == [
        (block.encoder, 48 + 16 + 16),
        (block.query_encoder, 5),
        (block.key_encoder, 15),
        (block.value_encoder, 15),
        (block.core.weight_encoder, 8),
        (block.mix_encoder, 48),
    ]
    assert block.macs(9) == 48 * (2 * 48 + 2 * 16) + 2 * 48 * 9
    assert block.coded == [
        (block.encoder, [block.q_proj, block.k_proj, block.v_proj]),
        (block.mix_encoder, [block.o_proj]),
    ]
    stored = converted("qwen2", "softmax", code="pow2")
    names = [coder for coder, _ in stored.model.layers[0].self_attn.fan_outs(9)]
    assert len(names) == 4


# A dead zone of its own for each head


@pytest.mark.parametrize(("kv_heads", "shared_by"), [(4, 1), (2, 2), (1, 4)])
@torch.no_grad()
def test_each_head_has_a_dead_zone_of_its_own(kv_heads: int, shared_by: int) -> None:
    q, k, v = operands(5, 5)
    by_loss = choices(Code.POW2, 4).model_copy(update={"dead_zone": DeadZone.LOSS})
    core, plain = SoftmaxCore(by_loss, kv_heads, shared_by), SoftmaxCore(choices(Code.POW2, 4), 4)
    assert core.weight_encoder.threshold.shape == (4,)
    zones = torch.tensor([1e-4, 0.3, 0.03, 0.003])
    core.weight_encoder.threshold.copy_(zones)
    events = q.sign().expand(4, *q.shape)
    found = core(events, k[:, :kv_heads], v[:, :kv_heads], 0.3, None)
    repeated = [x[:, :kv_heads].repeat_interleave(shared_by, dim=1) for x in (k, v)]
    for head, zone in enumerate(zones):
        plain.weight_encoder.threshold.fill_(zone)
        expected = plain(events, *repeated, 0.3, None)[:, head]
        torch.testing.assert_close(found[:, head], expected)
    # the same with gradients, which take another way
    with torch.enable_grad():
        core.weight_encoder.threshold.requires_grad_(True)
        graded = core(events, k[:, :kv_heads], v[:, :kv_heads], 0.3, None)
        assert torch.equal(graded.detach(), found)
        graded.square().sum().backward()
    assert core.weight_encoder.threshold.grad is not None
    assert core.weight_encoder.threshold.grad.shape == (4,)
