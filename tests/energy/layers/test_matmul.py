from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from energy import Attention, Conventions, EventError, Levels, MatMul, Tally, tally_call
from energy.layers.matmul import AttentionCore, ScaledSoftmax
from hwmodels import Op

Side = Literal["left", "right"]
Role = Literal["scores", "mix"]


def spikes(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, generator=generator).float()


def tally_of(layer: MatMul, left: Tensor, right: Tensor, conventions: Conventions) -> Tally:
    rows = tally_call(layer, "product", (left, right), layer(left, right), conventions)
    assert list(rows) == [""]
    return rows[""]


@pytest.mark.parametrize("streaming", ["left", "right"])
@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("coincidences", [False, True])
def test_with_a_spike_in_every_slot_there_is_an_event_for_every_dense_mac(
    streaming: Side, attention: Attention, coincidences: bool
) -> None:
    conventions = Conventions(attention, coincidences)
    layer = MatMul("both", "scores", streaming)
    tally = tally_of(layer, torch.ones(2, 3, 4), torch.ones(2, 4, 5), conventions)
    seen = 15 if attention is Attention.FULL else 3 + 4 + 5
    assert tally.ops[Op.AC] == tally.dense_macs == 2 * seen * 4


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (1, 6, 4, 5))],
    ids=["broadcast right", "broadcast left", "broadcast both"],
)
@pytest.mark.parametrize("streaming", ["left", "right"])
def test_a_broadcast_operand_is_charged_for_each_product_it_enters(
    left: tuple[int, ...], right: tuple[int, ...], streaming: Side
) -> None:
    layer = MatMul(streaming)
    tally = tally_of(layer, torch.ones(left), torch.ones(right), Conventions())
    assert tally.ops[Op.AC] == tally.dense_macs


def test_coincidences_are_events_that_meet_a_non_zero_even_an_analog_one() -> None:
    left, right = torch.tensor([[0.0, 2.5, 0.0]]), torch.ones(3, 2)
    for coincidences, accumulates in ((False, 6), (True, 2)):
        conventions = Conventions(coincidences=coincidences)
        # 6 spikes on the right, 1 query; only those of key 1 meet a weight, on 2 columns
        assert tally_of(MatMul("right"), left, right, conventions).ops[Op.AC] == accumulates


@pytest.mark.parametrize("events", ["left", "right", "both"])
@pytest.mark.parametrize("role", ["scores", "mix", None])
def test_an_empty_batch_counts_nothing(events: Any, role: Role | None) -> None:
    layer = MatMul(events, role)
    tally = tally_of(layer, torch.zeros(0, 3, 4), torch.zeros(0, 4, 4), Conventions())
    assert (tally.ops[Op.AC], tally.dense_macs, tally.spikes, tally.slots) == (0, 0, 0, 0)


def test_a_dense_product_counts_macs() -> None:
    tally = tally_of(MatMul(), torch.zeros(2, 3, 4), torch.zeros(2, 4, 5), Conventions())
    assert tally.ops[Op.MAC] == tally.dense_macs == 120  # 2 x 3 x 4 x 5, zeros or not
    assert Op.AC not in tally.ops
    assert tally.slots == 0


@pytest.mark.parametrize(("attention", "seen"), [("full", 10), ("causal", 4 + 5)])
@pytest.mark.parametrize(
    ("role", "left", "right"),
    [("scores", (3, 2, 4), (3, 4, 5)), ("mix", (3, 2, 5), (3, 5, 4))],
)
def test_a_dense_product_with_a_role_follows_the_mask(
    role: Role, left: tuple[int, ...], right: tuple[int, ...], attention: str, seen: int
) -> None:
    # 3 heads, 2 queries, 5 keys, width 4
    conventions = Conventions(Attention(attention))
    tally = tally_of(MatMul(role=role), torch.rand(left), torch.rand(right), conventions)
    assert tally.ops[Op.MAC] == tally.dense_macs == 3 * seen * 4
    assert tally.ops[Op.KV_READ] == 3 * 5 * 4
    assert tally.ops[Op.KV_WRITE] == 3 * 2 * 4


