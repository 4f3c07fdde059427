"""What holds for every form of attention under every code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, GPT2Config

from neurt.spiking.attention import SpikingAttention, grouped
from neurt.spiking.config import Attention, Code, KeyValue, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import SpikingGPT2LMHeadModel, SpikingLanguageModel

Converted = Callable[..., SpikingGPT2LMHeadModel]

CHOICES: dict[str, dict[str, Any]] = {
    "spikformer": {"attention": Attention.SPIKFORMER},
    "softmax": {"attention": Attention.SOFTMAX},
    "two streams": {"attention": Attention.SOFTMAX, "key_value": KeyValue.STREAMED},
}
FORMS = pytest.mark.parametrize("form", CHOICES)
CODES = pytest.mark.parametrize("code", Code)
TIGHT: dict[str, Any] = {"atol": 1e-9, "rtol": 0}  # float64


# A factor that is no ratio of small integers: a calibrated threshold is an event of some sample, so
# with a factor of 1 events meet thresholds in ties that the order of a sum decides.
UNTIED = 0.97


@pytest.fixture
def model(converted: Converted, form: str, code: Code) -> SpikingGPT2LMHeadModel:
    return converted(feedforward=code, timesteps=3, threshold=UNTIED, **CHOICES[form])


@FORMS
@CODES
@torch.no_grad()
def test_no_token_sees_the_future(model: SpikingGPT2LMHeadModel, token_ids: Tensor) -> None:
    changed = token_ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 101
    a, b = (model(ids, use_cache=False).logits for ids in (token_ids, changed))
    torch.testing.assert_close(a[:, :8], b[:, :8], **TIGHT)
    assert not torch.allclose(a[:, 8:], b[:, 8:], atol=1e-3)


@FORMS
@CODES
@torch.no_grad()
def test_decoding_token_by_token_gives_the_logits_of_the_whole_pass(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    whole = model(token_ids, use_cache=False).logits
    cache = DynamicCache(config=model.config)
    prompt = model(token_ids[:, :5], past_key_values=cache, use_cache=True).logits
    steps = [
        model(token_ids[:, i : i + 1], past_key_values=cache, use_cache=True).logits
        for i in range(5, 12)
    ]
    torch.testing.assert_close(torch.cat([prompt, *steps], dim=1), whole, **TIGHT)


@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
@pytest.mark.parametrize("split", [1, 7, 11])
@torch.no_grad()
def test_several_tokens_after_a_cache_see_it_and_each_other(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor, split: int
) -> None:
    whole = model(token_ids, use_cache=False).logits
    cache = DynamicCache(config=model.config)
    model(token_ids[:, :split], past_key_values=cache, use_cache=True)
    rest = model(token_ids[:, split:], past_key_values=cache, use_cache=True).logits
    torch.testing.assert_close(rest, whole[:, split:], **TIGHT)


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


@FORMS
@CODES
@torch.no_grad()
def test_left_padding_does_not_change_a_sequence(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    short = token_ids[:, :9]
    alone = model(short, use_cache=False).logits
    batch = left_padded(short, [3, 1])
    out = model(**batch, use_cache=False).logits
    torch.testing.assert_close(out[0, 3:], alone[0], **TIGHT)
    torch.testing.assert_close(out[1, 1:10], alone[1], **TIGHT)
    # Attention at the paddings stays finite, or their keys would poison those that see them.
    assert bool(torch.isfinite(out).all())


@FORMS
@CODES
@torch.no_grad()
def test_left_padding_with_a_cache_does_not_change_a_sequence(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor
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


@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
@pytest.mark.parametrize("rows", [1, 2])
@torch.no_grad()
def test_a_mask_of_query_key_pairs_is_taken_as_it_is(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor, rows: int
) -> None:
    # One mask for all sequences, or one for each, as booleans.
    mask = torch.ones(12, 12, dtype=torch.bool).tril().expand(rows, 1, 12, 12)
    whole = model(token_ids, use_cache=False).logits
    masked = model(token_ids, attention_mask=mask, use_cache=False).logits
    torch.testing.assert_close(masked, whole, **TIGHT)


@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
@torch.no_grad()
def test_eager_and_sdpa_masks_mean_the_same(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    batch = left_padded(token_ids[:, :9], [3, 1])
    default = model(**batch, use_cache=False).logits
    own = model.config._attn_implementation
    assert own == "sdpa"
    try:
        model.set_attn_implementation("eager")  # additive masks
        assert torch.equal(model(**batch, use_cache=False).logits, default)
    finally:
        model.set_attn_implementation(own)


@FORMS
@CODES
@torch.no_grad()
def test_greedy_generation_is_the_loop_over_the_most_likely_token(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor
) -> None:
    expected = token_ids[:, :5]
    for _ in range(6):
        logits = model(expected, use_cache=False).logits[:, -1]
        expected = torch.cat([expected, logits.argmax(-1, keepdim=True)], dim=1)
    for use_cache in (True, False):
        found = model.generate(
            token_ids[:, :5],
            attention_mask=torch.ones(2, 5, dtype=torch.long),
            max_new_tokens=6,
            do_sample=False,
            use_cache=use_cache,
            pad_token_id=0,
        )
        assert torch.equal(found, expected), use_cache


@FORMS
@pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.POW2])
def test_beam_search_finds_the_same_with_a_cache_that_it_reorders(
    model: SpikingGPT2LMHeadModel, token_ids: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    reordered: list[bool] = []
    reorder = DynamicCache.reorder_cache

    def watch(cache: DynamicCache, beams: Tensor) -> None:
        reordered.append(beams.tolist() != list(range(len(beams))))
        reorder(cache, beams)

    monkeypatch.setattr(DynamicCache, "reorder_cache", watch)
    found = [
        model.generate(
            token_ids[:, :5],
            attention_mask=torch.ones(2, 5, dtype=torch.long),
            max_new_tokens=6,
            num_beams=3,
            num_return_sequences=3,
            do_sample=False,
            use_cache=use_cache,
            pad_token_id=0,
        )
        for use_cache in (False, True)
    ]
    assert any(reordered)
    assert torch.equal(*found)


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


# Heads that share cached ones, rotary positions, three projections

Decoders = Callable[..., SpikingLanguageModel]
SHARED = pytest.mark.parametrize(
    ("kind", "heads", "kv_heads"),
    [("llama", 4, 2), ("qwen2", 6, 2), ("mistral", 4, 1), ("llama", 4, 4)],
    ids=["two share one", "three share one", "all share one", "each its own"],
)
GROUPED_CODES = pytest.mark.parametrize("code", [Code.SIGNED_IF, Code.SAR, Code.POW2, Code.EXACT])


@pytest.fixture
def rotary_model(
    converted_decoder: Decoders, kind: str, heads: int, kv_heads: int, form: str, code: Code
) -> SpikingLanguageModel:
    return converted_decoder(
        kind, heads, kv_heads, feedforward=code, timesteps=3, threshold=UNTIED, **CHOICES[form]
    )


@FORMS
@SHARED
@GROUPED_CODES
@torch.no_grad()
def test_sharing_heads_see_neither_the_future_nor_padding(
    rotary_model: SpikingLanguageModel, token_ids: Tensor
) -> None:
    alone = rotary_model(token_ids, use_cache=False).logits
    changed = token_ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 101
    other = rotary_model(changed, use_cache=False).logits
    torch.testing.assert_close(other[:, :8], alone[:, :8], **TIGHT)
    assert not torch.allclose(other[:, 8:], alone[:, 8:], atol=1e-3)
    padded = rotary_model(**left_padded(token_ids[:, :9], [3, 1]), use_cache=False).logits
    torch.testing.assert_close(padded[0, 3:], alone[0, :9], **TIGHT)
    torch.testing.assert_close(padded[1, 1:10], alone[1, :9], **TIGHT)
    assert bool(torch.isfinite(padded).all())


@FORMS
@SHARED
@GROUPED_CODES
@torch.no_grad()
def test_sharing_heads_decode_through_a_cache_that_holds_them_once(
    rotary_model: SpikingLanguageModel, token_ids: Tensor, kv_heads: int, form: str
) -> None:
    whole = rotary_model(token_ids, use_cache=False).logits
    cache = DynamicCache(config=rotary_model.config)
    pieces = [
        rotary_model(token_ids[:, start:stop], past_key_values=cache, use_cache=True).logits
        for start, stop in ((0, 5), (5, 6), (6, 9), (9, 10), (10, 12))
    ]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, **TIGHT)
    # Spikformer folds its three steps into the heads.
    folded = 3 if form == "spikformer" else 1
    assert cache.layers[1].keys.shape == (2, folded * kv_heads, 12, 8)
    assert cache.layers[1].values.shape == (2, folded * kv_heads, 12, 8)


@FORMS
@SHARED
@pytest.mark.parametrize("code", [Code.SAR, Code.POW2])
def test_sharing_heads_generate_a_padded_batch_with_and_without_a_cache(
    rotary_model: SpikingLanguageModel, token_ids: Tensor
) -> None:
    batch = left_padded(token_ids[:, :5], [2, 0])
    how = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    found = [
        rotary_model.generate(
            batch["input_ids"],
            attention_mask=batch["attention_mask"],
            use_cache=use_cache,
            num_beams=beams,
            **how,
        )
        for use_cache in (True, False)
        for beams in (1, 3)
    ]
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])
    # Padding in front of the shorter one changes nothing: as it is generated alone.
    alone = rotary_model.generate(
        token_ids[:1, :5], attention_mask=torch.ones(1, 5, dtype=torch.long), **how
    )
    assert torch.equal(found[0][:1, 2:], alone)


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
    exact = SpikingConfig(attention=Attention.SOFTMAX, feedforward=Code.EXACT, timesteps=2)
    model = convert(analog, exact, [token_ids])
    expected = analog(token_ids, use_cache=False).logits
    torch.testing.assert_close(model(token_ids, use_cache=False).logits, expected, **TIGHT)
    cache = DynamicCache(config=model.config)
    steps = [
        model(token_ids[:, i : i + 1], past_key_values=cache, use_cache=True).logits
        for i in range(12)
    ]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, **TIGHT)
