"""Gives mixers of Mamba-1, RWKV-4 and xLSTM their rules, by what they compute; see `recognise`."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, layer_norm, linear, pad, silu, softplus
from transformers.activations import ACT2FN

from energy.layers.trial import attempt, same, twin
from energy.meter.rules import Rule
from energy.meter.tally_recurrent import (
    mamba1,
    mlstm,
    mlstm_layer,
    norm_of_heads,
    rwkv_attention,
    rwkv_feedforward,
)

#: Of the stand-ins: entries of a vector, channels, entries of state, rank of the step, tokens of a
#: kernel, heads, channels of a key and of a value of each, tokens, sequences.
_WIDTH, _CHANNELS, _STATE, _RANK, _KERNEL, _HEADS, _KEY, _VALUE = 6, 8, 5, 3, 4, 2, 4, 3
_TOKENS, _BATCH = 7, 2


def _random(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape))) - 1


def recurrent_rule(layer: nn.Module) -> Rule | None:
    """The rule of such a mixer, or of a part of one; None for another module."""
    children, parameters = set(layer._modules), set(layer._parameters)
    for held, own, rule, computes in _KNOWN:
        if held <= children and own == parameters and computes(layer):
            return rule
    return None


def _is_mamba(layer: Any) -> bool:
    """H = exp(dt A) h + (dt x) B, y = C h + D x, token by token."""
    named = getattr(layer, "activation", None)
    if named not in ACT2FN or type(activation := ACT2FN[named]) is not type(layer.act):
        return False
    tensors = {"A_log": _random(_CHANNELS, _STATE), "D": _random(_CHANNELS)}
    into, from_ = _random(2 * _CHANNELS, _WIDTH), _random(_WIDTH, _CHANNELS, seed=1)
    parts, step = _random(_RANK + 2 * _STATE, _CHANNELS), _random(_CHANNELS, _RANK, seed=2)
    bias = _random(_CHANNELS, seed=3)
    held = nn.utils.skip_init(
        nn.Conv1d, _CHANNELS, _CHANNELS, _KERNEL, groups=_CHANNELS, padding=_KERNEL - 1
    )
    held.weight.data, held.bias.data = _random(_CHANNELS, 1, _KERNEL), _random(_CHANNELS, seed=4)
    # Norms of the step, of B and of C are layers; here each is a factor of its own.
    norms = {"dt_layernorm": 2.0, "b_layernorm": 0.5, "c_layernorm": 1.5}
    factors = [x if name in layer._modules else 1.0 for name, x in norms.items()]
    small = twin(
        layer,
        tensors,
        hidden_size=_WIDTH,
        intermediate_size=_CHANNELS,
        ssm_state_size=_STATE,
        time_step_rank=_RANK,
        conv_kernel_size=_KERNEL,
        use_conv_bias=True,
        in_proj=partial(linear, weight=into),
        x_proj=partial(linear, weight=parts),
        dt_proj=SimpleNamespace(weight=step, bias=bias),
        out_proj=partial(linear, weight=from_),
        conv1d=held,
        **{name: partial(torch.mul, x) for name, x in norms.items()},
    )
    given = _random(_BATCH, _TOKENS, _WIDTH)
    out = attempt(type(layer).forward, small, given)
    x, gate = linear(given, into).chunk(2, -1)
    past = pad(x.mT, (_KERNEL - 1, 0))
    x = activation(conv1d(past, held.weight, held.bias, groups=_CHANNELS).mT)
    split = linear(x, parts).split([_RANK, _STATE, _STATE], -1)
    dt, b, c = (factor * part for factor, part in zip(factors, split, strict=True))
    dt, state, results = softplus(linear(dt, step) + bias), torch.zeros(1), []
    for t in range(_TOKENS):
        decay = (-tensors["A_log"].exp() * dt[:, t, :, None]).exp()
        state = decay * state + (dt * x)[:, t, :, None] * b[:, t, None]
        results.append((state @ c[:, t, :, None]).squeeze(-1) + tensors["D"] * x[:, t])
    return same(out, linear(torch.stack(results, 1) * silu(gate), from_))


def _shifted(x: Tensor, mix: Tensor) -> Tensor:
    """The mean of each token and the one before it."""
    return x * mix + pad(x, (0, 0, 1, -1)) * (1 - mix)


def _is_rwkv_attention(layer: Any) -> bool:
    """Means over all tokens before, whose weights fall with their age, as one sum for each."""
    names = ("key", "value", "receptance")
    tensors = {f"time_mix_{name}": _random(1, 1, _WIDTH, seed=i) for i, name in enumerate(names)}
    tensors |= {"time_decay": _random(_CHANNELS), "time_first": _random(_CHANNELS, seed=1)}
    weights = {name: _random(_CHANNELS, _WIDTH, seed=i) for i, name in enumerate(names)}
    from_, x = _random(_WIDTH, _CHANNELS), _random(_BATCH, _TOKENS, _WIDTH)
    made = {name: partial(linear, weight=weight) for name, weight in weights.items()}
    small = twin(layer, tensors, **made, output=partial(linear, weight=from_))
    out = attempt(type(layer).forward, small, x)
    k, v, r = (linear(_shifted(x, tensors[f"time_mix_{i}"]), weights[i]) for i in names)
    age = torch.arange(_TOKENS)[:, None] - 1 - torch.arange(_TOKENS)
    fall = (-tensors["time_decay"].exp() * age[..., None]).exp()
    share = torch.where(age[..., None] >= 0, fall, 0.0)
    share = share + torch.eye(_TOKENS)[..., None] * tensors["time_first"].exp()
    seen = share * k.exp()[:, None]  # sequences, tokens, tokens before, channels
    means = (seen * v[:, None]).sum(2) / seen.sum(2)
    return isinstance(out, tuple) and same(out[0], linear(r.sigmoid() * means, from_))


def _is_rwkv_feedforward(layer: Any) -> bool:
    tensors = {f"time_mix_{x}": _random(1, 1, _WIDTH, seed=len(x)) for x in ("key", "receptance")}
    up, down, gate = _random(_CHANNELS, _WIDTH), _random(_WIDTH, _CHANNELS), _random(_WIDTH, _WIDTH)
    weights = {"key": up, "value": down, "receptance": gate}
    made = {name: partial(linear, weight=weight) for name, weight in weights.items()}
    x = _random(_BATCH, _TOKENS, _WIDTH)
    out = attempt(type(layer).forward, twin(layer, tensors, **made), x)
    hidden = linear(_shifted(x, tensors["time_mix_key"]), up).relu().square()
    opened = linear(_shifted(x, tensors["time_mix_receptance"]), gate).sigmoid()
    return isinstance(out, tuple) and same(out[0], opened * linear(hidden, down))


def _is_mlstm(layer: Any) -> bool:
    """C = f C + i k v, n = f n + i k, and q C / max(|q n|, 1), without a stabiliser."""
    if not hasattr(layer, "step_kernel_fn"):
        return False
    size = (_BATCH, _HEADS, _TOKENS)
    q, k, v = (_random(*size, n, seed=i) for i, n in enumerate((_KEY, _KEY, _VALUE)))
    gates = [_random(*size, seed=i) for i in (5, 6)]
    out = attempt(type(layer).forward, layer, q, k, v, *gates)
    i, f = gates[0].exp(), gates[1].sigmoid()
    memory, normal = torch.zeros(_BATCH, _HEADS, _KEY, _VALUE), torch.zeros(_BATCH, _HEADS, _KEY)
    results = []
    for t in range(_TOKENS):
        key = i[..., t, None] * k[:, :, t]
        memory = f[..., t, None, None] * memory + key[..., None] * v[:, :, t, None]
        normal = f[..., t, None] * normal + key
        query = q[:, :, t] * _KEY**-0.5
        divisor = (query * normal).sum(-1, keepdim=True).abs().clamp(min=1)
        results.append((query[..., None] * memory).sum(-2) / divisor)
    found = out[0] if isinstance(out, tuple) else out
    return same(found, torch.stack(results, 2))


def _is_mlstm_layer(layer: Any) -> bool:
    """Gates that a tanh caps go into the memory, and one opens what comes out of it."""
    cap, wide = getattr(layer.config, "gate_soft_cap", None), _HEADS * _VALUE
    if not isinstance(cap, (int, float)):
        return False
    made = {"q": _HEADS * _KEY, "k": _HEADS * _KEY, "v": wide, "ogate_preact": wide}
    made |= {"igate_preact": _HEADS, "fgate_preact": _HEADS}
    weights = {name: _random(n, _WIDTH, seed=i) for i, (name, n) in enumerate(made.items())}
    from_, x = _random(_WIDTH, wide), 9 * _random(_BATCH, _TOKENS, _WIDTH)
    small = twin(
        layer,
        {},
        config=SimpleNamespace(
            weight_mode="single", gate_soft_cap=cap, num_heads=_HEADS, use_bias=False
        ),
        v_dim=wide,
        qk_dim=_HEADS * _KEY,
        out_proj=partial(linear, weight=from_),
        mlstm_backend=_stand_in,
        multihead_norm=lambda x: x.flatten(-2),
        **{name: partial(linear, weight=weight) for name, weight in weights.items()},
    )
    out = attempt(type(layer).forward, small, x)
    parts = {name: linear(x, weight) for name, weight in weights.items()}
    opened = [cap * (parts[f"{gate}gate_preact"] / cap).tanh() for gate in "if"]
    by_head = parts["v"].unflatten(-1, (_HEADS, _VALUE))
    kept = (by_head * opened[0][..., None] + opened[1][..., None]).flatten(-2)
    expected = linear(parts["ogate_preact"].sigmoid() * kept, from_)
    return same(out[0] if isinstance(out, tuple) else out, expected)


def _stand_in(
    query: Tensor, key: Tensor, value: Tensor, igate: Tensor, fgate: Tensor, **_: Any
) -> tuple[Tensor, None]:
    """In the place of the memory, to see that it gets capped gates."""
    return value * igate[..., None] + fgate[..., None], None


def _is_norm_of_heads(layer: Any) -> bool:
    if not (hasattr(layer, "num_heads") and hasattr(layer, "head_dim")):
        return False
    tensors = {"weight": _random(_HEADS * _VALUE), "bias": _random(_HEADS * _VALUE, seed=1)}
    x = 1000 * _random(_BATCH, _TOKENS, _HEADS, _VALUE)
    small = twin(layer, tensors, num_heads=_HEADS, head_dim=_VALUE, num_features=_HEADS * _VALUE)
    bias = 0 if layer._parameters.get("bias") is None else tensors["bias"]
    expected = tensors["weight"] * layer_norm(x, (_VALUE,)).flatten(-2) + bias
    return same(attempt(type(layer).forward, small, x), expected)


_MIXES = {"time_mix_key", "time_mix_receptance"}
#: What a module holds, its parameters, the rule, and whether it computes that.
_KNOWN: tuple[tuple[set[str], set[str], Rule, Any], ...] = (
    (
        {"in_proj", "conv1d", "act", "x_proj", "dt_proj", "out_proj"},
        {"A_log", "D"},
        mamba1,
        _is_mamba,
    ),
    (
        {"key", "value", "receptance", "output"},
        {*_MIXES, "time_mix_value", "time_decay", "time_first"},
        rwkv_attention,
        _is_rwkv_attention,
    ),
    ({"key", "value", "receptance"}, _MIXES, rwkv_feedforward, _is_rwkv_feedforward),
    (set(), set(), mlstm, _is_mlstm),
    ({"mlstm_backend", "multihead_norm", "ogate_preact"}, set(), mlstm_layer, _is_mlstm_layer),
    (set(), {"weight"}, norm_of_heads, _is_norm_of_heads),
    (set(), {"weight", "bias"}, norm_of_heads, _is_norm_of_heads),
)