@pytest.mark.parametrize("role", ["scores", "mix"])
def test_analog_keys_and_values_are_not_read_as_packed_spikes(role: Role) -> None:
    tally = tally_of(MatMul("left", role), spikes(1, 2, 8), torch.rand(1, 8, 5), Conventions())
    assert tally.ops.get(Op.KV_READ, 0) == 40  # 8 x 5 values
    assert tally.ops.get(Op.KV_SPIKE_READ, 0) == 0


@pytest.mark.parametrize(
    ("events", "at_fault"), [("left", "left"), ("right", "right"), ("both", "right")]
)
@pytest.mark.parametrize("stranger", [0.5, -1.0, 2.0, float("nan"), float("inf")])
def test_an_operand_that_holds_no_spikes_is_refused(
    events: Any, at_fault: str, stranger: float
) -> None:
    operands = {"left": spikes(1, 3, 4), "right": spikes(1, 4, 5)}
    operands[at_fault][0, 0, 0] = stranger
    with pytest.raises(EventError, match=r"layer 'product' takes spikes, but 1 of (12|20) inputs"):
        tally_of(MatMul(events), operands["left"], operands["right"], Conventions())


@pytest.mark.parametrize(
    ("events", "streaming", "expected"),
    [("left", "right", "left"), ("right", "left", "right"), ("both", "right", "right")],
)
def test_a_single_spike_operand_is_the_streaming_one(
    events: Any, streaming: Any, expected: str
) -> None:
    layer = MatMul(events, streaming=streaming)
    assert layer.streaming == expected
    assert f"events='{events}', role=None, streaming='{expected}'" in repr(layer)


def test_a_product_is_the_product() -> None:
    left, right = torch.rand(2, 3, 4), torch.rand(2, 4, 5)
    assert torch.equal(MatMul()(left, right), left @ right)


def test_an_accumulating_product_is_the_sum_of_the_products_of_the_steps() -> None:
    torch.manual_seed(0)
    left, right = torch.randint(-1, 2, (3, 2, 4, 5)).double(), torch.randn(2, 5, 6).double()
    layer = MatMul("left", levels=Levels.TERNARY, accumulate=True)
    expected = sum(step @ right for step in left)
    torch.testing.assert_close(layer(left, right), expected)
    layer.unfolded = True
    torch.testing.assert_close(layer(left, right), expected)


@pytest.mark.parametrize("attention", Attention)
@pytest.mark.parametrize("role", ["scores", "mix"])
def test_steps_that_accumulate_read_the_cache_once_and_write_one_result(
    role: Role, attention: Attention
) -> None:
    # 4 steps, 3 heads, 2 queries, 5 keys, width 8; causal queries see 4 and 5 keys
    left, right = ((4, 3, 2, 8), (3, 8, 5)) if role == "scores" else ((4, 3, 2, 5), (3, 5, 8))
    layer = MatMul("left", role, levels=Levels.POWER, accumulate=True)
    tally = tally_of(layer, torch.ones(left), torch.ones(right), Conventions(attention))
    seen = 3 * (10 if attention is Attention.FULL else 9)
    vectors = 3 * 2 * 8
    read, written = (vectors, seen) if role == "scores" else (seen, vectors)
    assert tally.dense_macs == 4 * seen * 8
    assert tally.ops[Op.SPIKE_READ] == 4 * read  # slots of each step
    assert tally.ops[Op.ACTIVATION_WRITE] == written
    assert tally.ops[Op.KV_READ] == 3 * 5 * 8
    assert tally.ops[Op.KV_WRITE] == 3 * 2 * 8


