"""Gives layers with a state of fixed size their rules, by what they compute; see `recognise`."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, linear, silu, softplus
from transformers.activations import ACT2FN

from energy.layers.trial import attempt, same, twin
from energy.meter.recognise_delta import is_delta_net
from energy.meter.rules import Rule
from energy.meter.tally_scan import delta_net, gated, mamba2

#: Of the stand-ins: entries of a token, heads, channels of each, entries of state, groups, tokens
#: of a kernel, tokens.
_WIDTH, _HEADS, _CHANNELS, _STATE, _GROUPS, _KERNEL, _TOKENS = 6, 4, 3, 5, 2, 3, 7
_INNER = _HEADS * _CHANNELS
_CONVOLVED = _INNER + 2 * _GROUPS * _STATE
_MADE = _INNER + _CONVOLVED + _HEADS


def _random(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape))) - 1


def scan_rule(layer: nn.Module) -> Rule | None:
    """The rule of a mixer with a convolution and a scan, or of its norm; None for another module.

    Mixers are tried in their form for chunks of tokens, two of them, against the recurrence token
    by token.
    """
    if {*layer._modules} >= _HELD and {*layer._parameters} == {"A_log", "D", "dt_bias"}:
        return mamba2 if _scans(layer) else None
    if {*layer._modules} >= _HELD_BY_DELTA and {*layer._parameters} == {"A_log", "dt_bias"}:
        return delta_net if is_delta_net(layer) else None
    if {*layer._parameters} == {"weight"} and not layer._modules and not layer._buffers:
        return gated if _gates(layer) else None
    return None


_HELD_BY_DELTA = {"conv1d", "norm", "out_proj"}
_HELD = {"in_proj", "conv1d", "act", "norm", "out_proj"}


def _scans(layer: Any) -> bool:
    """Whether a mixer of few numbers computes the recurrence of Mamba-2."""
    named = getattr(layer, "activation", None)
    if named not in ACT2FN:
        return False
    activation, steps = ACT2FN[named], torch.linspace(-6, 6, 25)
    if not same(attempt(layer.act, steps), activation(steps)):
        return False
    tensors = {
        "A_log": _random(_HEADS),
        "D": _random(_HEADS, seed=1),
        "dt_bias": _random(_HEADS, seed=2),
        "mup_vector": _random(1, 1, _MADE),
    }
    into, from_ = _random(_MADE, _WIDTH), _random(_WIDTH, _INNER, seed=1)
    kernel, bias = _random(_CONVOLVED, 1, _KERNEL), _random(_CONVOLVED, seed=3)
    held = nn.utils.skip_init(
        nn.Conv1d, _CONVOLVED, _CONVOLVED, _KERNEL, groups=_CONVOLVED, padding=_KERNEL - 1
    )
    held.weight.data, held.bias.data = kernel, bias
    small = twin(
        layer,
        tensors,
        **_SIZES,
        in_proj=partial(linear, weight=into),
        out_proj=partial(linear, weight=from_),
        conv1d=held,
        norm=_stand_in,
    )
    x = _random(2, _TOKENS, _WIDTH)
    out = attempt(type(layer).forward, small, x)
    scaled = x * getattr(layer, "ssm_in_multiplier", 1.0)
    made = linear(scaled, into) * (tensors["mup_vector"] if hasattr(layer, "mup_vector") else 1)
    gate, xbc, dt = made.split([_INNER, _CONVOLVED, _HEADS], -1)
    past = nn.functional.pad(xbc.mT, (_KERNEL - 1, 0))
    xbc = activation(conv1d(past, kernel, bias, groups=_CONVOLVED).mT)
    y = _recurrence(xbc, dt, tensors)
    normed = _stand_in(y, gate) if getattr(layer, "mamba_rms_norm", True) else y * silu(gate)
    return same(out, linear(normed, from_))


_SIZES = {
    "num_heads": _HEADS,
    "head_dim": _CHANNELS,
    "hidden_size": _WIDTH,
    "intermediate_size": _INNER,
    "ssm_state_size": _STATE,
    "n_groups": _GROUPS,
    "conv_kernel_size": _KERNEL,
    "conv_dim": _CONVOLVED,
    "groups_time_state_size": _GROUPS * _STATE,
    "chunk_size": 4,
    "time_step_limit": (0.0, float("inf")),
    "time_step_min": 0.0,
    "time_step_max": float("inf"),
}


def _stand_in(x: Tensor, gate: Tensor) -> Tensor:
    """In the place of a norm, to see that it gets both of its arguments."""
    return x + 2 * gate


def _recurrence(xbc: Tensor, dt: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """The recurrence h = exp(dt A) h + dt x B, y = C h + D x, token by token."""
    x, *bc = xbc.split([_INNER, _GROUPS * _STATE, _GROUPS * _STATE], -1)
    x = x.unflatten(-1, (_HEADS, _CHANNELS))
    shared = _HEADS // _GROUPS
    b, c = (y.unflatten(-1, (_GROUPS, _STATE)).repeat_interleave(shared, -2) for y in bc)
    dt = softplus(dt + tensors["dt_bias"])
    decay = (-tensors["A_log"].exp() * dt).exp()
    state, results = torch.zeros(len(x), _HEADS, _CHANNELS, _STATE), []
    for t in range(x.shape[1]):
        added = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        state = decay[:, t, :, None, None] * state + added
        read = (state @ c[:, t, ..., None]).squeeze(-1)
        results.append((read + tensors["D"][:, None] * x[:, t]).flatten(1))
    return torch.stack(results, 1)


def _gates(layer: Any) -> bool:
    """Whether a norm of few numbers is an RMSNorm of groups, with a product with silu(gate)."""
    width, size = 8, 4
    sizes: dict[str, Any] = {"hidden_size": width}
    groups = 1
    if hasattr(layer, "group_size"):
        sizes["group_size"], groups = size, width // size
    elif hasattr(layer, "n_groups"):
        sizes["n_groups"], groups = width // size, width // size
    weight = _random(width)
    # Large values, beside which epsilon vanishes.
    x, gate = 1000 * _random(2, 3, width), _random(2, 3, width, seed=1)
    out = attempt(type(layer).forward, twin(layer, {"weight": weight}, **sizes), x, gate)
    for first in (False, True):
        y = x * silu(gate) if first else x
        y = y.unflatten(-1, (groups, -1))
        y = (y * y.square().mean(-1, keepdim=True).rsqrt()).flatten(-2)
        if same(out, weight * y * (1 if first else silu(gate))):
            return True
    return False
