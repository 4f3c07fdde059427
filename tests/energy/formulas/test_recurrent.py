"""Recurrences of Mamba-1, RWKV-4 and xLSTM, against code of others that runs them by token."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu
from transformers.models.xlstm.modeling_xlstm import mlstm_recurrent_step_native

from energy.formulas.recurrent import (
    Memory,
    channel_scan,
    matrix_memory,
    sigmoid_gate,
    soft_cap,
    token_shift,
    wkv,
)
from energy.formulas.scan import SOFTPLUS
from hwmodels import Op

BATCH, TOKENS = 2, 5

#: Operations of torch by what they are here.
NAMES = {"mul": Op.MUL, "add": Op.ADD, "sub": Op.ADD, "exp": Op.EXP, "div": Op.DIV}
NAMES |= {"maximum": Op.CMP}


class Elementwise(TorchDispatchMode):
    """Results of operations on single elements, by what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[Op] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in NAMES:
            self.found[NAMES[name]] += out.numel()
        return out


def test_the_mean_of_rwkv_is_what_transformers_computes() -> None:
    channels = 6
    key, value = torch.randn(2, BATCH, TOKENS, channels)
    decay, first = torch.randn(2, channels)
    with Elementwise() as counter:
        rwkv_linear_attention_cpu(decay, first, key, value)
    steps = BATCH * TOKENS * channels
    ops = wkv(BATCH, TOKENS, channels).ops
    # k + u and m - w are made twice there, and once here; - 1e38 of the first state is no work.
    counter.found[Op.ADD] -= 2 * steps + BATCH * channels
    assert {op: ops[op] for op in NAMES.values()} == counter.found
    assert ops[Op.KV_READ] == ops[Op.KV_WRITE] == BATCH * 3 * channels  # two sums, an exponent


def test_the_memory_of_xlstm_is_what_transformers_computes() -> None:
    memory, steps = Memory(heads=3, key_width=4, value_width=5), BATCH * 3
    query, key, value = (torch.randn(BATCH, 3, n) for n in (4, 4, 5))
    gates = torch.randn(2, BATCH, 3, 1)
    state = torch.randn(BATCH, 3, 4, 5), torch.randn(BATCH, 3, 4), torch.randn(BATCH, 3, 1)
    with Elementwise() as counter, FlopCounterMode(display=False) as products:
        mlstm_recurrent_step_native(query, key, value, *gates, *state)
    tally = matrix_memory(BATCH, 1, memory)
    assert products.get_total_flops() == 2 * tally.dense_macs
    assert tally.dense_macs == steps * (2 * 4 * 5 + 4)
    # There i multiplies k v, K V products, and k once more for n; here k, for both. The sum of the
    # memory is an addition there, and here that of the multiply-accumulate of the outer product.
    counter.found[Op.MUL] -= steps * 4 * 5
    # log f + m is made twice there, and log f is one function.
    counter.found[Op.ADD] -= steps * (4 * 5 + 1)
    ops = {op: tally.ops[op] - steps * SOFTPLUS.get(op, 0) for op in NAMES.values()}
    assert ops == counter.found
    assert tally.ops[Op.KV_READ] == steps * (4 * 5 + 4 + 1)


def test_the_scan_of_mamba_token_by_token() -> None:
    channels, state = 3, 4
    x, dt = torch.randn(2, BATCH, TOKENS, channels)
    b, c = torch.randn(2, BATCH, TOKENS, state)
    a, d, h = (
        torch.randn(channels, state),
        torch.randn(channels),
        torch.zeros(BATCH, channels, state),
    )
    with Elementwise() as counter, FlopCounterMode(display=False) as products:
        decay = torch.exp(dt[..., None] * a)
        for t in range(TOKENS):
            added = (dt[:, t] * x[:, t])[..., None] @ b[:, t, None]
            h = decay[:, t] * h + added
            _ = (h @ c[:, t, :, None]).squeeze(-1) + d * x[:, t]
    tally, steps = channel_scan(BATCH, TOKENS, channels, state), BATCH * TOKENS * channels
    assert products.get_total_flops() == 2 * tally.dense_macs == 2 * 2 * steps * state
    counter.found[Op.ADD] -= steps * state  # of the outer product, a multiply-accumulate here
    counter.found[Op.ADD] += steps  # dt + bias, and softplus of it
    counter.found[Op.EXP] += channels * state  # A of its logarithm, once
    ops = {
        op: tally.ops.get(op, 0) - steps * SOFTPLUS.get(op, 0) for op in (Op.MUL, Op.ADD, Op.EXP)
    }
    assert ops == {op: counter.found[op] for op in ops}
    assert tally.ops[Op.CMP] == steps
    assert tally.ops[Op.KV_READ] == tally.ops[Op.KV_WRITE] == BATCH * channels * state
    assert tally.ops[Op.ACTIVATION_READ] == BATCH * TOKENS * (2 * channels + 2 * state)


def test_states_do_not_grow_with_tokens() -> None:
    for few, many in (
        (channel_scan(2, 1, 3, 4), channel_scan(2, 9, 3, 4)),
        (wkv(2, 1, 6), wkv(2, 9, 6)),
        (matrix_memory(2, 1, Memory(3, 4, 5)), matrix_memory(2, 9, Memory(3, 4, 5))),
        (token_shift(2, 1, 6, 3), token_shift(2, 9, 6, 3)),
    ):
        assert few.ops[Op.KV_READ] == many.ops[Op.KV_READ] == many.ops[Op.KV_WRITE]
        assert few.ops[Op.ACTIVATION_WRITE] * 9 == many.ops[Op.ACTIVATION_WRITE]


@pytest.mark.parametrize("mixes", [2, 3])
def test_a_shift_of_tokens_by_hand(mixes: int) -> None:
    x, mix = torch.randn(BATCH, TOKENS, 4), torch.randn(mixes, 4)
    with Elementwise() as counter:
        rest = torch.sub(torch.ones(mixes, 4), mix)
        for one, other in zip(mix, rest, strict=True):
            _ = x * one + x * other
    ops = token_shift(BATCH, TOKENS, 4, mixes).ops
    assert (ops[Op.MUL], ops[Op.ADD]) == (counter.found[Op.MUL], counter.found[Op.ADD])
    assert ops[Op.KV_READ] == BATCH * 4


def test_gates_and_caps_by_hand() -> None:
    # sigmoid = 1 / (1 + e^-x), then a product; tanh = 1 - 2 / (e^2x + 1) between two products
    assert dict(sigmoid_gate(3).ops) == {
        **dict.fromkeys((Op.EXP, Op.ADD, Op.DIV, Op.MUL, Op.ACTIVATION_WRITE), 3),
        Op.ACTIVATION_READ: 6,
    }
    ops = soft_cap(3).ops
    assert (ops[Op.MUL], ops[Op.EXP], ops[Op.ADD], ops[Op.DIV]) == (9, 3, 6, 3)
