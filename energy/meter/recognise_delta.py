"""Tells the mixers of gated delta networks, by what they compute; see `recognise`."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, linear, silu, softplus

from energy.layers.trial import attempt, same, twin

#: Of the stand-ins: entries of a token, heads of values and of keys, entries of a key and of a
#: value of a head, tokens of a kernel, tokens: more than kernels of transformers have in a chunk.
_WIDTH, _HEADS, _KEY_HEADS, _KEY, _VALUE, _KERNEL, _TOKENS = 6, 4, 2, 3, 5, 3, 70
_KEYS, _VALUES = _KEY_HEADS * _KEY, _HEADS * _VALUE
_CONVOLVED = 2 * _KEYS + _VALUES
#: What is added to the squares of a query or a key before their root.
_EPSILON = 1e-6

#: Names of the projections, and what each of them makes of a token.
_APART = {
    "in_proj_qkv": _CONVOLVED,
    "in_proj_z": _VALUES,
    "in_proj_b": _HEADS,
    "in_proj_a": _HEADS,
}
_SPLITS = "fix_query_key_value_ordering"
_TOGETHER = {"in_proj_qkvz": _CONVOLVED + _VALUES, "in_proj_ba": 2 * _HEADS}


def is_delta_net(layer: Any) -> bool:
    """Whether a mixer of few numbers computes the gated delta rule, token by token."""
    names = next((x for x in (_APART, _TOGETHER) if {*x} <= {*layer._modules}), None)
    if names is None or getattr(layer, "activation", None) not in ("silu", "swish"):
        return False
    tensors = {"A_log": _random(_HEADS), "dt_bias": _random(_HEADS, seed=1)}
    weights = {
        name: _random(made, _WIDTH, seed=seed) for seed, (name, made) in enumerate(names.items())
    }
    from_, kernel = _random(_WIDTH, _VALUES, seed=7), _random(_CONVOLVED, 1, _KERNEL)
    held = nn.utils.skip_init(
        nn.Conv1d,
        _CONVOLVED,
        _CONVOLVED,
        _KERNEL,
        groups=_CONVOLVED,
        padding=_KERNEL - 1,
        bias=False,
    )
    held.weight.data = kernel
    projections = {name: partial(linear, weight=weight) for name, weight in weights.items()}
    small = twin(
        layer,
        tensors,
        **_SIZES,
        **projections,
        out_proj=partial(linear, weight=from_),
        conv1d=held,
        norm=_stand_in,
    )
    x = _random(2, _TOKENS, _WIDTH, seed=9)
    out = attempt(type(layer).forward, small, x)
    made = [linear(x, weight) for weight in weights.values()]
    if names is _TOGETHER:
        # How the heads lie side by side in what is made, the class knows.
        splits = getattr(type(layer), _SPLITS, None)
        apart = attempt(splits, small, *made) if callable(splits) else None
        if apart is None:
            return False
        query, key, value, gate, b, a = apart
        qkv = torch.cat([y.flatten(2) for y in (query, key, value)], -1)
    else:
        qkv, gate, b, a = made
    past = nn.functional.pad(qkv.mT, (_KERNEL - 1, 0))
    qkv = silu(conv1d(past, kernel, groups=_CONVOLVED).mT)
    y = _recurrence(qkv, a, b, tensors)
    normed = _stand_in(y, gate.reshape(y.shape))
    return same(out, linear(normed.flatten(2), from_))


_SIZES = {
    "hidden_size": _WIDTH,
    "num_v_heads": _HEADS,
    "num_k_heads": _KEY_HEADS,
    "head_k_dim": _KEY,
    "head_v_dim": _VALUE,
    "key_dim": _KEYS,
    "value_dim": _VALUES,
    "conv_dim": _CONVOLVED,
    "conv_kernel_size": _KERNEL,
}


def _random(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape))) - 1


def _stand_in(x: Tensor, gate: Tensor) -> Tensor:
    """In the place of a norm, to see that it gets both of its arguments."""
    return x + 2 * gate


def _recurrence(qkv: Tensor, a: Tensor, b: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """The recurrence S = a S, S = S + k b (v - k S), q S, token by token: (..., heads, values)."""
    query, key, value = qkv.split([_KEYS, _KEYS, _VALUES], -1)
    shared = _HEADS // _KEY_HEADS
    query, key = (
        _unit(y.unflatten(-1, (_KEY_HEADS, _KEY))).repeat_interleave(shared, -2)
        for y in (query, key)
    )
    query, value = query * _KEY**-0.5, value.unflatten(-1, (_HEADS, _VALUE))
    decay = (-tensors["A_log"].exp() * softplus(a + tensors["dt_bias"])).exp()
    state, results = torch.zeros(len(qkv), _HEADS, _KEY, _VALUE), []
    for t in range(qkv.shape[1]):
        state = decay[:, t, :, None, None] * state
        known = (key[:, t, :, :, None] * state).sum(-2)
        added = b[:, t, :, None].sigmoid() * (value[:, t] - known)
        state = state + key[:, t, :, :, None] * added[:, :, None]
        results.append((query[:, t, :, :, None] * state).sum(-2))
    return torch.stack(results, 1)


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().sum(-1, keepdim=True) + _EPSILON).rsqrt()
