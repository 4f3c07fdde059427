from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from energy import Attention, Conventions, EventError, Levels, MatMul, Tally, tally_call
from energy.matmul import AttentionCore, ScaledSoftmax
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


@dataclass(frozen=True)
class Case:
    """A product of one or two spike operands and how it is to be counted."""

    events: Literal["left", "right", "both"]
    role: Role | None
    streaming: Side
    conventions: Conventions
    left: Tensor
    right: Tensor

    @property
    def layer(self) -> MatMul:
        return MatMul(self.events, self.role, self.streaming)

    def meetings(self) -> list[tuple[bool, bool]]:
        """For each visible (left entry, right entry) that meet: which of the two are non-zero."""
        batch, queries, inner = self.left.shape
        columns = self.right.shape[-1]
        keys = columns if self.role == "scores" else inner
        left, right = self.left.tolist(), self.right.tolist()
        found = []
        for b, i, k, j in product(range(batch), range(queries), range(inner), range(columns)):
            key = j if self.role == "scores" else k
            masked = self.role is not None and self.conventions.attention is Attention.CAUSAL
            if not masked or key <= keys - queries + i:
                found.append((left[b][i][k] != 0, right[b][k][j] != 0))
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    events = draw(st.sampled_from(["left", "right", "both"]))
    role = draw(st.sampled_from(["scores", "mix", None]))
    streaming = events if events != "both" else draw(st.sampled_from(["left", "right"]))
    coincidences = draw(st.booleans())
    batch, queries, past, width = (draw(st.integers(low, 4)) for low in (1, 1, 0, 1))
    keys = past + queries
    inner, columns = {
        "scores": (width, keys),
        "mix": (keys, width),
        None: (width, draw(st.integers(1, 4))),
    }[role]

    def operand(*shape: int, binary: bool) -> Tensor:
        size = torch.Size(shape).numel()
        values = st.sampled_from([0.0, 1.0] if binary else [-1.5, 0.0, 2.0])
        flat = draw(st.lists(values, min_size=size, max_size=size))
        return torch.tensor(flat).reshape(shape)

    left = operand(batch, queries, inner, binary=events != "right")
    right = operand(batch, inner, columns, binary=events != "left")
    if role == "mix":  # attention weights are zero where a query may not see
        left = left.tril(keys - queries)
    attention = draw(st.sampled_from(Attention))
    return Case(events, role, streaming, Conventions(attention, coincidences), left, right)


@settings(deadline=None, max_examples=300)
@given(cases())
def test_accumulates_are_counted_as_by_loops_over_the_events(case: Case) -> None:
    meetings = case.meetings()
    if case.conventions.coincidences:
        accumulates = sum(left and right for left, right in meetings)
    else:
        accumulates = sum(left if case.streaming == "left" else right for left, right in meetings)
    tally = tally_of(case.layer, case.left, case.right, case.conventions)
    assert tally.ops[Op.AC] == accumulates
    assert Op.MAC not in tally.ops
    assert tally.dense_macs == len(meetings)


@settings(deadline=None, max_examples=100)
@given(cases())
def test_spikes_and_slots_are_those_of_the_streaming_operand(case: Case) -> None:
    tally = tally_of(case.layer, case.left, case.right, case.conventions)
    operand = case.left if case.streaming == "left" else case.right
    assert (tally.spikes, tally.slots) == (int((operand != 0).sum()), operand.numel())


@settings(deadline=None, max_examples=60)
@given(cases())
def test_every_count_of_an_event_product_is_an_integer(case: Case) -> None:
    tally = tally_of(case.layer, case.left, case.right, case.conventions)
    numbers = [*tally.ops.values(), tally.dense_macs, tally.spikes, tally.slots]
    assert {type(number) for number in numbers} == {int}


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
    assert tally.ops[Op.KV_READ] == 3 * 5 * 4 * 4
    assert tally.ops[Op.KV_WRITE] == 3 * 2 * 4 * 4