@pytest.mark.parametrize("mask_type", ["none", "boolean", "additive"])
@pytest.mark.parametrize("past", [0, 3])
def test_softmax_looks_only_at_visible_keys(mask_type: str, past: int) -> None:
    torch.manual_seed(0)
    scores = torch.randn(2, 4, 4 + past)
    visible = torch.ones(4, 4 + past, dtype=torch.bool).tril(past)
    mask = {
        "none": None,
        "boolean": visible,
        "additive": torch.zeros(4, 4 + past).masked_fill(~visible, float("-inf")),
    }[mask_type]
    weights = ScaledSoftmax()(scores, 0.5, mask)
    powers = (scores * 0.5).exp() * visible
    torch.testing.assert_close(weights, powers / powers.sum(-1, keepdim=True))


def grouped_attention(
    owner: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **kwargs: Any
) -> tuple[Tensor, None]:
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, scale=kwargs["scaling"], is_causal=True, enable_gqa=True
    )
    return out.transpose(1, 2), None


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_unfused_attention_is_the_kernel_for_grouped_heads_too(kv_heads: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 4, 5, 8)
    key, value = torch.randn(2, 2, kv_heads, 5, 8).unbind()
    core = AttentionCore(grouped_attention).eval()
    fused, _ = core(query, key, value, None, owner=core, scaling=0.3)
    core.fused = False
    unfused, weights = core(query, key, value, None, owner=core, scaling=0.3)
    torch.testing.assert_close(unfused, fused)
    assert weights.shape == (2, 4, 5, 5)


class Owner(nn.Module):
    """An attention module, as its core sees it."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__()
        self.is_causal = causal


@pytest.mark.parametrize("causal", [True, False])
def test_without_a_mask_the_owner_says_whether_attention_is_causal(causal: bool) -> None:
    core = AttentionCore(None)
    core.fused = False
    query = torch.rand(1, 2, 3, 4)
    _, weights = core(query, query, query, None, owner=Owner(causal=causal), scaling=0.5)
    assert weights is not None
    assert bool((weights.triu(1) == 0).all()) is causal
    assert core.mix.causal is core.softmax.causal is core.scores.causal is causal


@pytest.mark.parametrize("causal", [True, False])
def test_a_causal_count_of_a_bidirectional_product_has_all_pairs(causal: bool) -> None:
    layer, x = MatMul(role="scores"), torch.rand(2, 3, 4)
    layer.causal = causal
    tally = tally_of(layer, x, x.mT, Conventions(Attention.CAUSAL))
    assert tally.ops[Op.MAC] == 2 * 4 * (6 if causal else 9)


def test_scores_are_capped_as_asked() -> None:
    core = AttentionCore(None)
    core.fused = False
    query = 9 * torch.rand(1, 2, 3, 4)
    how: Any = {"owner": Owner(causal=False), "scaling": 0.5}
    _, weights = core(query, query, query, None, softcap=2.0, **how)
    expected = (2 * (query @ query.mT / 4).tanh()).softmax(-1)
    torch.testing.assert_close(weights, expected)
    assert core.capped
    core(query, query, query, None, **how)
    assert not core.capped


def test_a_cap_reaches_the_kernel_only_where_there_is_one() -> None:
    seen: list[dict[str, Any]] = []
    core = AttentionCore(lambda *_, **words: seen.append(words) or (None, None))
    x = torch.rand(1, 2, 3, 4)
    for softcap in (None, 2.0):
        core(x, x, x, None, owner=Owner(causal=True), scaling=0.5, softcap=softcap)
    assert [words.get("softcap") for words in seen] == [None, 2.0]
    assert "softcap" not in seen[0]


def test_sinks_take_part_in_the_sum_and_a_bias_is_added() -> None:
    core, x = AttentionCore(None), torch.rand(1, 2, 3, 4)
    core.fused = False
    sinks, bias = torch.tensor([0.5, -1.0]), torch.rand(1, 2, 3, 3)
    given: Any = {"owner": Owner(causal=False), "scaling": 0.5}
    _, weights = core(x, x, x, None, **given, s_aux=sinks, position_bias=bias)
    scores = x @ x.mT * 0.5 + bias
    raised = scores.exp()
    expected = raised / (raised.sum(-1, keepdim=True) + sinks.exp()[:, None, None])
    torch.testing.assert_close(weights, expected)
    assert core.sinks == 2
