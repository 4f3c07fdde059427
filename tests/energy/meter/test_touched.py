"""Rows that a tensor needs, found a second time with loops, over random shapes."""

from __future__ import annotations

from itertools import product

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from energy import Attention, Conventions, Levels, MatMul, tally_call
from energy.meter.touched import channels

FEW = settings(deadline=None, max_examples=80)
#: Shares of slots that hold an event: from hardly any to all.
RATES = st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0])


def spikes(seed: int, rate: float, *shape: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=random) < rate).float()


@FEW
@given(st.integers(0, 99), RATES, st.integers(1, 3), st.integers(1, 40), st.integers(1, 9))
def test_channels_equal_the_loops(
    seed: int, rate: float, steps: int, tokens: int, width: int
) -> None:
    x = spikes(seed, rate, steps, tokens, width)
    awake = [
        {channel for step in range(steps) for channel in range(width) if x[step, token, channel]}
        for token in range(tokens)
    ]
    expected = len(set().union(*awake)), sum(map(len, awake))
    assert channels(x) == expected
    assert channels(-x.double()) == expected
    assert channels(x.bfloat16()) == expected
    x[:] = 0  # a tensor that has changed is looked at again
    assert channels(x) == (0, 0)


@FEW
@given(
    st.integers(0, 99),
    RATES,
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(0, 9),
    st.sampled_from(["scores", "mix"]),
    st.booleans(),
    st.sampled_from(Attention),
)
def test_rows_of_the_cache_equal_the_loops(
    seed: int,
    rate: float,
    steps: int,
    queries: int,
    past: int,
    role: str,
    bfloat16: bool,
    attention: Attention,
) -> None:
    # 2 sequences, 2 cached heads of width 3, each shared by 2 heads
    heads, width, keys = (2, 2, 2), 3, past + queries
    shape = (queries, width) if role == "scores" else (queries, keys)
    left = spikes(seed, rate, steps, *heads, *shape)
    right = torch.ones(2, 2, 1, *((width, keys) if role == "scores" else (keys, width)))
    if role == "mix":
        left = left.tril(past)  # the mask has zeroed what a query may not see
    layer = MatMul("left", role, levels=Levels.BINARY, accumulate=True)
    layer.shared_by = 2
    needed = set()
    for at in product(range(steps), *map(range, heads), range(queries)):
        i, values = at[-1], left[at].tolist()
        sees = past + i + 1 if attention is Attention.CAUSAL else keys
        met = range(sees) if role == "scores" else [j for j, value in enumerate(values) if value]
        needed |= {(at[1:3], j) for j in met if any(values)}
    left = left.bfloat16() if bfloat16 else left
    out = left.sum(0) @ right.to(left.dtype)
    [tally] = tally_call(layer, "it", (left, right), out, Conventions(attention)).values()
    assert tally.touched_kv == len(needed) * width
    assert tally.touched_kv <= tally.kv_read
