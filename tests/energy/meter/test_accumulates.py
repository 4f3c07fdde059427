"""Accumulates beside loops over every event and everything that it meets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from energy import Attention, Conventions, EventError, Levels, MatMul, Tally, tally_call
from hwmodels import Op

Side = Literal["left", "right"]
Role = Literal["scores", "mix"]


def tally_of(layer: MatMul, *operands: Tensor, conventions: Conventions) -> Tally:
    rows = tally_call(layer, "product", operands, layer(*operands), conventions)
    assert list(rows) == [""]
    return rows[""]


VALUES = {
    Levels.BINARY: [0.0, 1.0],
    Levels.TERNARY: [-1.0, 0.0, 1.0],
    Levels.BURST: [-7.0, -1.0, 0.0, 3.0],
    Levels.COUNT: [-127.0, -1.0, 0.0, 20.0],
    Levels.POWER: [-0.25, 0.0, 1.0, 16.0],
    Levels.ANALOG: [-1.5, 0.0, 2.0],
}


def size(levels: Levels, value: float) -> int:
    """Events that a value is: a burst of n units is n, and every analog value is multiplied."""
    if levels is Levels.ANALOG:
        return 1
    return abs(int(value)) if levels.in_units else int(value != 0)


@dataclass(frozen=True)
class Case:
    """A product of one or two spike operands and how it is to be counted."""

    events: Literal["left", "right", "both"]
    role: Role | None
    streaming: Side
    levels: Levels
    accumulate: bool
    conventions: Conventions
    left: Tensor
    right: Tensor

    @property
    def layer(self) -> MatMul:
        return MatMul(
            self.events, self.role, self.streaming, self.levels, accumulate=self.accumulate
        )

    @property
    def spikes(self) -> int:
        """Events of the streaming operand."""
        operand = self.left if self.streaming == "left" else self.right
        return sum(size(self.levels, value) for value in operand.flatten().tolist())

    def meetings(self) -> list[tuple[float, float]]:
        """Each visible (left entry, right entry) that meet."""
        batch, queries, inner = self.left.shape[-3:]
        columns = self.right.shape[-1]
        keys = columns if self.role == "scores" else inner
        steps = (self.left if self.accumulate else self.left.unsqueeze(0)).tolist()
        right = self.right.tolist()
        found = []
        for b, i, k, j in product(range(batch), range(queries), range(inner), range(columns)):
            key = j if self.role == "scores" else k
            masked = self.role is not None and self.conventions.attention is Attention.CAUSAL
            if not masked or key <= keys - queries + i:
                found += [(left[b][i][k], right[b][k][j]) for left in steps]
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    events = draw(st.sampled_from(["left", "right", "both"]))
    role = draw(st.sampled_from(["scores", "mix", None]))
    streaming = events if events != "both" else draw(st.sampled_from(["left", "right"]))
    coincidences = draw(st.booleans())
    # A product of analog operands without a mask is a plain `MatMul()`.
    levels = draw(st.sampled_from([x for x in Levels if role or x is not Levels.ANALOG]))
    accumulate = events == "left" and draw(st.booleans())
    batch, queries, past, width = (draw(st.integers(low, 4)) for low in (1, 1, 0, 1))
    keys = past + queries
    inner, columns = {
        "scores": (width, keys),
        "mix": (keys, width),
        None: (width, draw(st.integers(1, 4))),
    }[role]

    def operand(*shape: int, carries: bool) -> Tensor:
        entries = torch.Size(shape).numel()
        values = st.sampled_from(VALUES[levels if carries else Levels.ANALOG])
        flat = draw(st.lists(values, min_size=entries, max_size=entries))
        return torch.tensor(flat).reshape(shape)

    steps = [draw(st.integers(1, 3))] if accumulate else []
    left = operand(*steps, batch, queries, inner, carries=events != "right")
    right = operand(batch, inner, columns, carries=events != "left")
    if role == "mix":  # attention weights are zero where a query may not see
        left = left.tril(keys - queries)
    attention = draw(st.sampled_from(Attention))
    conventions = Conventions(attention, coincidences)
    return Case(events, role, streaming, levels, accumulate, conventions, left, right)


@settings(deadline=None, max_examples=300)
@given(cases())
def test_accumulates_are_counted_as_by_loops_over_the_events(case: Case) -> None:
    meetings = case.meetings()
    accumulates = 0
    for left, right in meetings:
        event, stored = (left, right) if case.streaming == "left" else (right, left)
        if stored != 0 or not case.conventions.coincidences:
            accumulates += size(case.levels, event)
    tally = tally_of(case.layer, case.left, case.right, conventions=case.conventions)
    if case.levels is Levels.ANALOG:
        assert tally.ops[Op.MAC] == len(meetings)  # multiplied, whatever meets
    else:
        assert tally.ops[case.levels.op] == accumulates
    assert {op for op in (Op.MAC, Op.AC, Op.SHIFT_AC) if op in tally.ops} == {case.levels.op}
    assert tally.dense_macs == len(meetings)


@settings(deadline=None, max_examples=50)
@given(cases())
def test_spikes_and_slots_are_those_of_the_streaming_operand(case: Case) -> None:
    tally = tally_of(case.layer, case.left, case.right, conventions=case.conventions)
    operand = case.left if case.streaming == "left" else case.right
    analog = case.levels is Levels.ANALOG
    assert (tally.spikes, tally.slots) == ((0, 0) if analog else (case.spikes, operand.numel()))


@settings(deadline=None, max_examples=20)
@given(cases())
def test_every_count_of_an_event_product_is_an_integer(case: Case) -> None:
    tally = tally_of(case.layer, case.left, case.right, conventions=case.conventions)
    numbers = [*tally.ops.values(), tally.dense_macs, tally.spikes, tally.slots]
    assert {type(number) for number in numbers} == {int}


# A second stream


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_new_keys_and_values_meet_the_queries_that_see_them(
    data: st.DataObject,
) -> None:
    role = data.draw(st.sampled_from(["scores", "mix"]))
    levels = data.draw(st.sampled_from([Levels.TERNARY, Levels.BURST, Levels.POWER]))
    attention = data.draw(st.sampled_from(Attention))
    steps, batch, queries, past, width = (data.draw(st.integers(low, 3)) for low in (1, 1, 1, 0, 1))
    keys = past + queries

    def events(*shape: int) -> Tensor:
        size_ = torch.Size(shape).numel()
        values = st.lists(st.sampled_from(VALUES[levels]), min_size=size_, max_size=size_)
        return torch.tensor(data.draw(values)).reshape(shape)

    left = events(steps, batch, queries, width if role == "scores" else keys)
    if role == "mix":
        left = left.tril(past)
    new, cached = events(steps, batch, queries, width), torch.rand(batch, past, width)
    stored = torch.cat([cached, new.sum(0)], dim=1)
    right = stored.mT if role == "scores" else stored
    layer = MatMul("left", role, levels=levels, accumulate=True)
    conventions = Conventions(attention)
    alone = tally_of(layer, left, right, conventions=conventions)
    both = tally_of(layer, left, right, new, conventions=conventions)
    added = Counter(both.ops)
    added.subtract(alone.ops)

    second = 0
    for t, b, j, c in product(range(steps), range(batch), range(queries), range(width)):
        for i in range(queries):
            if attention is Attention.FULL or j <= i:
                second += size(levels, float(new[t, b, j, c]))
    units = sum(size(levels, value) for value in new.flatten().tolist())
    assert added[levels.op] == second
    assert both.spikes - alone.spikes == units
    assert both.slots - alone.slots == new.numel()
    assert both.dense_macs == alone.dense_macs  # a dense machine multiplies once
    assert added[Op.SPIKE_READ] == new.numel()
    assert all(added[op] == 0 for op in Op if op not in (levels.op, Op.SPIKE_READ))


def test_a_second_stream_must_be_events() -> None:
    layer = MatMul("left", "scores", levels=Levels.TERNARY, accumulate=True)
    left, right = torch.ones(2, 1, 3, 4), torch.ones(1, 4, 3)
    with pytest.raises(EventError, match="layer 'product' takes spikes, but 24 of 24"):
        tally_of(layer, left, right, torch.full((2, 1, 3, 4), 0.5), conventions=Conventions())
