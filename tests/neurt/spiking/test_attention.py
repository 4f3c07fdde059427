"""What holds for every form of attention under every code."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, GPT2Config

from neurt.spiking.attention import SpikingAttention, grouped
from neurt.spiking.config import Code, Form, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import SpikingLanguageModel

#: Every code with heads of their own; where heads share cached ones, a code of each kind.
CASES = pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("gpt2", code) for code in Code),
        *(
            (kind, code)
            for kind in ("llama", "qwen2", "mistral")
            for code in (Code.SIGNED_IF, Code.SAR, Code.POW2, Code.EXACT)
        ),
        ("llama, own", Code.POW2),
    ],
)
TWO_CODES = pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
GPT2 = pytest.mark.parametrize("kind", ["gpt2"])
TIGHT: dict[str, Any] = {"atol": 1e-9, "rtol": 0}  # float64


@pytest.fixture
def model(
    converted: Callable[..., SpikingLanguageModel], kind: str, form: str, code: Code
) -> SpikingLanguageModel:
    # A factor that is no ratio of small integers: a calibrated threshold is an event of some
    # sample, so with a factor of 1 events meet thresholds in ties that the order of a sum decides.
    return converted(kind, form, code=code, timesteps=3, threshold=0.97)


@CASES
@torch.no_grad()
def test_no_token_sees_the_future(model: SpikingLanguageModel, token_ids: Tensor) -> None:
    changed = token_ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 101
    a, b = (model(ids, use_cache=False).logits for ids in (token_ids, changed))
    torch.testing.assert_close(a[:, :8], b[:, :8], **TIGHT)
    assert not torch.allclose(a[:, 8:], b[:, 8:], atol=1e-3)


@CASES
@torch.no_grad()
def test_decoding_through_a_cache_gives_the_logits_of_the_whole_pass(
    model: SpikingLanguageModel, token_ids: Tensor, kind: str, form: str
) -> None:
    whole = model(token_ids, use_cache=False).logits
    cache = DynamicCache(config=model.config)
    pieces = [
        model(token_ids[:, start:stop], past_key_values=cache, use_cache=True).logits
        for start, stop in pairwise((0, 1, 5, 6, 7, 10, 11, 12))
    ]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, **TIGHT)
    # It holds heads that are shared once. Spikformer folds its three steps into them.
    kv_heads = {"llama": 2, "qwen2": 2, "mistral": 1}.get(kind, 4)
    folded = 3 if form == "spikformer" else 1
    for stored in (cache.layers[1].keys, cache.layers[1].values):
        assert stored.shape == (2, folded * kv_heads, 12, 8)


def left_padded(token_ids: Tensor, pads: list[int]) -> dict[str, Tensor]:
    """Each sequence with so many paddings in front of it, and the mask that hides them."""
    longest = max(pads) + token_ids.shape[1]
    ids = torch.full((len(pads), longest), 100)
    mask = torch.zeros(len(pads), longest, dtype=torch.long)
    for row, pad in enumerate(pads):
        tokens = token_ids[row, : longest - pad]
        ids[row, pad : pad + len(tokens)] = tokens
        mask[row, pad : pad + len(tokens)] = 1
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


@CASES
@torch.no_grad()
def test_left_padding_does_not_change_a_sequence(
    model: SpikingLanguageModel, token_ids: Tensor
) -> None:
    short = token_ids[:, :9]
    alone = model(short, use_cache=False).logits
    batch = left_padded(short, [3, 1])
    out = model(**batch, use_cache=False).logits
    torch.testing.assert_close(out[0, 3:], alone[0], **TIGHT)
    torch.testing.assert_close(out[1, 1:10], alone[1], **TIGHT)
    # Attention at the paddings stays finite, or their keys would poison those that see them.
    assert bool(torch.isfinite(out).all())


@GPT2
@torch.no_grad()
def test_left_padding_with_a_cache_does_not_change_a_sequence(
    model: SpikingLanguageModel, token_ids: Tensor
) -> None:
    alone = model(token_ids[:1], use_cache=False).logits
    batch = left_padded(token_ids[:1], [3])
    cache = DynamicCache(config=model.config)
    pieces = []
    for start, stop in ((0, 9), (9, 10), (10, 15)):
        now = {key: x[:, start:stop] for key, x in batch.items()}
        now["attention_mask"] = batch["attention_mask"][:, :stop]
        pieces.append(model(**now, past_key_values=cache, use_cache=True).logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1)[:, 3:], alone, **TIGHT)


@GPT2
@TWO_CODES
@pytest.mark.parametrize("rows", [1, 2])
@torch.no_grad()
def test_a_mask_of_query_key_pairs_is_taken_as_it_is(
    model: SpikingLanguageModel, token_ids: Tensor, rows: int
) -> None:
    # One mask for all sequences, or one for each, as booleans.
    mask = torch.ones(12, 12, dtype=torch.bool).tril().expand(rows, 1, 12, 12)
    whole = model(token_ids, use_cache=False).logits
    masked = model(token_ids, attention_mask=mask, use_cache=False).logits
    torch.testing.assert_close(masked, whole, **TIGHT)


@GPT2
@TWO_CODES
@torch.no_grad()
def test_eager_and_sdpa_masks_mean_the_same(model: SpikingLanguageModel, token_ids: Tensor) -> None:
    batch = left_padded(token_ids[:, :9], [3, 1])
    default = model(**batch, use_cache=False).logits
    own = model.config._attn_implementation
    assert own == "sdpa"
    try:
        model.set_attn_implementation("eager")  # additive masks
        assert torch.equal(model(**batch, use_cache=False).logits, default)
    finally:
        model.set_attn_implementation(own)


GREEDY: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}


@GPT2
@torch.no_grad()
def test_greedy_generation_is_the_loop_over_the_most_likely_token(
    model: SpikingLanguageModel, token_ids: Tensor
) -> None:
    expected = token_ids[:, :5]
    for _ in range(6):
        logits = model(expected, use_cache=False).logits[:, -1]
        expected = torch.cat([expected, logits.argmax(-1, keepdim=True)], dim=1)
    mask = torch.ones(2, 5, dtype=torch.long)
    for use_cache in (True, False):
        how = GREEDY | {"attention_mask": mask, "use_cache": use_cache}
        assert torch.equal(model.generate(token_ids[:, :5], **how), expected), use_cache


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("gpt2", Code.SIGNED_IF),
        *((k, c) for k in ("gpt2", "llama", "qwen2", "mistral") for c in (Code.SAR, Code.POW2)),
    ],
)
def test_a_padded_batch_is_generated_the_same_with_a_cache_that_beams_reorder(
    model: SpikingLanguageModel, token_ids: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    reordered: list[bool] = []
    reorder = DynamicCache.reorder_cache

    def watch(cache: DynamicCache, beams: Tensor) -> None:
        reordered.append(beams.tolist() != list(range(len(beams))))
        reorder(cache, beams)

    monkeypatch.setattr(DynamicCache, "reorder_cache", watch)
    batch = left_padded(token_ids[:, :5], [2, 0])
    ids, mask = batch["input_ids"], batch["attention_mask"]
    for beams in (1, 3):
        how = {"attention_mask": mask, "num_beams": beams, "num_return_sequences": beams}
        cached, whole = (model.generate(ids, use_cache=c, **GREEDY | how) for c in (True, False))
        assert torch.equal(cached, whole)
        if beams == 1:  # padding in front of the shorter one changes nothing
            alone = model.generate(
                token_ids[:1, :5], attention_mask=torch.ones(1, 5, dtype=torch.long), **GREEDY
            )
            assert torch.equal(cached[:1, 2:], alone)
    assert any(reordered)


def test_heads_are_slices_of_the_width() -> None:
    attention = SpikingAttention(GPT2Config(n_embd=6, n_head=3), 0)
    x = torch.arange(2 * 4 * 6.0).view(2, 4, 6)
    heads = attention.split_heads(x)
    assert heads.shape == (2, 3, 4, 2)
    for head in range(3):
        assert torch.equal(heads[:, head], x[..., 2 * head : 2 * head + 2])
    assert torch.equal(attention.merge_heads(heads), x)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (None, None),
        (torch.tensor([[True, False]]), [[True, False]]),
        (torch.tensor([[0.0, -3e38]]), [[True, False]]),
        (torch.tensor([[0.0, float("-inf")]]), [[True, False]]),
    ],
    ids=["none", "boolean", "additive", "minus infinity"],
)
def test_a_form_is_told_what_a_query_may_see(given: Tensor | None, seen: Any) -> None:
    class Recording(SpikingAttention):
        def attend(self, x: Tensor, cache: Any, mask: Tensor | None, angles: Any) -> Tensor:
            self.mask = mask
            return x

    attention = Recording(GPT2Config(n_embd=6, n_head=3), 0).eval()
    x = torch.ones(1, 2, 6)
    out, weights = attention(x, None, given)
    assert torch.equal(out, x)
    assert weights is None
    assert (None if attention.mask is None else attention.mask.tolist()) == seen


def test_a_form_must_say_how_it_attends_and_what_it_codes() -> None:
    attention = SpikingAttention(GPT2Config(n_embd=6, n_head=3), 0)
    with pytest.raises(NotImplementedError):
        attention(torch.ones(1, 2, 6))
    with pytest.raises(NotImplementedError):
        _ = attention.coded


def test_query_heads_of_a_group_meet_the_head_that_they_share() -> None:
    q = torch.arange(6.0).view(1, 6, 1, 1)
    k = torch.tensor([10.0, 20]).view(1, 2, 1, 1)
    left, right, _ = grouped(q, k, k)
    # heads 0, 1, 2 share the first, 3, 4, 5 the second
    assert (left * right).flatten().tolist() == [0, 10, 20, 60, 80, 100]
    own = torch.ones(1, 6, 1, 1)
    assert all(a is b for a, b in zip(grouped(q, own, own), (q, own, own), strict=True))


@pytest.mark.parametrize("window", [2, 5])
@torch.no_grad()
def test_a_sliding_window_hides_what_is_long_ago(
    decoder: Callable[..., Any], token_ids: Tensor, window: int
) -> None:
    analog = decoder("mistral", dtype=torch.float64, sliding_window=window)
    exact = SpikingConfig(form=Form.SOFTMAX, code=Code.EXACT, timesteps=2)
    model = convert(analog, exact, [token_ids])
    expected = analog(token_ids, use_cache=False).logits
    torch.testing.assert_close(model(token_ids, use_cache=False).logits, expected, **TIGHT)
    cache = DynamicCache(config=model.config)
    steps = [
        model(token_ids[:, i : i + 1], past_key_values=cache, use_cache=True).logits
        for i in range(12)
    ]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, **TIGHT)