@pytest.mark.parametrize("role", ["scores", "mix"])
def test_analog_keys_and_values_are_not_read_as_packed_spikes(role: Role) -> None:
    tally = tally_of(MatMul("left", role), spikes(1, 2, 8), torch.rand(1, 8, 5), Conventions())
    assert tally.ops.get(Op.KV_READ, 0) == 160  # 8 x 5 values x 4 bytes
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
    ("levels", "values", "events"),
    [
        (Levels.BINARY, [0, 1, 1, 0], 2),
        (Levels.BINARY, [0, 0], 0),
        (Levels.BINARY, [-0.0, 1], 1),
        (Levels.TERNARY, [-1, 0, 1, -1], 3),
        (Levels.TERNARY, [-0.0, -1, 1], 2),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_events_are_the_entries_that_are_not_zero(
    levels: Levels, values: list[float], events: int, dtype: torch.dtype
) -> None:
    assert levels.count_events(torch.tensor(values).to(dtype), "x") == events


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=12, max_size=12), st.booleans())
def test_ternary_events_are_counted_in_any_memory_layout(values: list[float], flip: bool) -> None:
    operand = torch.tensor(values).reshape(3, 4)
    operand = operand.T if flip else operand[:, ::2]
    expected = sum(value != 0 for row in operand.tolist() for value in row)
    assert Levels.TERNARY.count_events(operand, "x") == expected


@pytest.mark.parametrize("levels", Levels)
def test_a_tensor_without_entries_holds_no_events(levels: Levels) -> None:
    assert levels.count_events(torch.zeros(0, 4), "x") == 0


@pytest.mark.parametrize(
    ("levels", "values", "strangers", "allowed", "low", "high"),
    [
        (Levels.BINARY, [0.5, 1, -2, 0], 2, "not 0 or 1 ", "-2", "1"),
        (Levels.BINARY, [-1, 1, 0, 0], 1, "not 0 or 1 ", "-1", "1"),
        (Levels.BINARY, [0.25, 0.5, 0.75, 0], 3, "not 0 or 1 ", "0", "0.75"),
        (Levels.BINARY, [1.0000001, 1, 1, 0], 1, "not 0 or 1 ", "0", "1"),
        (Levels.BINARY, [256, 1, 1, 0], 1, "not 0 or 1 ", "0", "256"),
        (Levels.TERNARY, [-1, 1, 0, 2], 1, "not -1, 0 or 1 ", "-1", "2"),
        (Levels.TERNARY, [-0.5, 1, 0, -1], 1, "not -1, 0 or 1 ", "-1", "1"),
    ],
)
def test_a_value_that_is_no_level_is_refused_with_the_range(
    levels: Levels, values: list[float], strangers: int, allowed: str, low: str, high: str
) -> None:
    with pytest.raises(EventError) as caught:
        levels.count_events(torch.tensor(values), "encoder")
    message = str(caught.value)
    assert f"layer 'encoder' takes spikes, but {strangers} of 4 inputs" in message
    assert allowed in message
    assert f"(range {low} .. {high})" in message


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(Levels),
    st.lists(st.floats(width=32) | st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=6),
)
def test_events_are_accepted_exactly_where_every_value_is_a_level(
    levels: Levels, values: list[float]
) -> None:
    allowed = {0.0, 1.0} if levels is Levels.BINARY else {-1.0, 0.0, 1.0}
    if set(values) <= allowed:
        expected = sum(value != 0 for value in values)
        assert levels.count_events(torch.tensor(values), "x") == expected
    else:
        with pytest.raises(EventError, match="layer 'x'"):
            levels.count_events(torch.tensor(values), "x")


def test_a_tensor_that_changed_in_place_is_counted_again() -> None:
    operand = torch.ones(2, 3)
    assert Levels.BINARY.count_events(operand, "x") == 6
    operand[0] = 0
    assert Levels.BINARY.count_events(operand, "x") == 3
    operand[0, 0] = 0.5
    with pytest.raises(EventError):
        Levels.BINARY.count_events(operand, "x")


def test_a_tensor_that_changed_behind_its_version_is_counted_again() -> None:
    operand = torch.ones(2, 3)
    assert Levels.BINARY.count_events(operand, "x") == 6
    operand.data[0] = 0  # does not count as a version
    assert Levels.BINARY.count_events(operand, "x") == 3


def test_ternary_spikes_are_not_taken_for_binary_ones() -> None:
    operand = torch.tensor([1.0, -1.0])
    assert Levels.TERNARY.count_events(operand, "x") == 2
    with pytest.raises(EventError, match="0 or 1"):
        Levels.BINARY.count_events(operand, "x")


def test_a_slot_packs_into_one_or_two_bits() -> None:
    assert Levels.BINARY.bits_per_slot == 1
    assert Levels.TERNARY.bits_per_slot == 2


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
