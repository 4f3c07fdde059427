"""The rules for layers with a state of fixed size, as the recurrence that they compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from energy.counts import Tally
from energy.formulas import Conventions, nonlinear
from energy.formulas.scan import (
    Delta,
    Scan,
    causal_convolution,
    gated_delta,
    gated_norm,
    selective_scan,
)
from energy.meter.rules import Rows, tally_call


def scan_of(layer: Any) -> Scan:
    """The sizes of a mixer of Mamba-2."""
    return Scan(layer.num_heads, layer.head_dim, layer.ssm_state_size, layer.n_groups)


def mamba2(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    """The rule of a mixer of Mamba-2, beside its two projections and its norm, which are layers.

    Where it has no norm (Falcon-H1) its gate is part of it, and so are constants that multiply
    what goes into the first projection and what comes out of it.
    """
    sequences, tokens, width = args[0].shape
    scan, rows = scan_of(layer), sequences * tokens
    found = convolved(layer, name, sequences, tokens, conventions)
    if hasattr(layer, "mup_vector"):
        found["multipliers"] = nonlinear.row_scale(rows * (width + scan.made))
    found["scan"] = selective_scan(sequences, tokens, scan)
    if not getattr(layer, "mamba_rms_norm", True):
        elements = rows * scan.channels
        found["gate"] = Tally.total((nonlinear.silu(elements), nonlinear.multiply(elements)))
    return found


def delta_of(layer: Any) -> Delta:
    """The sizes of a mixer of gated delta networks."""
    return Delta(layer.num_v_heads, layer.num_k_heads, layer.head_k_dim, layer.head_v_dim)


def delta_net(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    """The rule of a mixer with the gated delta rule, beside its projections and its norm."""
    sequences, tokens = args[0].shape[:2]
    channels, _, kernel = layer.conv1d.weight.shape
    bias = layer.conv1d.bias is not None
    return {
        "conv1d": causal_convolution(sequences, tokens, channels, kernel, bias=bias),
        "act": nonlinear.silu(sequences * tokens * channels),
        "scan": gated_delta(sequences, tokens, delta_of(layer)),
    }


def convolved(
    layer: Any, name: str, sequences: int, tokens: int, conventions: Conventions
) -> dict[str, Tally]:
    """The causal convolution that a mixer holds as `conv1d`, and its activation, `act`."""
    channels, _, kernel = layer.conv1d.weight.shape
    bias = layer.conv1d.bias is not None
    made = torch.empty(sequences, tokens, channels, device="meta")
    activated = tally_call(layer.act, f"{name}.act", (made,), made, conventions)
    return {
        "conv1d": causal_convolution(sequences, tokens, channels, kernel, bias=bias),
        "act": activated[""],
    }


def groups_of(layer: Any, width: int) -> int:
    """How many groups of channels a gated norm takes by themselves."""
    size, groups = getattr(layer, "group_size", None), getattr(layer, "n_groups", 1)
    return width // size if isinstance(size, int) else int(groups)


def gated(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    """The rule of an RMSNorm that a gate multiplies."""
    width = out.shape[-1]
    return {"": gated_norm(out.numel() // width, width, groups_of(layer, width))}
